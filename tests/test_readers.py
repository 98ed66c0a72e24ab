"""Readers beside a projector: an event is counted once, wherever it moves while they read."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest

from ledger import Contended, Receipt
from ledger.ids import FIRST
from ledger.model import Entry
from ledger.read.balance import with_pages
from ledger.view import BalanceImage, PageImage, page_image, pages_between
from projector import late, requests
from tests.support.faults import Fault
from tests.support.house import House, assert_sound
from tests.support.model import Books
from tests.support.rebuilt import rebuild
from tests.support.stage import NEXT, entries, interrupted, small_caps, write


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small_caps(monkeypatch)


def with_a_page(house: House, account: str) -> None:
    """The state from which `NEXT` starts."""
    house.project(write(house, entries(account, [-40, -30, -20, -10], signed=3)))
    house.project(write(house, entries(account, [-5])))
    assert len(house.pages(account)) == 1
    assert len(house.image(account).open) == 1


def oldest_first(house: House, account: str, seen: BalanceImage) -> list[PageImage]:
    """All pages below `through`, in one query."""
    request = pages_between(house.settings, account, "EUR", seen.generation, FIRST, seen.through)
    return [page_image(item) for items in house.runtime.store.pages(request) for item in items]


def newest_first(house: House, account: str, seen: BalanceImage) -> list[PageImage]:
    """The same, page by page from the newest."""
    request = pages_between(
        house.settings,
        account,
        "EUR",
        seen.generation,
        FIRST,
        seen.through,
        limit=1,
    )
    request.parameters["ScanIndexForward"] = False
    pages = [page_image(item) for items in house.runtime.store.pages(request) for item in items]
    return pages[::-1]


def read_whole(house: House, account: str, read: Any) -> None:
    """Balance and pages, as of one moment."""
    seen, pages = with_pages(house.runtime, account, "EUR", partial(read, house, account))
    assert_sound(seen, pages, house.books, account, "EUR")


@pytest.mark.parametrize(
    ("kind", "read"), [*((kind, oldest_first) for kind in NEXT), ("all", newest_first)]
)
def test_31_balance_and_pages_are_read_as_of_one_moment(house: House, kind: str, read: Any) -> None:
    """An apply, a seal, a late event or a split comes before any call of the reader."""
    for at in itertools.count():
        house.books, account = Books(), f"a{at}"
        with_a_page(house, account)
        coming = write(house, entries(account, NEXT[kind], signed=-11))
        reader = partial(read_whole, house, account, read)
        if not interrupted(house, at, reader, partial(house.project, coming)):
            break
    assert at > 2


def test_31_a_rebuild_while_balance_and_pages_are_read(house: House) -> None:
    """Pages of the old generation are never added to a balance of the new one."""
    for at in itertools.count():
        house.books, account = Books(), f"a{at}"
        with_a_page(house, account)
        reader = partial(read_whole, house, account, oldest_first)
        if not interrupted(house, at, reader, partial(rebuild, house, account)):
            break
    assert at > 2


@pytest.mark.parametrize("kind", NEXT)
def test_31_a_reader_between_any_two_calls_of_the_projector(house: House, kind: str) -> None:
    """Whatever the projector is at, balance and pages agree."""
    for at in itertools.count():
        house.books, account = Books(), f"a{at}"
        with_a_page(house, account)
        coming = write(house, entries(account, NEXT[kind], signed=-11))
        reader = partial(read_whole, house, account, oldest_first)
        if not interrupted(house, at, partial(house.project, coming), reader):
            break
    assert at >= 1


def never_moves_lates(monkeypatch: pytest.MonkeyPatch, builder: str) -> None:
    """From now on `builder` leaves `lates` as it is."""
    build = getattr(requests, builder)

    def weakened(*arguments: Any) -> Any:
        request = build(*arguments)
        balance = request.parameters["TransactItems"][-1]["Update"]
        balance["ExpressionAttributeValues"][":one"] = {"N": "0"}
        return request

    monkeypatch.setattr(requests, builder, weakened)


def test_31_without_lates_a_late_event_would_be_read_in_a_page_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lates` is what tells the reader to read once more."""
    with_a_page(house, "a")
    coming = write(house, entries("a", [-35]))
    never_moves_lates(monkeypatch, "late")
    reader = partial(read_whole, house, "a", oldest_first)
    with pytest.raises(AssertionError, match="sums of the balance"):
        interrupted(house, 1, reader, partial(house.project, coming))


