"""The Lambda function: its event and its answer, its metrics and log lines, and nothing at import."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.embedded.engine import Engine
from ledger.errors import Misconfigured
from ledger.items import entry_item
from ledger.reconcile import reconcile
from projector import metrics
from projector.batch import BatchResult
from projector.handler import handler
from projector.record import Record, from_lambda
from projector.tally import Tally
from tests.support.functions import lambda_event, works_with
from tests.support.house import START, House
from tests.support.stage import entries, entry, record, write

ROOT = Path(__file__).parent.parent
SEQUENCE_NUMBER = "4421584500000000017450439091"


@pytest.fixture
def at_home(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose ledger is the handler's."""
    works_with(monkeypatch, house.runtime)
    return house


def test_a_batch_that_is_applied_has_no_failures(at_home: House) -> None:
    """An empty list is success to Lambda."""
    records = write(at_home, entries("a", [-3, -2, -1]))
    assert handler(lambda_event(records), None) == {"batchItemFailures": []}
    at_home.assert_view_is_right()


def test_19_a_batch_that_fails_answers_with_its_lowest_record(at_home: House) -> None:
    """Lambda repeats everything from there."""
    records = write(at_home, entries("a", [-3, -2, -1]))
    at_home.faults.always("update_item", "throttled")
    answer = handler(lambda_event(reversed(records)), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[0].sequence_number}]}
    at_home.faults.heal()
    assert handler(lambda_event(records), None) == {"batchItemFailures": []}
    at_home.assert_view_is_right()


def test_20_a_handler_that_swallows_an_error_is_found_out(at_home: House) -> None:
    """Lambda takes its answer for success and never comes back: the reconciler names the loss."""
    written = entries("a", [-300, -200, -100])
    records = write(at_home, written)
    at_home.project(records[:2])
    at_home.faults.always("update_item", "throttled")
    handler(lambda_event(records[2:]), None)  # and nobody looks at its answer
    at_home.faults.heal()

    report = reconcile(at_home.runtime, ["a"], sleep=lambda _seconds: None)

    assert report.verdict == "drift"
    missing = [one for one in report.findings if one.kind == "missing"]
    assert [one.entry_id for one in missing] == [written[2].id]


def test_an_event_as_aws_documents_it_is_understood() -> None:
    """Binary values are base64, at any depth; times are seconds since 1970."""
    raw = {
        "eventID": "c81e728d9d4c2f636f067f89cc14862c",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1790000000,
            "Keys": {"PK": {"S": "ACCOUNT#a"}, "SK": {"S": "EVENT#EUR#1"}},
            "NewImage": {
                "B": {"B": base64.b64encode(b"\x00\xff").decode()},
                "BS": {"BS": [base64.b64encode(b"one").decode()]},
                "L": {"L": [{"B": base64.b64encode(b"in").decode()}, {"NULL": True}]},
                "M": {"M": {"deep": {"L": [{"M": {"B": {"B": ""}}}]}}},
                "N": {"N": "12"},
            },
            "SequenceNumber": SEQUENCE_NUMBER,
            "SizeBytes": 59,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026",
    }
    assert from_lambda(raw) == Record(
        event_id="c81e728d9d4c2f636f067f89cc14862c",
        name="MODIFY",
        sequence_number=SEQUENCE_NUMBER,
        keys={"PK": {"S": "ACCOUNT#a"}, "SK": {"S": "EVENT#EUR#1"}},
        new={
            "B": {"B": b"\x00\xff"},
            "BS": {"BS": [b"one"]},
            "L": {"L": [{"B": b"in"}, {"NULL": True}]},
            "M": {"M": {"deep": {"L": [{"M": {"B": {"B": b""}}}]}}},
            "N": {"N": "12"},
        },
        old=None,
        created_at=datetime.fromtimestamp(1790000000, UTC),
    )


