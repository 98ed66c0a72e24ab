"""Money is an integer in the currency's minor unit: exact, never a float, never of two currencies."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, LedgerError, Money
from ledger.money import MAX_EXPONENT, Currencies
from tests.support.examples import many
from tests.support.unplugged import shown

DECLARED = {"PTS": 0, "GRAMS": 3, "ETH": 18, "A23456789012": MAX_EXPONENT}
CURRENCIES = Currencies(DECLARED)
CODES = sorted(CURRENCIES.codes)
MINOR = st.integers(-(10**27), 10**27)


def test_the_currencies_are_iso_4217s_and_the_declared_ones() -> None:
    """Every ISO code with a minor unit is known, with its exponent; those without are not."""
    for currency in iso4217.Currency:
        if currency.exponent is None:
            with pytest.raises(InvalidRequest, match="no minor unit"):
                CURRENCIES.exponent(currency.code)
            assert currency.code not in CURRENCIES.codes
        else:
            assert CURRENCIES.exponent(currency.code) == currency.exponent
    assert [CURRENCIES.exponent(code) for code in DECLARED] == list(DECLARED.values())
    assert (CURRENCIES.exponent("EUR"), CURRENCIES.exponent("JPY")) == (2, 0)


@many
@given(code=st.sampled_from(CODES), minor=MINOR)
def test_a_formatted_amount_reads_back_as_itself(code: str, minor: int) -> None:
    """format and money are each other's inverse, for every currency and every amount."""
    money = Money(minor, code)
    amount, currency = CURRENCIES.format(money).split(" ")
    assert CURRENCIES.money(amount, currency) == money
    assert CURRENCIES.money(Decimal(amount), currency) == money


@many
@given(code=st.sampled_from(CODES), minor=MINOR)
def test_a_formatted_amount_has_all_its_decimals(code: str, minor: int) -> None:
    """The text has exactly as many decimals as the currency, and at least one digit before them."""
    amount = CURRENCIES.format(Money(minor, code)).split(" ")[0]
    whole, _, decimals = amount.removeprefix("-").partition(".")
    assert len(decimals) == CURRENCIES.exponent(code)
    assert whole == "0" or not whole.startswith("0")
    assert Decimal(amount).scaleb(CURRENCIES.exponent(code)) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12", "EUR", 1200),
        ("12.500", "EUR", 1250),
        ("-0.01", "EUR", -1),
        ("007", "JPY", 7),
        ("1.000", "JPY", 1),
        ("0.123", "BHD", 123),
        ("0.000000000000000001", "ETH", 1),
        (Decimal("12.50"), "EUR", 1250),
        (Decimal("1E+3"), "EUR", 100_000),
        (Decimal("1E-2"), "EUR", 1),
        (Decimal("-0"), "EUR", 0),
    ],
)
def test_a_decimal_amount_is_read_exactly(amount: str | Decimal, currency: str, minor: int) -> None:
    """Trailing zeros say nothing, and a Decimal is read whatever its exponent."""
    assert CURRENCIES.money(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "amount",
    [
        12.5,
        12,
        True,
        None,
        b"12",
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "1.",
        ".5",
        "1,50",
        "1_000",
        "1e3",
        "1E-2",
        "NaN",
        "Infinity",
        "--1",
        "٣",  # an Arabic digit three
        "\uff11",  # a full-width digit one
        "1.٣",
        "9" * 41,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
        Decimal("1E+41"),
        Decimal("1E+999999"),
        Decimal("1E-999999"),
        Decimal("1." + "0" * 50_000),
    ],
    ids=shown,
)
def test_fault_45_what_is_no_plain_decimal_is_no_amount(amount: Any) -> None:
    """Floats, ints, exponents in text, separators, NaN and numbers of absurd length are refused."""
    with pytest.raises(InvalidRequest, match="amount"):
        CURRENCIES.money(amount, "EUR")


@pytest.mark.parametrize(
    ("amount", "currency"), [("0.001", "EUR"), ("0.5", "JPY"), ("1.25", "PTS")]
)
def test_fault_45_more_decimals_than_the_currency_has_are_refused(
    amount: str, currency: str
) -> None:
    """Nothing is rounded on the way in: who has a tenth of a cent decides himself."""
    with pytest.raises(InvalidRequest, match="decimals"):
        CURRENCIES.money(amount, currency)


@many
@given(text=st.text(max_size=12))
def test_whatever_text_comes_is_money_or_refused(text: str) -> None:
    """Any text gives the very amount that Decimal reads, or InvalidRequest: never another error."""
    try:
        money = CURRENCIES.money(text, "EUR")
    except InvalidRequest:
        return
    assert Decimal(money.amount_minor).scaleb(-2) == Decimal(text)


