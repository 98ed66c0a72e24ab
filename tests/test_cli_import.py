"""`folio import`: what it says of a file, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.cli import progress
from ledger.importer import run as importer
from tests.support.command import Folio
from tests.support.statements import line, statement

TOML = """
source = "test-bank"
id = "{id}"
account = "client:{client}"
counter_account = "world:bank"
amount = "{sum}"
currency = "EUR"
date = "{day}"
direction = "{side}"
credit = "in"
debit = "out"
type = "statement"
description = "{note}"
"""


@pytest.fixture
def mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mapping's file, in the folder where the command is run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bank.toml"
    path.write_text(TOML)
    return path


def test_all_in_ends_with_0_and_again_with_0(folio: Folio, mapping: Path) -> None:
    """The second time nothing is added, and it is said."""
    path = statement(mapping.parent / "rows.csv.gz", [line(1), line(2), line(2)])
    call = ("import", path, "--mapping", mapping)

    first, second = folio(*call, "--json"), folio(*call)

    assert (first.code, second.code) == (0, 0)
    told = first.json
    assert (told["rows"], told["imported"], told["repeated"], told["replayed"]) == (3, 2, 1, 0)
    assert (told["rejects"], told["dry_run"], told["exit_code"]) == (None, False, 0)
    assert "2  in the ledger already, nothing added" in second.out
    assert folio.answer("balance", "client:1", "EUR")["posted"]["amount"] == "1.00"


def test_rejected_rows_end_with_5(folio: Folio, mapping: Path) -> None:
    """The rest is in; the file of rejects is named, here unless told otherwise."""
    folder = mapping.parent / "inbox"
    folder.mkdir()
    path = statement(folder / "rows.csv", [line(1), line(2, sum="x"), line(3)])

    said = folio("import", path, "--mapping", mapping)
    told = folio("import", path, "--mapping", mapping, "--rejects", "bad.csv", "--json")

    assert (said.code, told.code) == (5, 5)
    assert "rejected rows, with line and reason: rows.csv.rejects.csv" in said.out
    assert (mapping.parent / "rows.csv.rejects.csv").read_text().startswith("line,reason,id,")
    assert (told.json["rejects"], told.json["rejected"], told.json["replayed"]) == ("bad.csv", 1, 2)


def test_a_dry_run_sends_nothing(bare_folio: Folio, mapping: Path) -> None:
    """It needs no ledger at all, and has the exit code that an import would have."""
    good = statement(mapping.parent / "good.csv", [line(1), line(2)])
    bad = statement(mapping.parent / "bad.csv", [line(1), line(2, day="never")])
    bare_folio.monkeypatch.delenv("AWS_ENDPOINT_URL")
    call = ("--mapping", mapping, "--dry-run")
    assert "2  would go in" in bare_folio("import", good, *call).out
    told = bare_folio("import", bad, *call, "--json")
    assert (told.code, told.json["imported"], told.json["dry_run"]) == (5, 1, True)


def test_an_unfinished_import_ends_with_1(folio: Folio, mapping: Path) -> None:
    """It says how far it knows, and that the same import finishes it."""
    path = statement(mapping.parent / "rows.csv", [line(1)])
    folio.monkeypatch.setattr("ledger.importer.send.WAIT_SECONDS", 0)
    folio.set("LEDGER_ATTEMPTS", "1")
    call = ("import", path, "--mapping", mapping, "--endpoint-url", "http://127.0.0.1:1")

    said, told = folio(*call), folio(*call, "--json")

    assert (said.code, told.code, told.json["unfinished"]) == (1, 1, 1)
    assert "not finished; known up to line 0: run the same import again" in said.out
    path.write_bytes(
        statement(mapping.parent / "x.gz", [line(n) for n in range(99)]).read_bytes()[:99]
    )
    damaged = folio("import", path, "--mapping", mapping, "--dry-run")
    assert damaged.code == 1
    assert "not read to its end" in damaged.out


def test_what_is_wrong_with_the_call_ends_with_2(bare_folio: Folio, mapping: Path) -> None:
    """No file, no such columns, a mapping that is none: nothing was sent."""
    rows = statement(mapping.parent / "rows.csv", [line(1)])
    for arguments, says in (
        (("no-such-file.csv", "--mapping", mapping), "no-such-file.csv"),
        ((rows, "--mapping", mapping, "--account", "client:{nobody}"), "has no column nobody"),
        ((rows, "--mapping", mapping, "--zone", "Middle/Earth"), "zone: "),
        ((rows,), "source: is missing"),
        ((rows, "--mapping", mapping, "--rejects", rows), "the file to import"),
    ):
        said = bare_folio("import", *arguments)
        assert (said.code, said.out) == (2, "")
        assert says in said.err
    assert rows.read_text().startswith("id,")


def test_a_mapping_may_be_given_as_options(folio: Folio, mapping: Path) -> None:
    """Each field of the file has its option, which goes before the file."""
    path = mapping.parent / "umsatz.csv"
    path.write_text("Nr;Konto;Tag;Betrag\n1;7;31.12.2023;-1.234,50\n2;7;01.01.2024;2.000,00\n")
    options = {
        "--source": "bank",
        "--row-id": "{Nr}",
        "--account": "client:{Konto}",
        "--counter-account": "world:bank/{spread 4}",
        "--amount": "{Betrag}",
        "--currency": "EUR",
        "--date": "{Tag}",
        "--date-format": "%d.%m.%Y",
        "--zone": "Europe/Berlin",
        "--type": "statement",
        "--delimiter": ";",
        "--encoding": "latin-1",
        "--decimal-separator": ",",
        "--thousands-separator": ".",
    }
    call = [word for option in options.items() for word in option]

    told = folio.answer("import", path, *call, "--claim-keys")

    assert told["imported"] == 2
    held = folio.answer("balance", "client:7", "EUR")
    assert (held["debits"]["amount"], held["posted"]["amount"]) == ("1234.50", "765.50")
    assert folio.answer("transaction", "--key", "bank:1")["recorded_at"] == "2023-12-30T23:00:00Z"


def test_progress_is_log_lines_where_nobody_watches(folio: Folio, mapping: Path) -> None:
    """One JSON object a line on standard error, and no bar."""
    folio.monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    folio.monkeypatch.setattr(importer, "CHUNK_ROWS", 2)
    path = statement(mapping.parent / "rows.csv", [line(n) for n in range(1, 6)])
    said = folio("import", path, "--mapping", mapping, "--json")
    lines = [json.loads(one) for one in said.err.splitlines()]
    assert [one["rows"] for one in lines] == [2, 4, 5]
    assert {one["event"] for one in lines} == {"importing"}
    assert lines[-1]["done"] == lines[-1]["total"] == path.stat().st_size
    assert said.json["imported"] == 5


def test_ctrl_c_leaves_an_import_that_can_be_finished(folio: Folio, mapping: Path) -> None:
    """130, and the same import goes on where it stopped."""
    folio.monkeypatch.setattr(importer, "CHUNK_ROWS", 2)
    path = statement(mapping.parent / "rows.csv", [line(n) for n in range(1, 6)])

    def interrupt(*_arguments: object, **_counts: object) -> None:
        raise KeyboardInterrupt

    with folio.monkeypatch.context() as patched:
        patched.setattr("ledger.cli.progress._Lines.at", interrupt)
        stopped = folio("import", path, "--mapping", mapping)
    again = folio.answer("import", path, "--mapping", mapping)

    assert (stopped.code, stopped.err) == (130, "")
    assert (again["imported"], again["replayed"]) == (3, 2)
