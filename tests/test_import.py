"""Import: every row of a file exactly once, however often it is imported and wherever it was killed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import IdempotencyConflict, Misconfigured
from ledger.importer import import_file
from ledger.importer import run as importer
from tests.conftest import NewHouse
from tests.support import statements
from tests.support.desk import Desk
from tests.support.faults import Fault, Killed
from tests.support.house import House
from tests.support.statements import line, statement, totals

CHUNK = 4


@pytest.fixture
def desk(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose imports have four rows in memory at a time."""
    monkeypatch.setattr(importer, "CHUNK_ROWS", CHUNK)
    return Desk(house, tmp_path)


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_every_row_goes_in_once(desk: Desk, name: str) -> None:
    """Plain or gzip, told by the content; imported again it adds nothing, and says so."""
    lines = [line(n) for n in range(1, 11)]
    path = statement(desk.folder / name, lines)
    path = path.rename(desk.folder / "no-suffix-that-helps")

    first, second = desk.run(path), desk.run(path)

    assert (first.rows, first.imported, first.replayed) == (10, 10, 0)
    assert (second.rows, second.imported, second.replayed) == (10, 0, 10)
    assert (first.finished, first.line, first.rejected) == (True, 11, 0)
    assert not desk.rejects.exists()
    assert desk.posted() == dict(totals(lines))


def test_a_row_is_an_entry_of_its_own_day(desk: Desk) -> None:
    """The business time is the row's, in UTC; the id is of that time; the header names the row."""
    path = statement(desk.folder / "rows.csv", [line(7, day="2024-07-01")])
    desk.run(path, statements.mapping(zone="Europe/Prague"))

    (entry,) = desk.house.ledger.entries("client:3")

    assert entry.effective_at == entry.recorded_at == datetime(2024, 6, 30, 22, tzinfo=UTC)
    assert (entry.type, entry.description, entry.direction) == ("statement", "row 7", "credit")
    assert entry.counterparties == ("world:bank",)
    posted = desk.house.ledger.transaction(entry.transaction_id)
    assert posted.metadata == {"source": "test-bank", "row": "7"}


@pytest.mark.parametrize("fault", ["killed before", "killed after"])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_an_import_that_was_killed_is_finished_by_running_it_again(
    desk: Desk, chunk: int, fault: Fault
) -> None:
    """FAULTS 4: at any call, before or after it committed, nothing is lost and nothing is double."""
    lines = [line(n) for n in range(1, 11)]
    path = statement(desk.folder / "rows.csv", lines)
    desk.house.faults.once("transact_write_items", fault, skip=chunk + 1)

    with pytest.raises(Killed):
        desk.run(path)
    desk.house.faults.heal()
    again = desk.run(path)

    assert (again.imported + again.replayed, again.rejected) == (10, 0)
    assert desk.posted() == dict(totals(lines))
    assert desk.run(path).replayed == 10


def test_a_row_that_stands_twice_counts_once(desk: Desk) -> None:
    """Word for word it is passed over; with other content, even another date, it is rejected."""
    lines = [line(1), line(2), line(1), line(2, sum="99.00"), line(3), line(1, day="2024-02-01")]
    path = statement(desk.folder / "rows.csv", lines)

    summary = desk.run(path)

    assert (summary.imported, summary.repeated, summary.rejected) == (3, 1, 2)
    reason = "its id stood on line {} already, with other content"
    assert desk.rejected() == [(5, reason.format(3)), (7, reason.format(2))]
    assert desk.posted() == dict(totals([line(1), line(2), line(3)]))