@many
@given(amount=st.decimals(allow_nan=True, allow_infinity=True))
def test_whatever_decimal_comes_is_money_or_refused(amount: Decimal) -> None:
    """Any Decimal gives its very amount, or InvalidRequest."""
    try:
        money = CURRENCIES.money(amount, "EUR")
    except InvalidRequest:
        return
    assert Decimal(money.amount_minor).scaleb(-2) == amount


@pytest.mark.parametrize("minor", [1.0, "1", None, True, Decimal(1), float("nan")], ids=shown)
def test_fault_45_minor_units_are_an_int(minor: Any) -> None:
    """A float, a text, a bool or a Decimal is no number of minor units, however whole it is."""
    with pytest.raises(InvalidRequest, match="amount_minor is a"):
        Money(minor, "EUR")


@pytest.mark.parametrize(
    "code",
    ["", "EU", "eur", "EUR ", "EUR\n", "1EU", "EU#", "EUR#", "A" * 13, "ÄUR", None, 978],
    ids=shown,
)
def test_fault_47_a_currency_is_shaped_like_one(code: Any) -> None:
    """A code is 3 to 12 capital letters and digits: nothing that could break a key apart."""
    with pytest.raises(InvalidRequest, match="currency"):
        Money(1, code)
    with pytest.raises(InvalidRequest, match="currency"):
        CURRENCIES.exponent(code)
    with pytest.raises(InvalidRequest, match="currency"):
        Currencies({code: 2})


@pytest.mark.parametrize("exponent", [-1, MAX_EXPONENT + 1, 2.0, "2", True, None], ids=shown)
def test_fault_45_a_declared_exponent_is_a_small_number(exponent: Any) -> None:
    """An exponent is an int of 0 to 24."""
    with pytest.raises(InvalidRequest, match="exponent"):
        Currencies({"PTS": exponent})


def test_a_code_of_iso_4217_cannot_be_declared() -> None:
    """Nobody redefines the euro, nor gold, which has no minor unit in ISO 4217."""
    for code in ("EUR", "XAU"):
        with pytest.raises(InvalidRequest, match="ISO 4217's own"):
            Currencies({code: 2})


def test_fault_45_an_unknown_currency_is_refused_with_the_way_to_declare_it() -> None:
    """The message shows the setting that would make the code known."""
    with pytest.raises(InvalidRequest, match=r'currencies=\{"PTS": 2\}'):
        Currencies().exponent("PTS")


@many
@given(a=MINOR, b=MINOR)
def test_arithmetic_is_that_of_integers(a: int, b: int) -> None:
    """Sums, differences, signs and order are exact at any size."""
    one, other = Money(a, "EUR"), Money(b, "EUR")
    assert (one + other, one - other, -one) == (
        Money(a + b, "EUR"),
        Money(a - b, "EUR"),
        Money(-a, "EUR"),
    )
    compared = [(one < other), (one <= other), (one > other), (one >= other), (one == other)]
    assert compared == [a < b, a <= b, a > b, a >= b, a == b]


TWO_SIDED = [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("operation", TWO_SIDED)
def test_two_currencies_are_neither_added_nor_compared(
    operation: Callable[[Any, Any], object],
) -> None:
    """Euros and dollars are exchanged by a transaction, not by a plus sign; they are never equal."""
    with pytest.raises(InvalidRequest, match="EUR and USD"):
        operation(Money(1, "EUR"), Money(1, "USD"))
    assert Money(1, "EUR") != Money(1, "USD")


@pytest.mark.parametrize("operation", TWO_SIDED)
@pytest.mark.parametrize("other", [1, 1.0, "1", None], ids=shown)
def test_money_and_a_number_do_not_mix(
    operation: Callable[[Any, Any], object], other: object
) -> None:
    """A bare number has no currency."""
    with pytest.raises(TypeError):
        operation(Money(1, "EUR"), other)


def test_money_is_a_value() -> None:
    """It is hashable, cannot change, and its repr builds it again."""
    money = Money(1250, "EUR")
    assert {money: 1}[Money(1250, "EUR")] == 1
    assert repr(money) == "Money(1250, 'EUR')"
    with pytest.raises(AttributeError):
        money.amount_minor = 1  # type: ignore[misc]


def test_every_error_of_money_is_a_ledger_error() -> None:
    """A caller's `except LedgerError` sees bad amounts too, and they are not worth a retry."""
    with pytest.raises(LedgerError) as refused:
        CURRENCIES.money("many", "EUR")
    assert not refused.value.retryable
