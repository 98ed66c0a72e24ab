"""Import: every row of a file exactly once, however often it is imported and wherever it was killed."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import IdempotencyConflict, InvalidRequest, Misconfigured
from ledger.importer import FileMapping, Summary, import_file
from ledger.importer import run as importer
from ledger.money import Currencies
from tests.conftest import NewHouse
from tests.support import statements
from tests.support.faults import Fault, Killed
from tests.support.house import House
from tests.support.statements import line, statement, totals

CHUNK = 4


class Desk:
    """Where files are imported: a house, a folder for the rejects, and the waits that were asked for."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.folder = folder
        self.rejects = folder / "rejects.csv"
        self.slept: list[float] = []

    def run(self, path: Path, mapping: FileMapping | None = None) -> Summary:
        """Import a file, as a process that knows no accounts."""
        ledger = type(self.house.ledger)(self.house.new_runtime())
        return import_file(
            ledger,
            path,
            mapping or statements.mapping(),
            rejects=self.rejects,
            sleep=self.slept.append,
        )

    def rejected(self) -> list[tuple[int, str]]:
        """The lines that were rejected, and why."""
        with self.rejects.open(newline="") as file:
            return [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]

    def posted(self) -> dict[str, int]:
        """What each client has by now, in cents."""
        ledger = self.house.ledger
        names = ledger.accounts(prefix="client:")
        return {name: ledger.balance(name, "EUR").posted.amount_minor for name in names}


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


def test_bad_rows_go_to_a_file_and_the_rest_goes_in(desk: Desk) -> None:
    """Each with its line and the reason; the line is of the file, not of the rows."""
    good = [line(1), line(2), line(3)]
    bad: list[tuple[statements.Line, str]] = [
        (line(4, id=""), "it has no id"),
        (line(5, sum="1,000.00"), "amount is '"),
        (line(6, sum="-1.00"), "the amount is negative"),
        (line(7, sum="0.00"), "amount_minor is 0"),
        (line(8, sum="1.005"), "amount has 3 decimals"),
        (line(9, side="sideways"), "direction is 'sideways'"),
        (line(10, day="01.01.2024"), "date is '01.01.2024'"),
        (line(11, day="1969-12-31"), "date is before 1970"),
        (line(12, client="a b"), "account 'client:a b'"),
        (line(13, client=""), "it has nothing for account: client:{client}"),
        ([14, 1], "it has 2 fields, the file has 6 columns"),
        (line(15, day="2999-01-01"), "InvalidRequest: id "),
        (line(16, note='"a"b'), "the line is no row"),
    ]
    path = desk.folder / "rows.csv"
    statement(path, [good[0], good[1], *(row for row, _ in bad), good[2]])
    text = path.read_text().replace('"1,000.00"', "1,000.00")
    path.write_text(text.replace("5,1,2024-01-06,in,1,000.00", '5,1,2024-01-06,in,"1,000.00"'))

    summary = desk.run(path)

    assert (summary.rows, summary.imported, summary.rejected) == (16, 3, 13)
    rejected = sorted(desk.rejected())
    assert [number for number, _ in rejected] == list(range(4, 17))
    for (_, reason), (_, says) in zip(rejected, bad, strict=True):
        assert reason.startswith(says)
    assert desk.posted() == dict(totals(good))


def test_no_spreadsheet_takes_a_reject_for_a_formula(desk: Desk) -> None:
    """What begins like a formula is quoted; numbers stay numbers; the row is there to be mended."""
    path = statement(
        desk.folder / "rows.csv",
        [line(1, side="=1+1", sum="-12.50", note="@SUM(A1)"), line(2, side="x", note="-2+3")],
    )
    desk.run(path)
    with desk.rejects.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["side"], first["sum"], first["note"]) == ("'=1+1", "-12.50", "'@SUM(A1)")
    assert (second["id"], second["note"]) == ("2", "'-2+3")


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


def cut(path: Path) -> None:
    """Lose the end of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def garble(path: Path) -> None:
    """Change bytes in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [cut, garble])
def test_a_damaged_file_is_told_and_what_stood_before_is_in(
    desk: Desk, damage: Callable[[Path], None]
) -> None:
    """The import is unfinished; the whole file, imported later, is finished."""
    lines = [line(n) for n in range(1, 1200)]
    whole = statement(desk.folder / "whole.csv.gz", lines)
    path = desk.folder / "rows.csv.gz"
    path.write_bytes(whole.read_bytes())
    damage(path)

    summary = importer.check_file(
        path, statements.mapping(), desk.house.runtime.currencies, rejects=desk.rejects
    )

    assert (summary.finished, summary.rejected) == (False, 0)
    assert summary.imported == summary.rows < 1200
    assert "damaged after line" in str(summary.damaged)
    few = statement(desk.folder / "few.csv.gz", lines[:6])
    cut(few)
    assert not desk.run(few).finished