def test_a_row_that_changed_since_is_a_conflict(desk: Desk) -> None:
    """FAULTS 2: the ledger keeps what it has; the other content is a reject that names the fields."""
    desk.run(statement(desk.folder / "rows.csv", [line(1), line(2)]))
    changed = desk.run(statement(desk.folder / "rows.csv", [line(1, sum="9.00"), line(2)]))
    assert (changed.imported, changed.replayed, changed.rejected) == (0, 1, 1)
    ((number, reason),) = desk.rejected()
    assert number == 2
    assert reason.startswith(f"{IdempotencyConflict.__name__}: ")
    assert "entries[0].amount_minor" in reason
    assert desk.posted() == dict(totals([line(1), line(2)]))


def test_with_claimed_keys_a_corrected_date_is_a_conflict_too(desk: Desk) -> None:
    """Without them a row with another date is another row: its id is made from its date."""
    first = statement(desk.folder / "first.csv", [line(1)])
    second = statement(desk.folder / "second.csv", [line(1, day="2024-03-01")])
    keys = statements.mapping(claim_keys=True)
    assert desk.run(first, keys).imported == 1
    assert (desk.run(first, keys).replayed, desk.run(second, keys).rejected) == (1, 1)
    assert desk.run(second).imported == 1


def test_what_may_succeed_later_is_tried_again_and_then_left_unfinished(desk: Desk) -> None:
    """FAULTS 9: it waits longer each time, stops, and another import finishes it."""
    lines = [line(n) for n in range(1, 11)]
    path = statement(desk.folder / "rows.csv", lines)
    desk.run(statement(desk.folder / "first.csv", lines[:CHUNK]))
    desk.house.faults.always("transact_write_items", "throttled")

    stopped = desk.run(path)

    assert (stopped.finished, stopped.unfinished, stopped.rejected) == (False, CHUNK, 0)
    assert (stopped.rows, stopped.line) == (CHUNK, 0)
    assert desk.slept == [1, 2, 4, 8]
    desk.house.faults.heal()
    assert desk.run(path).finished
    assert desk.posted() == dict(totals(lines))


def test_a_short_outage_is_waited_out(desk: Desk) -> None:
    """FAULTS 3: replies are lost for a while: the import goes on, and counts nothing twice."""
    lines = [line(n) for n in range(1, 7)]
    path = statement(desk.folder / "rows.csv", lines)
    outage: list[Fault] = ["time-out"] * desk.house.settings.attempts
    desk.house.faults.script("transact_write_items", "none", *outage)

    summary = desk.run(path)

    assert (summary.imported + summary.replayed, summary.finished) == (6, True)
    assert desk.slept == [1]
    assert desk.posted() == dict(totals(lines))


def test_a_missing_table_ends_the_import(new_house: NewHouse, tmp_path: Path) -> None:
    """Nothing else would go in either: it is no reject of every row."""
    house = new_house()
    nowhere = house.new_runtime(events_table="no-such-table")
    path = statement(tmp_path / "rows.csv", [line(1)])
    with pytest.raises(Misconfigured):
        import_file(
            type(house.ledger)(nowhere),
            path,
            statements.mapping(),
            rejects=tmp_path / "rejects.csv",
        )


def test_undeclared_accounts_are_rejected(new_house: NewHouse, tmp_path: Path) -> None:
    """With declared accounts a typo in a file must not hold money."""
    desk = Desk(new_house(accounts="declared"), tmp_path)
    for account in ("world:bank", "client:1"):
        desk.house.ledger.open_account(account)
    summary = desk.run(statement(tmp_path / "rows.csv", [line(1), line(2)]))
    assert (summary.imported, summary.rejected) == (1, 1)
    assert desk.rejected()[0][1].startswith("NotFound: account client:2 is not declared")


def test_world_accounts_are_spread_by_the_row(desk: Desk) -> None:
    """The same row has the same account whenever it is imported, and no account has them all."""
    spread = statements.mapping(counter_account="world:bank/{spread 4}")
    path = statement(desk.folder / "rows.csv", [line(n) for n in range(1, 25)])
    desk.run(path, spread)
    assert desk.run(path, spread).replayed == 24
    assert len(desk.house.ledger.accounts(prefix="world:bank/")) == 4
