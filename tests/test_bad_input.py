"""Bad input is refused before any call, with a message that says what was expected.

Every test here runs on a ledger without a DynamoDB: a call that is sent fails the test.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, Ledger, Leg, Money, Transaction, credit, debit
from ledger.check import (
    MAX_ACCOUNT_BYTES,
    MAX_DESCRIPTION_BYTES,
    MAX_ENTRIES,
    MAX_KEY_BYTES,
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
)
from tests.support.examples import many
from tests.support.unplugged import NoCall, shown, unplugged

ID = "01M6FDZZZZZZZZZZZZZZZZZZZZ"
EUR = Money(100, "EUR")
LEGS = [debit("world:card", EUR), credit("user:42", EUR)]
NOW = datetime(2026, 9, 21, tzinfo=UTC)
SECRET = "4111-1111"
LONG = 10**5000


@pytest.fixture
def ledger() -> Ledger:
    """A ledger that fails the test when it sends anything."""
    return unplugged(currencies={"PTS": 0})


def refused(call: Callable[[], object], match: str) -> None:
    """`call` is refused, by a message that says `match` and never what was secret."""
    with pytest.raises(InvalidRequest, match=match) as error:
        call()
    assert SECRET not in str(error.value)
    assert len(str(error.value)) < 600


def test_what_is_well_formed_is_sent(ledger: Ledger) -> None:
    """The guard of this file: a good call does reach the client, and that fails the test."""
    with pytest.raises(NoCall):
        ledger.post(LEGS, type="deposit", metadata={"note": SECRET}, trace={"request": "r-1"})
    with pytest.raises(NoCall):
        ledger.append(credit("user:42", Money(1, "PTS")), type="bonus", id=ID)


BAD_ACCOUNTS: list[Any] = [
    "",
    "user#42",
    "user~42",
    "user 42",
    "user\n42",
    "user\x00",
    "user\x7f",
    "Ünal",
    "用户",
    "a" * (MAX_ACCOUNT_BYTES + 1),
    "a" * 100_000,
    None,
    42,
    b"user:42",
    LONG,
]


@pytest.mark.parametrize("account", BAD_ACCOUNTS, ids=shown)
def test_fault_47_what_would_break_a_key_is_no_account(ledger: Ledger, account: Any) -> None:
    """Separators, control characters, spaces and all beyond ASCII are refused wherever one is named."""
    calls: list[Callable[[], object]] = [
        lambda: ledger.append(credit(account, EUR), type="deposit"),
        lambda: ledger.post([debit("world:card", EUR), credit(account, EUR)], type="deposit"),
        lambda: ledger.transfer(source=account, destination="b", money=EUR, type="deposit"),
        lambda: ledger.open_account(account),
        lambda: ledger.balance(account, "EUR"),
        lambda: ledger.balances(account),
        lambda: ledger.entries(account),
        lambda: ledger.entry(account, f"{ID}#00"),
    ]
    for call in calls:
        refused(call, "account")


@pytest.mark.parametrize("prefix", ["user#", "a~", " ", "ü", "a" * 129, None, 0], ids=shown)
def test_fault_47_a_prefix_is_of_accounts(ledger: Ledger, prefix: Any) -> None:
    """What cannot begin an account's name begins no listing."""
    refused(lambda: ledger.accounts(prefix=prefix), "account")


@pytest.mark.parametrize("amount", [0, -1, 10**27 + 1, -(10**27), LONG, -LONG], ids=shown)
def test_fault_45_amounts_are_one_to_ten_to_the_27(ledger: Ledger, amount: int) -> None:
    """Zero, negative and over-long amounts are refused: the direction says where the money goes."""
    money = Money(amount, "EUR")
    legs = [debit("world:card", money), credit("user:42", money)]
    refused(lambda: ledger.append(credit("user:42", money), type="deposit"), "10\\*\\*27")
    refused(lambda: ledger.post(legs, type="deposit"), "10\\*\\*27")


@pytest.mark.parametrize("money", [12.5, 1250, "12.50 EUR", None, Decimal(1)], ids=shown)
def test_fault_45_money_is_money(ledger: Ledger, money: Any) -> None:
    """A bare number is no money, a float least of all."""
    refused(lambda: ledger.append(credit("user:42", money), type="deposit"), "money is a")
    refused(lambda: ledger.post([debit("a", money), credit("b", money)], type="t"), "money is a")