def test_31_without_lates_a_split_would_be_read_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that comes from above has read the page whole, and then reads its lower half."""
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 7)
    with_a_page(house, "a")
    house.project(write(house, entries("a", [-36, -35, -34])))
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 6)
    (page,) = house.pages("a")
    never_moves_lates(monkeypatch, "split")
    reader = partial(read_whole, house, "a", newest_first)
    with pytest.raises(AssertionError, match="an id stands twice"):
        interrupted(house, 2, reader, partial(late.split, house.runtime, "a", "EUR", page))


def receipt(*written: Entry) -> Receipt:
    """The receipt that the writer of these has."""
    return Receipt(id=written[0].transaction_id, entries=written)


def assert_counts_all(house: House, account: str, own: list[Entry]) -> None:
    """The balance including one's own entries is that of all that is in the log."""
    balance = house.ledger.balance(account, "EUR", including=receipt(*own))
    credits_, debits, count = house.books.sums(account, "EUR")
    assert balance.posted.amount_minor == credits_ - debits
    assert balance.entry_count == count


@pytest.mark.parametrize("kind", NEXT)
def test_31_read_your_own_writes_while_they_are_applied(house: House, kind: str) -> None:
    """Not yet applied, applied meanwhile or before: one's own late entries count exactly once."""
    for at in itertools.count():
        house.books, account = Books(), f"a{at}"
        with_a_page(house, account)
        own = entries(account, NEXT[kind], signed=-11)
        coming = write(house, own)
        reader = partial(assert_counts_all, house, account, own)
        happened = interrupted(house, at, reader, partial(house.project, coming))
        assert_counts_all(house, account, own)
        if not happened:
            break
    assert at > 2


def test_31_the_fresh_balance_while_a_seal_moves_what_it_reads(house: House) -> None:
    """What lies above `through` counts once, in `open`, in a new page or in the log alone."""
    for at in itertools.count():
        house.books, account = Books(), f"a{at}"
        with_a_page(house, account)
        coming = write(house, entries(account, NEXT["seal"], signed=-11))

        def read(account: str = account) -> None:
            posted = house.ledger.balance(account, "EUR").posted.amount_minor
            assert (
                posted == house.books.sums(account, "EUR")[0] - house.books.sums(account, "EUR")[1]
            )

        if not interrupted(house, at, read, partial(house.project, coming)):
            break
    assert at > 1


def test_the_fresh_balance_lacks_late_entries_alone(house: House) -> None:
    """An entry below `through` that is not applied yet is in no default read, and in `including=`."""
    with_a_page(house, "a")
    own = entries("a", [-35], signed=1000)
    coming = write(house, own)
    assert house.ledger.balance("a", "EUR").posted.amount_minor == 4 * 3 + 100
    assert house.ledger.balance("a", "EUR", including=receipt(*own)).posted.amount_minor == 1112
    house.project(coming)
    assert house.ledger.balance("a", "EUR").posted.amount_minor == 1112


def test_a_reader_that_late_events_always_overtake_says_so(house: House) -> None:
    """It gives up after five tries, with an error that may be retried, and never with a mixture."""
    with_a_page(house, "a")
    own = entries("a", [-35.5])
    write(house, own)
    seconds = itertools.count(-29)

    def overtaken(_number: int, operation: str, _parameters: dict[str, Any]) -> Fault:
        if operation == "query":
            with house.faults.calm():
                house.project(write(house, entries("a", [next(seconds)])))
        return "none"

    house.faults.plan = overtaken
    with pytest.raises(Contended, match="try again"):
        house.ledger.balance("a", "EUR", including=receipt(*own))
