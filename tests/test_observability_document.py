"""docs/observability.md is what the code does: every line and its fields, every metric, the event."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger import Money
from ledger.reconcile import Report
from ledger.reconcile import handler as job
from projector import metrics
from projector.batch import BatchResult, process
from projector.tally import NAMES, Tally
from tests.support.bus import Events
from tests.support.house import House
from tests.support.samples import id_at

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "observability.md").read_text("utf-8")
LEVELS = ("debug", "info", "warning", "error")
CODE = [
    *sorted((ROOT / "projector").rglob("*.py")),
    *sorted((ROOT / "ledger" / "write").rglob("*.py")),
    *sorted((ROOT / "ledger" / "read").rglob("*.py")),
    *sorted((ROOT / "ledger" / "reconcile").rglob("*.py")),
    *sorted((ROOT / "ledger").glob("*.py")),
]
"""All but the commands, whose lines are their progress."""


@dataclass(frozen=True, order=True)
class Line:
    """A log line as the code writes it, or the document has it."""

    event: str
    level: str
    fields: tuple[str, ...]


def in_code() -> Iterator[Line]:
    """Each call of a logger."""
    for path in CODE:
        module = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(module):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
                and node.func.attr in LEVELS
            ):
                for event in events(node.args[0]):
                    yield Line(event, node.func.attr, tuple(sorted(fields(node, module))))


def events(argument: ast.expr) -> list[str]:
    """The event's text, or both of a choice."""
    found = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
    return [str(ast.literal_eval(one)) for one in found]


def fields(call: ast.Call, module: ast.Module) -> Iterator[str]:
    """The names of the fields; `**….counts()` are a tally's, `**name` those of the dict of that name."""
    for keyword in call.keywords:
        text = ast.unparse(keyword.value)
        if keyword.arg is not None:
            yield keyword.arg
        elif text.endswith(".counts()"):
            yield from NAMES
        else:
            yield from keys(text, module)


def keys(name: str, module: ast.Module) -> Iterator[str]:
    """The keys of the dict that is written out under a name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            assert isinstance(node.value, ast.Dict), "name the fields of a line"
            yield from (str(ast.literal_eval(key)) for key in node.value.keys if key)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[2:]]


def test_every_log_line_is_documented_with_its_fields() -> None:
    """And no line is documented that nobody writes."""
    documented = {
        Line(event.strip("`"), level, tuple(sorted(re.findall(r"`(\w+)`", names))))
        for event, level, names, _when in rows("Log lines")
    }
    assert set(in_code()) == documented
    assert len(documented) >= 15


def emitted(capsys: pytest.CaptureFixture[str]) -> set[tuple[str, str, str]]:
    """The service, name and unit of each metric that was printed."""
    found = set()
    for text in capsys.readouterr().out.splitlines():
        line = json.loads(text)
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Folio"
        assert [sorted(names) for names in directive["Dimensions"]] == [["ledger", "service"]]
        assert line["ledger"] == "prod"
        found |= {(line["service"], m["Name"], m["Unit"]) for m in directive["Metrics"]}
    return found


def test_the_metrics_are_these_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, units, two dimensions: a set that does not grow with the ledger."""
    now = datetime.now(UTC)
    metrics.emit(BatchResult(Tally(), None, now), now, "prod")
    job.emit(Report(verdict="clean"), "prod")
    documented = {
        (service, name.strip("`"), unit) for service, name, unit, _what in rows("Metrics")
    }
    assert emitted(capsys) == documented
    assert len(documented) == 16


def test_the_event_is_the_one_that_is_shown(house: House) -> None:
    """A payment, projected and published."""
    (shown,) = re.findall(r"^```json\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    wanted: dict[str, Any] = json.loads(shown)
    house.ledger.transfer(
        source="world:card",
        destination="user:42",
        money=Money(1250, "EUR"),
        type="deposit",
        id=id_at(0),
        description="a-secret",
    )
    port = Events()
    process(house.runtime, house.new_records(), parallel=1, bus=port.bus())
    put = {json.loads(one["Detail"])["account"]: one for call in port.calls for one in call}
    one = put["user:42"]
    assert {
        "source": one["Source"],
        "detail-type": one["DetailType"],
        "time": one["Time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": json.loads(one["Detail"]),
    } == wanted
