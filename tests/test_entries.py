"""entries: an account's events in the order of their ids, by range of time, page by page; entry: one of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import Entry, InvalidRequest, Ledger, Money, NotFound, Page, credit, debit, ids
from ledger.items import BadItem, entry_item
from ledger.read import cursor as cursors
from ledger.read import log
from ledger.read.entries import Listing
from tests.support.house import START, House
from tests.support.samples import deposit, eur, id_at, operations

T0 = datetime.fromtimestamp(START, UTC)
CURRENCIES = ("EUR", "USD", "JPY")


def at(milliseconds: float) -> datetime:
    """A time after the set clock's beginning."""
    return T0 + timedelta(milliseconds=milliseconds)


def fill(house: House, seed: int = 0, count: int = 16) -> list[Entry]:
    """Appends in three currencies, several in one millisecond, in the order of their places."""
    chance = random.Random(seed)
    found: list[Entry] = []
    for number in range(count):
        id = ids.mint(int(START * 1000) + chance.randint(0, 9), number.to_bytes(10, "big") or b"")
        money = Money(number + 1, chance.choice(CURRENCIES))
        found += house.ledger.append(credit("user:42", money), type="t", id=id).entries
    twice = found[0]
    other = next(code for code in CURRENCIES if code != twice.currency)
    same_id = credit("user:42", Money(999, other))
    found += house.ledger.append(same_id, type="t", id=twice.transaction_id).entries
    return sorted(found, key=lambda entry: (entry.id, entry.currency))


def read_all(ledger: Ledger, limit: int, **wanted: Any) -> list[Page[Entry]]:
    """Page after page to the end."""
    pages: list[Page[Entry]] = []
    cursor = None
    while True:
        page = ledger.entries("user:42", limit=limit, cursor=cursor, **wanted)
        pages.append(page)
        assert len(page) <= limit
        if page.cursor is None:
            return pages
        assert len(page) == limit
        cursor = page.cursor


def entries_of(pages: list[Page[Entry]]) -> list[Entry]:
    """Those of all pages."""
    return [entry for page in pages for entry in page]


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
def test_every_entry_comes_once_and_in_order(house: House, newest_first: bool) -> None:
    """Whatever the limit, currency and range: the pages are the model's list, cut."""
    written = fill(house)
    chance = random.Random(int(newest_first))
    cases: list[tuple[int, dict[str, Any]]] = [(1, {}), (7, {}), (16, {}), (17, {}), (1000, {})]
    cases += [(chance.choice([2, 5, 50]), _some_range(chance)) for _ in range(8)]
    for limit, wanted in cases:
        expected = [entry for entry in written if _matches(entry, wanted)]
        if newest_first:
            expected.reverse()
        pages = read_all(house.ledger, limit, newest_first=newest_first, **wanted)
        assert entries_of(pages) == expected, wanted


def _some_range(chance: random.Random) -> dict[str, Any]:
    bounds = sorted(chance.choice([-1, 0, 0.5, 3, 3.001, 4, 9, 9.999, 10]) for _ in range(2))
    return {
        "currency": chance.choice([None, *CURRENCIES]),
        "since": chance.choice([None, at(bounds[0])]),
        "until": chance.choice([None, at(bounds[1])]),
    }


def _matches(entry: Entry, wanted: dict[str, Any]) -> bool:
    since, until = wanted.get("since"), wanted.get("until")
    return (
        wanted.get("currency") in (None, entry.currency)
        and (since is None or entry.recorded_at >= since)
        and (until is None or entry.recorded_at < until)
    )


def test_a_range_begins_at_since_and_ends_before_until(house: House) -> None:
    """Half open, to the millisecond of the ids; a bound between two milliseconds takes the later."""
    first, second = (
        house.ledger.append(credit("user:42", eur(1)), type="t", id=id_at(ms / 1000)).entries[0]
        for ms in (100, 101)
    )
    cases: list[tuple[float, float, list[Entry]]] = [
        (100, 101, [first]),
        (100, 102, [first, second]),
        (101, 102, [second]),
        (100.001, 102, [second]),
        (99.999, 100.001, [first]),
        (100, 100, []),
        (101, 100, []),
        (101.001, 500, []),
        (0, 100, []),
    ]
    for since, until, expected in cases:
        found = house.ledger.entries("user:42", since=at(since), until=at(until))
        assert list(found) == expected, (since, until)


