"""Splits: a page that has grown too large becomes two, which together are what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger import ids, keys
from ledger.items import entry_item
from ledger.model import Entry
from ledger.view import PageImage, Sums
from projector import late
from projector.late import split
from projector.tally import Tally
from tests.support.house import House
from tests.support.stage import entries, small_caps, write


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small_caps(monkeypatch)


def with_a_large_page(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """A page of eight ids, where six are the most; its entries, by id."""
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 8)
    own = entries("a", [-80, -60, -40, -10], signed=9)
    others = entries("a", [-70, -50, -30, -20], signed=-4)
    house.project(write(house, own))
    house.project(write(house, others))
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 6)
    assert [len(page.ids) for page in house.pages("a")] == [8]
    house.faults.heal()
    return sorted([*own, *others], key=lambda one: one.id)


def log_item(house: House, victim: Entry, change: dict[str, Any] | None) -> None:
    """Change an item of the log, or delete it."""
    item, table = entry_item(victim), house.settings.events_table
    key = {name: item[name] for name in ("PK", "SK")}
    if change is None:
        house.faults.delete_item(TableName=table, Key=key)
    else:
        house.faults.put_item(TableName=table, Item=item | change)


def the_page(house: House) -> PageImage:
    """The only one."""
    (page,) = house.pages("a")
    return page


def split_it(house: House) -> Tally:
    """Split the page as a late event would."""
    return split(house.runtime, "a", "EUR", the_page(house))


def test_33_a_page_is_parted_in_the_middle(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ids and sums are parted, its range too, the balance has them as before; `lates` tells readers."""
    with_a_large_page(house, monkeypatch)
    before = house.image("a")
    assert split_it(house) == Tally(splits=1)
    assert [len(page.ids) for page in house.pages("a")] == [4, 4]
    assert house.image("a") == replace(before, lates=before.lates + 1)
    house.assert_view_is_right()


def test_29_duplicates_and_late_events_find_the_half_that_covers_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a split as before it."""
    written = with_a_large_page(house, monkeypatch)
    split_it(house)
    assert house.project(write(house, written)).tally == Tally(duplicates=8)
    assert house.project(write(house, entries("a", [-75, -15]))).tally.late == 2
    assert [len(page.ids) for page in house.pages("a")] == [5, 5]
    house.assert_view_is_right()


def test_a_split_that_another_projector_has_done_is_not_done_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at the page first, and finds it small."""
    with_a_large_page(house, monkeypatch)
    seen = the_page(house)
    split_it(house)
    house.faults.heal()
    assert split(house.runtime, "a", "EUR", seen) == Tally()
    assert [name for name, _ in house.faults.calls] == ["query"]


def test_a_page_that_is_gone_is_not_split(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild has left its generation behind, and it has been deleted since."""
    with_a_large_page(house, monkeypatch)
    seen = the_page(house)
    key = {
        "PK": {"S": keys.account("a")},
        "SK": {"S": keys.page("EUR", seen.generation, ids.unpack(seen.through))},
    }
    house.faults.delete_item(TableName=house.settings.balances_table, Key=key)
    assert split(house.runtime, "a", "EUR", seen) == Tally()


@pytest.mark.parametrize("change", [None, {"amount_minor": {"N": "999"}}])
@pytest.mark.parametrize("place", [1, 6])
def test_32_a_suspect_stays_with_its_id(
    house: House, monkeypatch: pytest.MonkeyPatch, place: int, change: dict[str, Any] | None
) -> None:
    """What was altered or deleted before the seal is suspect in the half that has its id."""
    own = entries("a", [-80, -60, -40, -10], signed=9)
    records = write(house, own)
    victim = {1: own[0], 6: own[3]}[place]
    log_item(house, victim, change)
    assert house.project(records).tally.suspects == 1
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 8)
    house.project(write(house, entries("a", [-70, -50, -30, -20], signed=-4)))
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 6)
    before = the_page(house)
    assert before.suspects == {ids.pack(victim.id)}

    assert split_it(house) == Tally(splits=1)

    low, high = house.pages("a")
    with_it, without = (low, high) if place == 1 else (high, low)
    assert (with_it.suspects, without.suspects) == (before.suspects, frozenset())
    assert low.sums + high.sums == before.sums
    house.assert_view_is_right()


def test_32_what_was_altered_since_its_seal_comes_to_light_at_the_split(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It becomes suspect and is alarmed; the two halves add up to what the page was."""
    written = with_a_large_page(house, monkeypatch)
    victim, before = written[2], the_page(house)
    log_item(house, victim, None)
    assert split_it(house) == Tally(splits=1, suspects=1)
    low, high = house.pages("a")
    assert low.suspects == {ids.pack(victim.id)}
    assert low.sums.entries == 3
    assert low.sums + high.sums == before.sums
    assert victim.id in caplog.text
    house.assert_view_is_right()


def test_both_halves_keep_suspects(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set is parted as the ids are."""
    own = entries("a", [-80, -60, -40, -10], signed=9)
    records = write(house, own)
    for victim in (own[0], own[3]):
        log_item(house, victim, None)
    assert house.project(records).tally.suspects == 2
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 8)
    house.project(write(house, entries("a", [-70, -50, -30, -20], signed=-4)))
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 6)
    split_it(house)
    assert [page.suspects for page in house.pages("a")] == [
        {ids.pack(own[0].id)},
        {ids.pack(own[3].id)},
    ]
    assert the_sums(house) == Sums(credits=18, debits=16, entries=6)


def the_sums(house: House) -> Sums:
    """What all pages add up to."""
    return sum((page.sums for page in house.pages("a")), Sums())


def test_a_page_far_above_its_limit_is_parted_until_it_is_small(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Splits that a crash cut off are made up for by the late events that come next."""
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 100)
    house.project(write(house, entries("a", [-80, -60, -40, -10])))
    house.project(write(house, entries("a", (-79 + n / 2 for n in range(20)))))
    assert len(the_page(house).ids) == 24
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 6)
    for second in range(-77, -57):
        house.project(write(house, entries("a", [second + 0.1])))
    assert max(len(page.ids) for page in house.pages("a")) <= 6 + 1
    house.assert_view_is_right()
