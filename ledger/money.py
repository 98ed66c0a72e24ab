"""Money: an integer in the currency's minor unit, and the currency. Never a float."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import iso4217

from ledger.errors import InvalidRequest

MAX_AMOUNT_MINOR = 10**27
"""The largest amount of one entry: any sum of entries then fits DynamoDB's 38 digits."""

MAX_EXPONENT = 24
CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,11}")
DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")


@dataclass(frozen=True, slots=True, repr=False)
class Money:
    """`amount_minor` minor units (cents, yen, wei) of `currency` (its code).

    Adds, subtracts and compares within one currency.

    Raises:
        InvalidRequest: the amount is no integer, or the code is not shaped like one.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise InvalidRequest(
                f"amount_minor is a {type(self.amount_minor).__name__}: expected an int in minor "
                'units; for "12.50" use ledger.money("12.50", currency)'
            )
        check_currency_code(self.currency)

    def __repr__(self) -> str:
        return f"Money({self.amount_minor}, {self.currency!r})"

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount_minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount_minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount_minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount_minor >= self._same(other)

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"expected Money, not {type(other).__name__}")
        if other.currency != self.currency:
            raise InvalidRequest(
                f"{self.currency} and {other.currency} cannot be added or compared: "
                "exchange one into the other first"
            )
        return other.amount_minor


def check_currency_code(code: str) -> str:
    """Return `code` if it is shaped like a currency's code, else raise `InvalidRequest`."""
    if not isinstance(code, str) or not CURRENCY.fullmatch(code):
        raise InvalidRequest(
            f"currency {code!r}: expected 3 to 12 characters A-Z and 0-9, the first a letter, "
            'as in "EUR" or "PTS"'
        )
    return code


class Currencies:
    """The currencies of a ledger: ISO 4217, and the codes that its settings declare.

    `declared` maps a code to its exponent, the number of decimals of the minor unit:
    `{"PTS": 0, "ETH": 18}`. A code of ISO 4217 cannot be declared.
    """

    def __init__(self, declared: Mapping[str, int] | None = None) -> None:
        self._exponents = {c.code: c.exponent for c in iso4217.Currency}
        for code, exponent in (declared or {}).items():
            self._exponents[self._undeclared(code)] = check_exponent(code, exponent)

    def _undeclared(self, code: str) -> str:
        if check_currency_code(code) in self._exponents:
            raise InvalidRequest(f"currency {code} is ISO 4217's own: declare another code")
        return code

    def exponent(self, code: str) -> int:
        """How many decimals `code` has. Raises `InvalidRequest` for an unknown currency."""
        exponent = self._exponents.get(check_currency_code(code), -1)
        if exponent is None:
            raise InvalidRequest(
                f"currency {code} has no minor unit in ISO 4217: declare a code of your own for it"
            )
        if exponent < 0:
            raise InvalidRequest(
                f"currency {code} is not known: expected a code of ISO 4217, or one that the "
                f'settings declare, as in currencies={{"{code}": 2}}'
            )
        return exponent

    def money(self, amount: str | Decimal, currency: str) -> Money:
        """Exact `Money` from a decimal amount in major units: `("12.50", "EUR")` is 1250 cents.

        Raises:
            InvalidRequest: a float or an int, not a plain decimal, or more decimals than the
                currency has.
        """
        exponent = self.exponent(currency)
        whole, _, decimals = plain_decimal(amount).partition(".")
        if len(decimals.rstrip("0")) > exponent:
            raise InvalidRequest(
                f"amount has {len(decimals)} decimals: {currency} has {exponent}; round it first"
            )
        return Money(int(whole + decimals.rstrip("0").ljust(exponent, "0")), currency)

    def format(self, money: Money) -> str:
        """`Money(1250, "EUR")` as `12.50 EUR`."""
        exponent = self.exponent(money.currency)
        digits = str(abs(money.amount_minor)).rjust(exponent + 1, "0")
        sign = "-" if money.amount_minor < 0 else ""
        cut = len(digits) - exponent
        decimals = f".{digits[cut:]}" if exponent else ""
        return f"{sign}{digits[:cut]}{decimals} {money.currency}"

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every code that has a minor unit."""
        return frozenset(code for code, exponent in self._exponents.items() if exponent is not None)


def check_exponent(code: str, exponent: int) -> int:
    """Return `exponent` if a currency can have it, else raise `InvalidRequest`."""
    if type(exponent) is not int or not 0 <= exponent <= MAX_EXPONENT:
        raise InvalidRequest(
            f"currency {code}: its exponent is the number of decimals, 0 to {MAX_EXPONENT}, "
            f"not {exponent!r}"
        )
    return exponent


def plain_decimal(amount: str | Decimal) -> str:
    """`amount` in plain digits, as `-12.50`. Raises `InvalidRequest` for anything else."""
    if isinstance(amount, Decimal):
        if not amount.is_finite() or abs(amount.adjusted()) > 40:
            raise InvalidRequest("amount is not a finite number of at most 40 digits")
        amount = format(amount, "f")
    if not isinstance(amount, str):
        raise InvalidRequest(
            f"amount is a {type(amount).__name__}: expected a string or a Decimal in major units "
            '("12.50"); minor units go into Money(1250, currency)'
        )
    if not DECIMAL.fullmatch(amount):
        raise InvalidRequest('amount is not a plain decimal: expected digits as in "12.50"')
    return amount


def check_amount(amount_minor: int) -> int:
    """Return an entry's amount if it is 1 … 10**27 minor units, else raise `InvalidRequest`."""
    if not 1 <= amount_minor <= MAX_AMOUNT_MINOR:
        found = amount_minor if amount_minor.bit_length() <= 128 else "over-long"
        raise InvalidRequest(
            f"amount_minor is {found}: expected 1 to 10**27 minor units; the direction "
            "says which way the money goes"
        )
    return amount_minor
