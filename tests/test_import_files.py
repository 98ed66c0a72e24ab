"""Files as banks send them: bad rows, damage, encodings; what cannot go in is named, the rest goes in."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import InvalidRequest
from ledger.importer import import_file
from ledger.importer import run as importer
from ledger.money import Currencies
from tests.support import statements
from tests.support.desk import Desk
from tests.support.house import House
from tests.support.statements import line, statement, totals

CHUNK = 4


@pytest.fixture
def desk(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose imports have four rows in memory at a time."""
    monkeypatch.setattr(importer, "CHUNK_ROWS", CHUNK)
    return Desk(house, tmp_path)


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