@pytest.mark.parametrize("currency", ["XYZ", "XAU", "BTC"])
def test_fault_45_unknown_currencies_are_refused_everywhere(ledger: Ledger, currency: str) -> None:
    """A code that neither ISO 4217 nor the settings know holds no money and has no balance."""
    money = Money(1, currency)
    calls: list[Callable[[], object]] = [
        lambda: ledger.append(credit("user:42", money), type="deposit"),
        lambda: ledger.post([debit("a", money), credit("b", money)], type="t"),
        lambda: ledger.balance("user:42", currency),
        lambda: ledger.entries("user:42", currency=currency),
        lambda: ledger.entry("user:42", f"{ID}#00", currency=currency),
        lambda: ledger.money("1", currency),
        lambda: ledger.format(money),
    ]
    for call in calls:
        refused(call, f"currency {currency}")


@pytest.mark.parametrize(
    "at",
    [datetime(2026, 9, 21), "2026-09-21T00:00:00Z", 1_790_000_000, NOW.date(), 0, ""],  # noqa: DTZ001  # naive on purpose
    ids=shown,
)
def test_fault_45_times_have_a_zone(ledger: Ledger, at: Any) -> None:
    """A naive datetime is somebody's local time, nobody knows whose: refused, like texts and numbers."""
    refused(lambda: ledger.post(LEGS, type="deposit", effective_at=at), "effective_at")
    refused(lambda: ledger.append(LEGS[1], type="deposit", effective_at=at), "effective_at")
    refused(lambda: ledger.entries("user:42", since=at), "since")
    refused(lambda: ledger.entries("user:42", until=at), "until")


def test_fault_45_times_beyond_the_calendar_are_refused(ledger: Ledger) -> None:
    """The last day of the calendar in a zone to the west is no day in UTC."""
    at = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))
    refused(lambda: ledger.post(LEGS, type="deposit", effective_at=at), "range")


BAD_IDS: list[Any] = [
    "",
    ID.lower(),
    ID[:25],
    ID + "Z",
    "8" + ID[1:],  # more than 128 bits
    "Z" * 26,
    "0" * 26,
    ID[:10] + "I" + ID[11:],
    ID[:10] + "L" + ID[11:],
    ID[:10] + "O" + ID[11:],
    ID[:10] + "U" + ID[11:],
    ID[:25] + "\n",
    ID[:25] + "#",
    f"{ID}#00",
    "0190b5f0-7c3e-7cc3-98c4-dc0c0c07398f",
    None,
    26,
    ID.encode(),
]


@pytest.mark.parametrize("id", BAD_IDS, ids=shown)
def test_fault_46_an_id_has_one_canonical_form(ledger: Ledger, id: Any) -> None:
    """Lower case, I, L, O, U and too many bits are refused, not corrected: one id, one text."""
    refused(lambda: ledger.transaction(id), "id ")
    if id is not None:
        refused(lambda: ledger.post(LEGS, type="deposit", id=id), "id ")
        refused(lambda: ledger.append(LEGS[1], type="deposit", id=id), "id ")


@pytest.mark.parametrize(
    "entry_id",
    [
        "",
        ID,
        f"{ID}#",
        f"{ID}#0",
        f"{ID}#000",
        f"{ID.lower()}#00",
        f"{ID}#0٣",
        f"{ID}#00\n",
        None,
        1,
    ],
    ids=shown,
)
def test_fault_46_an_entrys_id_has_one_canonical_form(ledger: Ledger, entry_id: Any) -> None:
    """An entry's id is its transaction's and two ASCII digits."""
    refused(lambda: ledger.entry("user:42", entry_id), "entry id")


@pytest.mark.parametrize(
    "key", ["", "k" * (MAX_KEY_BYTES + 1), "ü" * 513, "\ud800", 42, b"key"], ids=shown
)
def test_fault_47_empty_and_oversized_keys_are_refused(ledger: Ledger, key: Any) -> None:
    """An idempotency key is 1 to 1,024 bytes of Unicode text, whatever characters it has."""
    refused(lambda: ledger.post(LEGS, type="deposit", idempotency_key=key), "idempotency_key")
    refused(lambda: ledger.transaction_by_key(key), "idempotency_key")


@pytest.mark.parametrize(
    "type_", ["", "a" * 65, "-a", "a b", "a#b", "ä", "a\n", 7, b"a"], ids=shown
)
def test_fault_47_types_are_labels(ledger: Ledger, type_: Any) -> None:
    """A type is a short label of ASCII letters, digits and a few marks."""
    refused(lambda: ledger.post(LEGS, type=type_), "type")
    refused(lambda: ledger.append(LEGS[1], type=type_), "type")