def test_something_that_is_no_stream_event_is_not_taken_for_a_success(at_home: House) -> None:
    """A trigger that was set up wrongly is seen by its errors."""
    with pytest.raises(KeyError):
        handler({"detail-type": "Scheduled Event"}, None)


# --- metrics and log lines ---------------------------------------------------------------------

NAMES = {
    "EventsApplied",
    "Duplicates",
    "LateEvents",
    "Quarantined",
    "Tampered",
    "Suspects",
    "Seals",
    "Splits",
    "Published",
    "NewestRecordAge",
}


def embedded_metrics(lines: Sequence[str]) -> dict[str, Any]:
    """The one line that CloudWatch takes metrics from."""
    (emf,) = [found for line in lines if "_aws" in (found := json.loads(line))]
    assert isinstance(emf, dict)
    return emf


def test_metrics_are_one_line_that_cloudwatch_understands(
    at_home: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names, units and values in the embedded metric format; two dimensions, service and ledger."""
    records = write(at_home, entries("a", [-3, -2, -1]))
    dated = [replace(one, created_at=datetime(2020, 1, 1, tzinfo=UTC)) for one in records]
    handler(lambda_event([*dated, dated[0], record({"PK": {"S": "x"}, "SK": {"S": "y"}})]), None)

    emf = embedded_metrics(capsys.readouterr().out.splitlines())

    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Folio"
    assert [set(names) for names in directive["Dimensions"]] == [{"service", "ledger"}]
    assert (emf["service"], emf["ledger"]) == ("projector", at_home.settings.name)
    units = {one["Name"]: one["Unit"] for one in directive["Metrics"]}
    assert units == dict.fromkeys(NAMES, "Count") | {"NewestRecordAge": "Seconds"}
    values = {name: emf[name] for name in NAMES - {"NewestRecordAge"}}
    counted = {name for name, value in values.items() if value != [0.0]}
    assert counted == {"EventsApplied", "Duplicates", "Quarantined"}
    assert emf["EventsApplied"] == [3.0]
    assert emf["Duplicates"] == [1.0]


@pytest.mark.parametrize(("seconds", "age"), [(90, [90.0]), (-90, [0.0])])
def test_the_age_of_the_newest_record_is_never_negative(
    capsys: pytest.CaptureFixture[str], seconds: int, age: list[float]
) -> None:
    """Streams' clock and ours differ; a record of the future has no age."""
    now = datetime.fromtimestamp(START, UTC)
    newest = datetime.fromtimestamp(START - seconds, UTC)
    metrics.emit(BatchResult(Tally(), None, newest), now, "folio")
    assert embedded_metrics(capsys.readouterr().out.splitlines())["NewestRecordAge"] == age


def test_a_batch_without_records_has_no_age(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made up where nothing was delivered."""
    metrics.emit(BatchResult(Tally(), None, None), datetime.now(UTC), "folio")
    assert "NewestRecordAge" not in embedded_metrics(capsys.readouterr().out.splitlines())


# --- as Lambda runs it -------------------------------------------------------------------------


def in_a_process(
    code: str, event: object = None, *, fails: bool = False, **environment: str
) -> list[str]:
    """What a fresh process prints that runs `code`, with this environment alone."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(event),
        env=environment | {n: v for n, v in os.environ.items() if n.startswith("COV")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(ran.returncode) == fails, ran.stderr
    return ran.stdout.splitlines()


def test_nothing_is_read_or_made_at_import() -> None:
    """Neither settings, of which one is broken, nor a region: the first call makes the runtime."""
    code = "import projector.handler as h; print(h.parts.cache_info().currsize)"
    assert in_a_process(code, LEDGER_SETTLING_SECONDS="nonsense") == ["0"]


LAMBDA = """
import json, sys
from projector.handler import handler, parts
event = json.load(sys.stdin)
answers = [handler(event, None), handler(event, None)]
assert parts() is parts()
print(json.dumps({"answers": answers}))
"""


def test_it_runs_by_its_environment_alone(house: House) -> None:
    """Tables by LEDGER_*, region, credentials and endpoint by AWS's own variables; twice, applied once.

    What it prints is JSON, line by line, and holds nothing of descriptions or metadata.
    """
    records = write(house, entries("a", [-9, -3, -2, -1]))
    foreign = entry_item(entry("b", -9, 5)) | {"description": {"S": "a-secret"}}
    assert house.endpoint_url is not None
    tables = {
        f"LEDGER_{name.upper()}": str(getattr(house.settings, name))
        for name in ("events_table", "balances_table", "accounts_table", "quarantine_table")
    }
    lines = in_a_process(
        LAMBDA,
        lambda_event([*records, record(foreign)]),
        fails=False,
        AWS_ENDPOINT_URL_DYNAMODB=house.endpoint_url,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="folio",
        AWS_SECRET_ACCESS_KEY="folio",
        **tables,
    )
    printed = [json.loads(line) for line in lines]
    assert printed[-1] == {"answers": [{"batchItemFailures": []}] * 2}
    batches = [line for line in printed if line.get("event") == "batch"]
    assert [(line["applied"], line["duplicates"]) for line in batches] == [(4, 0), (0, 4)]
    assert sum("_aws" in line for line in printed) == 2
    assert sum(line.get("event") == "quarantined" for line in printed) == 2
    assert "a-secret" not in "".join(lines)
    house.assert_view_is_right()


# --- a wrong environment -----------------------------------------------------------------------

ONCE = """
import json, sys
from projector.handler import handler
class Context:
    function_name, aws_request_id = "folio-projector", "request-1"
handler(json.load(sys.stdin), Context())
"""
ABROAD = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "folio",
    "AWS_SECRET_ACCESS_KEY": "folio",
}


def only_line(lines: Sequence[str], event: str) -> dict[str, Any]:
    """The one line of an event."""
    (found,) = [line for line in map(json.loads, lines) if line.get("event") == event]
    assert isinstance(found, dict)
    return found


def test_settings_that_are_wrong_are_one_line_and_an_error() -> None:
    """The line names the field and the invocation, though the settings never came to be."""
    lines = in_a_process(
        ONCE, {"Records": []}, fails=True, **ABROAD, LEDGER_SETTLING_SECONDS="nonsense"
    )
    told = only_line(lines, "invocation failed")
    assert len(lines) == 1
    assert told["error"] == "Misconfigured"
    assert "settling_seconds" in told["message"]
    assert (told["function"], told["request_id"]) == ("folio-projector", "request-1")
    assert told["cold_start"] is True


def test_tables_that_are_not_there_are_one_line_and_an_error(dynamodb_local: Engine) -> None:
    """Lambda counts it and repeats the batch; no line for each of many accounts."""
    records = [record(entry_item(one)) for one in [*entries("a", [-3, -2]), *entries("b", [-3])]]
    lines = in_a_process(
        ONCE,
        lambda_event(records),
        fails=True,
        AWS_ENDPOINT_URL_DYNAMODB=dynamodb_local.endpoint_url,
        LEDGER_BALANCES_TABLE="another-stacks-balances",
        **ABROAD,
    )
    told = only_line(lines, "invocation failed")
    assert told["error"] == "Misconfigured"
    assert "no such table" in told["message"]
    assert not [line for line in lines if json.loads(line).get("event") == "not applied"]


def test_an_error_of_the_whole_batch_is_raised_after_its_metrics(
    at_home: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What others are waiting for is applied meanwhile, and counted."""
    records = write(at_home, entries("a", [-3]))
    poison = record({"PK": {"S": "x"}, "SK": {"S": "y"}})
    lost = at_home.new_runtime(quarantine_table="another-stacks-quarantine")
    works_with(monkeypatch, lost)
    with pytest.raises(Misconfigured):
        handler(lambda_event([*records, poison]), None)
    assert embedded_metrics(capsys.readouterr().out.splitlines())["EventsApplied"] == [1.0]
    at_home.assert_view_is_right()