def test_a_range_in_another_zone_is_the_same_range(house: House) -> None:
    """A bound is a moment, whatever zone it is said in."""
    house.ledger.append(credit("user:42", eur(1)), type="t", id=id_at(0.1))
    zone = at(100).astimezone().tzinfo
    assert len(house.ledger.entries("user:42", since=at(100).astimezone(zone))) == 1


def test_a_page_is_a_sequence(house: House) -> None:
    """Length, iteration, indices, slices; and at the end there is no cursor."""
    written = fill(house, count=4)
    page = house.ledger.entries("user:42")
    assert (len(page), list(page), page[0], page[-1]) == (5, written, written[0], written[-1])
    assert list(page[1:3]) == written[1:3]
    assert page.cursor is None
    assert written[2] in page


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_cursor_outlives_the_process_and_sees_what_came_meanwhile(
    house: House, newest_first: bool
) -> None:
    """Another process goes on right after the last entry, with none twice and none left out."""
    written = fill(house)
    wanted = list(reversed(written)) if newest_first else written
    page = house.ledger.entries("user:42", newest_first=newest_first, limit=10)
    late = house.ledger.append(
        credit("user:42", eur(5)), type="t", id=id_at(-10 if newest_first else 2)
    )
    following = Ledger(house.new_runtime()).entries(
        "user:42", newest_first=newest_first, limit=100, cursor=page.cursor
    )
    assert [*page, *following] == [*wanted, *late.entries]


def test_a_cursor_belongs_to_its_listing(house: House) -> None:
    """Another account, currency, range or order refuses it, and the message says why."""
    fill(house, count=6)
    cursor = house.ledger.entries("user:42", limit=2, since=at(0), until=at(50)).cursor
    same: dict[str, Any] = {"account": "user:42", "since": at(0), "until": at(50)}
    zone = at(0).astimezone().tzinfo
    assert house.ledger.entries(**same | {"since": at(0).astimezone(zone)}, cursor=cursor)
    changes: list[dict[str, Any]] = [
        {"account": "user:43"},
        {"currency": "EUR"},
        {"since": at(1)},
        {"until": None},
        {"newest_first": True},
    ]
    for change in changes:
        with pytest.raises(InvalidRequest, match="another listing"):
            house.ledger.entries(**same | change, cursor=cursor)


def test_a_page_reads_no_more_than_it_shows(house: House) -> None:
    """One query of one currency, bounded by the limit and not by the account's history."""
    for number in range(8):
        house.ledger.append(credit("user:42", eur(1)), type="t", id=id_at(number / 10, number + 1))
    house.faults.heal()
    house.ledger.entries("user:42", currency="EUR", limit=2)
    ((operation, parameters),) = house.faults.calls
    assert operation == "query"
    assert parameters["ConsistentRead"]
    assert parameters["Limit"] <= 4


def test_entries_are_read_consistently(house: House) -> None:
    """What a write has answered is in the next listing: all queries are strongly consistent."""
    fill(house, count=3)
    house.faults.heal()
    house.ledger.entries("user:42")
    assert all(parameters["ConsistentRead"] for _, parameters in house.faults.calls)


def test_a_forged_cursor_beyond_the_range_finds_nothing(house: House) -> None:
    """A position that the range does not have is no way out of it, in either order."""
    fill(house, count=3)
    for newest_first, position in ((False, id_at(2)), (True, id_at(-60))):
        listing = Listing("user:42", None, at(0), at(50), newest_first)
        cursor = cursors.encode(listing.identity(), [f"{position}#00", "EUR"])
        found = house.ledger.entries(
            "user:42", since=at(0), until=at(50), newest_first=newest_first, cursor=cursor
        )
        assert (list(found), found.cursor) == ([], None)