def test_a_line_without_end_is_no_file_of_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read into memory: the file is damaged there."""
    monkeypatch.setattr("ledger.importer.reader.MAX_LINE_CHARACTERS", 100)
    path = statement(desk.folder / "rows.csv", [line(1), line(2, note="x" * 200), line(3)])
    summary = desk.run(path)
    assert (summary.imported, summary.finished) == (1, False)
    assert "line 3 is longer than 100 characters" in str(summary.damaged)


def test_a_byte_that_does_not_belong_rejects_its_row_alone(desk: Desk) -> None:
    """Not the rows around it. A mark at the file's beginning is no part of a column's name."""
    path = statement(desk.folder / "rows.csv", [line(1), line(2, note="ž"), line(3)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace("ž".encode(), b"\x9e"))
    summary = desk.run(path)
    assert (summary.imported, summary.rejected) == (2, 1)
    assert desk.rejected() == [(3, "it has bytes that are not utf-8")]


def test_other_encodings_are_read(desk: Desk) -> None:
    """As a Central European bank writes them."""
    path = statement(desk.folder / "rows.csv", [line(1, note="žluťoučký kůň")])
    path.write_bytes(path.read_text().encode("cp1250"))
    desk.run(path, statements.mapping(encoding="windows-1250"))
    (entry,) = desk.house.ledger.entries("client:1")
    assert entry.description == "žluťoučký kůň"


def test_a_quoted_field_may_hold_line_breaks(desk: Desk) -> None:
    """A row's line is the one that it begins at."""
    rows = [line(1, note='"a\nb"'), line(2, sum="nothing")]
    summary = desk.run(statement(desk.folder / "rows.csv", rows))
    assert (summary.imported, summary.rejected) == (1, 1)
    assert desk.rejected()[0][0] == 4
    assert desk.house.ledger.entries("client:1")[0].description == "a\nb"


def test_world_accounts_are_spread_by_the_row(desk: Desk) -> None:
    """The same row has the same account whenever it is imported, and no account has them all."""
    spread = statements.mapping(counter_account="world:bank/{spread 4}")
    path = statement(desk.folder / "rows.csv", [line(n) for n in range(1, 25)])
    desk.run(path, spread)
    assert desk.run(path, spread).replayed == 24
    assert len(desk.house.ledger.accounts(prefix="world:bank/")) == 4


def test_progress_is_told_in_bytes(desk: Desk) -> None:
    """Up to the whole file."""
    path = statement(desk.folder / "rows.csv", [line(n) for n in range(1, 10)])
    told: list[tuple[int, int, int]] = []
    import_file(
        desk.house.ledger,
        path,
        statements.mapping(),
        rejects=desk.rejects,
        progress=lambda summary, read, size: told.append((summary.imported, read, size)),
    )
    size = path.stat().st_size
    assert [imported for imported, _, _ in told] == [4, 8, 9]
    assert told[-1][1:] == (size, size)


def test_files_that_are_none_of_an_import_are_not_touched(desk: Desk) -> None:
    """Neither the file to import nor another is overwritten by rejects; an earlier import's is."""
    path = statement(desk.folder / "rows.csv", [line(1)])
    other = desk.folder / "other.txt"
    other.write_text("precious")
    for rejects in (path, other, desk.folder, desk.folder / "no" / "folder.csv"):
        with pytest.raises(InvalidRequest, match="reject"):
            import_file(desk.house.ledger, path, statements.mapping(), rejects=rejects)
    assert other.read_text() == "precious"
    desk.run(statement(desk.folder / "bad.csv", [line(1, sum="x")]))
    assert desk.rejects.exists()
    desk.run(path)
    assert not desk.rejects.exists()


def test_a_gzip_file_within_a_folder_of_another_name(tmp_path: Path) -> None:
    """Content, not names: a plain file called .gz is read as what it is."""
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.decompress(statement(path, [line(1)]).read_bytes()))
    currencies = Currencies()
    summary = importer.check_file(
        path, statements.mapping(), currencies, rejects=tmp_path / "rejects.csv"
    )
    assert (summary.rows, summary.imported) == (1, 1)
