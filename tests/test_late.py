"""Late events: below `through`, each goes once into the page that covers it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ledger import ids, keys
from ledger.metering import item_bytes
from projector import late
from projector.apply import apply
from projector.fold import MAX_FOLD
from projector.seal import ID_BYTES, MIN_SEAL
from projector.tally import Tally
from tests.support.house import House
from tests.support.stage import entries, entry, small_caps, write


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small_caps(monkeypatch)


def with_two_pages(house: House) -> list[Any]:
    """Pages that end at -30 and at -10, with three ids each; the records."""
    records = write(house, entries("a", [-50, -40, -30]))
    house.project(records)
    newer = write(house, entries("a", [-25, -20, -10]))
    house.project(newer)
    assert [len(page.ids) for page in house.pages("a")] == [3, 3]
    house.faults.heal()
    return [*records, *newer]


def operations(house: House) -> list[str]:
    """What was asked of DynamoDB."""
    return [name for name, _ in house.faults.calls]


@pytest.mark.usefixtures("low_limits")
def test_29_a_late_event_is_applied_once(house: House) -> None:
    """The refused update, one small query, one transaction; and the next time it is a duplicate."""
    with_two_pages(house)
    records = write(house, [entry("a", -35, -7)])
    assert house.project(records).tally == Tally(applied=1, late=1)
    assert operations(house) == ["update_item", "query", "transact_write_items"]
    assert [len(page.ids) for page in house.pages("a")] == [4, 3]
    assert house.image("a").lates == 1
    house.assert_view_is_right()

    house.faults.heal()
    assert house.project(records).tally == Tally(duplicates=1)
    assert operations(house) == ["update_item", "query"]
    house.assert_view_is_right()


@pytest.mark.usefixtures("low_limits")
def test_29_a_duplicate_after_its_page_was_sealed_has_no_effect(house: House) -> None:
    """Each of the sealed records again, alone: one query each, no write that holds."""
    records = with_two_pages(house)
    for one in records:
        assert house.project([one]).tally == Tally(duplicates=1)
    assert house.image("a").lates == 0
    house.assert_view_is_right()


@pytest.mark.usefixtures("low_limits")
def test_29_late_duplicate_and_new_in_one_batch(house: House) -> None:
    """Each is told apart: two pages, two transactions, and one update for what is new."""
    old = with_two_pages(house)
    records = write(house, entries("a", [-45, -22, -1], signed=9))
    assert house.project([*records, old[0]]).tally == Tally(applied=3, late=2, duplicates=1)
    assert operations(house).count("transact_write_items") == 2
    assert [len(page.ids) for page in house.pages("a")] == [4, 4]
    house.assert_view_is_right()


@pytest.mark.usefixtures("low_limits")
def test_an_id_that_is_through_itself_is_in_its_page(house: House) -> None:
    """A page's range ends with its own id, and the next begins above it."""
    records = with_two_pages(house)
    through = house.pages("a")[0].through
    assert house.project([records[2]]).tally == Tally(duplicates=1)
    just_above = write(house, [entry("a", -30, 5, number=ids.packed_time_ms(through) % 97 + 50)])
    assert house.project(just_above).tally.late == 1
    assert [len(page.ids) for page in house.pages("a")] == [3, 4]
    house.assert_view_is_right()


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("gone", [0, 1])
def test_a_page_that_someone_removed_is_named_and_nothing_is_applied_twice(
    house: House, caplog: pytest.LogCaptureFixture, gone: int
) -> None:
    """Whether the last page is missing or one below another: the record waits in quarantine."""
    with_two_pages(house)
    page = house.pages("a")[gone]
    key = {
        "PK": {"S": keys.account("a")},
        "SK": {"S": keys.page("EUR", page.generation, ids.unpack(page.through))},
    }
    house.faults.delete_item(TableName=house.settings.balances_table, Key=key)
    entries_before = house.image("a").sums.entries
    records = write(house, [entry("a", [-35, -15][gone], -7)])
    result = house.project(records)
    assert result.failed_from is None
    assert result.tally == Tally(quarantined=1)
    assert house.image("a").sums.entries == entries_before
    (kept,) = house.items("quarantine")
    assert "rebuild" in kept["reason"]["S"]
    assert "a in EUR" in kept["reason"]["S"]


def test_33_hours_of_late_events_for_one_account(house: House) -> None:
    """A region returns after two hours: pages split, no item outgrows its limit, no event costs more.

    What the account did here meanwhile is sealed; 1,080 events of between come in the order of the
    other region's stream.
    """
    own = [entry("a", -7200 + 180 * n, 100, number=n) for n in range(MIN_SEAL)]
    house.project(write(house, own))
    assert len(house.pages("a")) == 1
    assert not house.image("a").open
    chance = random.Random(33)
    seconds = sorted(-7200 + 7000 * chance.random() for _ in range(1080))
    returning = [entry("a", s, -1, number=1000 + n) for n, s in enumerate(seconds)]
    write(house, returning)

    meter, total, prices = house.meter(), Tally(), []
    for start in range(0, len(returning), MAX_FOLD):
        before = meter.total
        batch = {ids.pack(one.id): one for one in returning[start : start + MAX_FOLD]}
        total += apply(house.runtime, "a", "EUR", batch)
        prices.append((meter.total - before).write_units / MAX_FOLD)

    assert total.applied == total.late == 1080
    assert total.splits >= 2
    assert max(len(page.ids) for page in house.pages("a")) <= late.MAX_PAGE_IDS
    # Between a late event and its split a page holds one batch more than it may.
    most = late.MAX_PAGE_BYTES + ID_BYTES * MAX_FOLD
    assert all(item_bytes(item) <= most for item in house.items("balances"))
    assert max(prices) < 1.0
    assert sum(prices[-6:]) / 6 < 0.4
    house.assert_view_is_right()