# One entry


def test_an_entry_is_found_by_the_id_of_its_receipt(house: House) -> None:
    """Each place of a transaction by itself, with or without its currency."""
    receipt = house.ledger.post(deposit(), type="deposit", description="d")
    for entry in receipt.entries:
        assert house.ledger.entry(entry.account, entry.id) == entry
        assert house.ledger.entry(entry.account, entry.id, currency="EUR") == entry
    with pytest.raises(NotFound) as error:
        house.ledger.entry("user:42", receipt.entries[0].id)
    assert error.value.id == receipt.id
    with pytest.raises(NotFound):
        house.ledger.entry("user:42", receipt.entries[1].id, currency="USD")
    with pytest.raises(NotFound):
        house.ledger.entry("nobody", receipt.entries[1].id)


def test_an_id_in_two_currencies_needs_its_currency(house: House) -> None:
    """Two appends may share an id on one account: which one is meant must be said."""
    id = house.ledger.new_id()
    for money in (eur(1), Money(2, "USD")):
        house.ledger.append(credit("user:42", money), type="t", id=id)
    with pytest.raises(InvalidRequest, match="in EUR and USD: pass currency="):
        house.ledger.entry("user:42", f"{id}#00")
    found = house.ledger.entry("user:42", f"{id}#00", currency="USD")
    assert found.money == Money(2, "USD")


# What others put into the log


def put(house: House, **change: Any) -> Entry:
    """An entry whose item was changed by hand; None leaves an attribute out."""
    entry = house.ledger.append(debit("user:42", eur(5)), type="t").entries[0]
    item = {n: v for n, v in (entry_item(entry) | change).items() if v is not None}
    house.faults.put_item(TableName=house.settings.events_table, Item=item)
    return entry


BROKEN: list[dict[str, Any]] = [
    {"v": None},
    {"v": {"N": "99"}},
    {"direction": {"S": "sideways"}},
    {"direction": None},
    {"amount_minor": {"N": "1.5"}},
    {"amount_minor": {"S": "5"}},
    {"pending_minor": None},
    {"fingerprint": None},
    {"fingerprint": {"S": "text"}},
    {"effective_at": {"S": "soon"}},
    {"counterparties": {"S": "shop:7"}},
    {"transaction": {"S": id_at()}},
    {"transaction": None},
    {"currency": {"S": "USD"}},
]


@pytest.mark.parametrize("change", BROKEN, ids=str)
def test_an_entry_that_cannot_be_understood_is_never_guessed_at(
    house: House, change: dict[str, Any]
) -> None:
    """By entry, entries and balance: an error that calls the operator, without the item's values."""
    entry = put(house, description={"S": "secret"}, **change)
    reads: list[Callable[[], object]] = [
        lambda: house.ledger.entry("user:42", entry.id),
        lambda: list(house.ledger.entries("user:42")),
        lambda: house.ledger.balance("user:42", "EUR"),
    ]
    for read in reads:
        with pytest.raises(BadItem, match=r"bad item|unknown version") as bad:
            read()
        assert "secret" not in str(bad.value)


def test_a_key_that_is_no_entrys_does_not_trap_a_reader(house: House) -> None:
    """Items injected beside the entries: the currencies are listed once each, and it ends."""
    house.ledger.append(credit("user:42", eur(5)), type="t")
    for sort in ("EVENT#", "EVENT#EUR#~~", "EVENT#EUR", "EVENT#USD#", "EVENT#x"):
        key = {"PK": {"S": "ACCOUNT#user:42"}, "SK": {"S": sort}}
        house.faults.put_item(TableName=house.settings.events_table, Item=key)
    house.faults.heal()
    found = log.currencies(house.runtime, "user:42")
    assert len(found) == len(set(found))
    assert {"EUR", "USD"} <= set(found)
    assert len(operations(house)) <= 8
