"""The benchmarks run, and what they say has the shape that machines and people read."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import suite
from benchmarks.cases import CASES
from benchmarks.measure import Row
from benchmarks.report import as_json, as_table
from ledger.embedded import local_session
from ledger.embedded.engine import Engine


@pytest.fixture(scope="module")
def rows(dynamodb_local: Engine) -> list[Row]:
    """Every case once, small."""
    session, url = local_session(), dynamodb_local.endpoint_url
    return list(suite(session, url, only="", rounds=1, scale=0.05))


def test_json_has_every_figure_of_every_case(rows: list[Row]) -> None:
    """For machines: each case with calls, units and CPU of both sides, and their ratio."""
    report = json.loads(as_json(rows))
    assert report.keys() == {"environment", "aim", "rows"}
    assert [row["name"] for row in report["rows"]] == [case.name for case in CASES]
    for row in report["rows"]:
        assert row.keys() == {
            *("name", "event", "events", "rounds"),
            *("folio", "bare", "bare_is", "ratio"),
        }
        assert row["ratio"] > 0
        for side in (row["folio"], row["bare"]):
            assert side.keys() == {"calls", "write_units", "read_units", "cpu_us"}
            assert side["calls"] > 0
            assert side["write_units"] + side["read_units"] > 0
            assert side["cpu_us"] > 0


def test_units_are_those_that_the_ledger_promises(rows: list[Row]) -> None:
    """What the benchmarks count agrees with what the tests of units hold."""
    of = {row.name: row.folio for row in rows}
    assert (of["append"].calls, of["append"].write_units) == (1, 1)
    assert (of["post"].calls, of["post"].write_units) == (1, 6)
    assert (of["post_many"].calls, of["post_many"].write_units) == (1 / 33, 6)
    assert (of["view balance"].calls, of["view balance"].read_units) == (1, 0.5)
    assert of["fresh balance"].calls == 2


def test_the_table_has_two_lines_a_case(rows: list[Row]) -> None:
    """For people: the ledger's line with the ratio, and the bare call's below it."""
    lines = as_table(rows).splitlines()
    assert lines[0].split() == ["calls", "write", "units", "read", "units", "CPU", "µs", "ratio"]
    assert len(lines) == 1 + 2 * len(CASES) + 2
    for case, line in zip(CASES, lines[1::2], strict=False):
        assert line.startswith(case.name)