@pytest.mark.parametrize(
    "description",
    ["", "d" * (MAX_DESCRIPTION_BYTES + 1), "ü" * 513, SECRET + "\udfff", 42],
    ids=shown,
)
def test_fault_47_descriptions_are_bounded(ledger: Ledger, description: Any) -> None:
    """A description is 1 to 1,024 bytes; what it says is never in the message."""
    refused(lambda: ledger.post(LEGS, type="deposit", description=description), "description")
    refused(lambda: ledger.append(LEGS[1], type="deposit", description=description), "description")


def deep(levels: int) -> Any:
    """Metadata of that many levels."""
    return {"inner": deep(levels - 1)} if levels > 1 else {}


BAD_METADATA: list[Any] = [
    [("a", 1)],
    "{}",
    {"price": 12.5},
    {"price": float("nan")},
    {"prices": [SECRET, 1, 2.5]},
    {"at": NOW},
    {"amount": Decimal(1)},
    {"raw": SECRET.encode()},
    {"money": EUR},
    {1: "one"},
    {"inner": {None: "nothing"}},
    {"inner": {"names": {SECRET}}},
    {"inner": MappingProxyType({"a": 1})},
    {"note": SECRET + "\ud800"},
    {"note": "x" * MAX_METADATA_BYTES},
    {"note": "ü" * (MAX_METADATA_BYTES // 2)},
    {"number": LONG},
    pytest.param({"numbers": [1, {"deeper": -LONG}]}, id="a long number within"),
    deep(MAX_METADATA_DEPTH + 1),
]


@pytest.mark.parametrize("metadata", BAD_METADATA, ids=shown)
def test_fault_47_metadata_is_bounded_json_without_floats(ledger: Ledger, metadata: Any) -> None:
    """What has no one canonical form, or too much of it, is refused; its values are never named."""
    refused(lambda: ledger.post(LEGS, type="deposit", metadata=metadata), "metadata")


def test_metadata_that_contains_itself_is_refused(ledger: Ledger) -> None:
    """An endless value ends at the depth that is allowed."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    refused(lambda: ledger.post(LEGS, type="deposit", metadata=endless), "deeper than")


@pytest.mark.parametrize(
    "trace",
    ["request", [1], {"a": 1, 2: "b"}, {"a": b"1"}, {"a": LONG}, {"a": {NOW}}],
    ids=shown,
)
def test_a_trace_is_fields_of_a_log_line(ledger: Ledger, trace: Any) -> None:
    """What no log line can hold is refused before the write, not after it has committed."""
    refused(lambda: ledger.post(LEGS, type="deposit", trace=trace), "trace")
    refused(lambda: ledger.append(LEGS[1], type="deposit", trace=trace), "trace")


@pytest.mark.parametrize("entries", [None, 7, "ab", LEGS[0], iter(LEGS), set(), {}], ids=shown)
def test_entries_are_a_list(ledger: Ledger, entries: Any) -> None:
    """A generator can be read but once, and a retry could not read it again."""
    refused(lambda: ledger.post(entries, type="deposit"), "entries is a")


@pytest.mark.parametrize("entry", ["user:42", None, ("user:42", "credit", EUR), b"ab"], ids=shown)
def test_an_entry_is_a_credit_or_a_debit(ledger: Ledger, entry: Any) -> None:
    """Neither a tuple nor a name is an entry."""
    refused(lambda: ledger.post([entry, LEGS[1]], type="deposit"), "entry is a")
    refused(lambda: ledger.append(entry, type="deposit"), "expected credit")


def test_a_leg_goes_in_or_out(ledger: Ledger) -> None:
    """A leg made by hand with another direction is refused."""
    odd: Any = "sideways"
    refused(lambda: ledger.append(Leg("user:42", odd, EUR), type="deposit"), "expected credit")


@pytest.mark.parametrize("count", [0, 1, MAX_ENTRIES + 1, 1000])
def test_a_transaction_has_two_to_ninety_entries(ledger: Ledger, count: int) -> None:
    """One entry is an append, and more than 90 do not fit one call: the message says what to do."""
    legs = [LEGS[place % 2] for place in range(count)]
    refused(lambda: ledger.post(legs, type="deposit"), f"has {count} entries: expected 2 to 90")


def test_an_unbalanced_transaction_says_by_how_much_in_which_currency(ledger: Ledger) -> None:
    """The excess of credits is named for each currency that is off, and for no other."""
    legs = [
        debit("world:card", Money(1000, "EUR")),
        credit("user:42", Money(1250, "EUR")),
        debit("user:42", Money(7, "PTS")),
        debit("world:card", Money(5, "USD")),
        credit("user:42", Money(5, "USD")),
    ]
    with pytest.raises(InvalidRequest, match=r"exceed debits by 2\.50 EUR, -7 PTS: ") as error:
        ledger.post(legs, type="deposit")
    assert "USD" not in str(error.value)


@many
@given(amounts=st.lists(st.integers(1, 10**27), min_size=2, max_size=90), data=st.data())
def test_only_what_sums_to_zero_is_sent(amounts: list[int], data: st.DataObject) -> None:
    """Whatever the amounts and directions: sent if and only if credits and debits are equal."""
    signs = data.draw(st.lists(st.sampled_from([1, -1]), min_size=len(amounts), max_size=90))
    sides = list(zip(amounts, signs, strict=False))
    total = sum(amount * sign for amount, sign in sides)
    if data.draw(st.booleans()) and 1 <= abs(total) <= 10**27 and len(sides) < MAX_ENTRIES:
        sides.append((abs(total), -1 if total > 0 else 1))
        total = 0
    legs = [(credit if sign > 0 else debit)("a", Money(amount, "EUR")) for amount, sign in sides]
    with pytest.raises(NoCall if total == 0 else InvalidRequest):
        unplugged().post(legs, type="t")


def test_a_call_takes_entries_or_a_transaction_not_both(ledger: Ledger) -> None:
    """A Transaction has its own fields; what is passed beside it would be lost, so it is refused."""
    whole = Transaction(entries=LEGS, type="deposit")
    refused(lambda: ledger.post(whole, type="deposit", id=ID), "type, id: a Transaction carries")
    refused(lambda: ledger.post(LEGS), "type is missing")
    with pytest.raises(NoCall):
        ledger.post(whole)


def test_a_transfer_goes_somewhere(ledger: Ledger) -> None:
    """From an account to itself nothing would move."""
    refused(
        lambda: ledger.transfer(source="a", destination="a", money=EUR, type="t"), "one account"
    )


def test_historical_is_said_of_an_id(ledger: Ledger) -> None:
    """A new id is never historical."""
    refused(lambda: ledger.post(LEGS, type="deposit", historical=True), "historical")
    refused(lambda: ledger.append(LEGS[1], type="deposit", historical=True), "historical")


@pytest.mark.parametrize("limit", [0, -1, 1001, 10.0, "10", True, None, LONG], ids=shown)
def test_a_page_has_a_limit(ledger: Ledger, limit: Any) -> None:
    """Pages hold 1 to 1,000 items."""
    refused(lambda: ledger.entries("user:42", limit=limit), "limit")
    refused(lambda: ledger.accounts(limit=limit), "limit")


def test_a_balance_is_fresh_or_the_views(ledger: Ledger) -> None:
    """An unknown consistency is refused, and so is a receipt that is none."""
    odd: Any = "eventual"
    refused(lambda: ledger.balance("user:42", "EUR", consistency=odd), 'expected "fresh" or "view"')
    refused(lambda: ledger.balance("user:42", "EUR", including=odd), "receipt")


def test_errors_carry_what_the_call_had(ledger: Ledger) -> None:
    """A refused call's error has the id and key of the call, so that a handler knows which it was."""
    with pytest.raises(InvalidRequest) as error:
        ledger.post(LEGS[:1], type="deposit", id=ID, idempotency_key="k-1")
    assert (error.value.id, error.value.idempotency_key) == (ID, "k-1")
    assert not error.value.retryable
    with pytest.raises(InvalidRequest) as error:
        ledger.append(LEGS[0], type="", id=ID)
    assert error.value.id == ID


def test_what_is_wrong_with_one_of_many_is_its_own_outcome(ledger: Ledger) -> None:
    """post_many refuses each bad transaction before any call, with its own id and key."""
    many: list[Any] = [
        Transaction(entries=LEGS[:1], type="deposit", id=ID, idempotency_key="k-1"),
        "no transaction",
        Transaction(entries=LEGS, type="deposit", metadata={"price": 1.5}),
    ]
    with pytest.raises(NoCall):
        ledger.post_many([*many, Transaction(entries=LEGS, type="deposit")])
    outcomes: list[Any] = ledger.post_many(many)
    assert [type(outcome) for outcome in outcomes] == [InvalidRequest] * 3
    assert (outcomes[0].id, outcomes[0].idempotency_key) == (ID, "k-1")
    assert "expected a Transaction" in str(outcomes[1])
    assert (outcomes[2].id, outcomes[2].idempotency_key) == (None, None)
    assert ledger.post_many([]) == []
