"""The reconciler as a Lambda function: its verdict in its answer, its log lines and its metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger import Money
from ledger.reconcile import handler as job
from tests.support.house import House


@pytest.fixture
def nightly(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The job on the house's tables."""
    monkeypatch.setattr(job, "runtime", lambda: house.runtime)
    house.ledger.transfer(
        source="world:card", destination="user:1", money=Money(1, "EUR"), type="deposit"
    )
    house.clock.advance(600)
    return house


def metrics(printed: str) -> dict[str, Any]:
    """The line in CloudWatch's embedded format."""
    line: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    declared = line["_aws"]["CloudWatchMetrics"][0]
    assert declared["Namespace"] == "Folio"
    assert {m["Unit"] for m in declared["Metrics"]} == {"Count"}
    return {name: value[0] for name, value in line.items() if isinstance(value, list)}


def test_a_clean_night(nightly: House, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is the answer, which is JSON, and the metrics say `Clean`."""
    nightly.settle()

    answer = json.loads(json.dumps(job.handler({}, None)))

    assert (answer["verdict"], answer["entries"]) == ("clean", 2)
    told = metrics(capsys.readouterr().out)
    assert (told["Clean"], told["Incomplete"], told["DriftFindings"]) == (1, 0, 0)


def test_a_night_with_drift_is_no_error_of_the_function(
    nightly: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda must not try again because money is missing: the metrics say so."""
    quick = nightly.new_runtime(grace_seconds=0)
    monkeypatch.setattr(job, "runtime", lambda: quick)

    answer = job.handler({"accounts": ["user:1"]}, None)

    assert (answer["verdict"], len(answer["findings"])) == ("drift", 1)
    assert metrics(capsys.readouterr().out)["DriftFindings"] == 1


def test_the_ledger_is_made_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment's variables as they are then, once."""
    monkeypatch.setenv("LEDGER_EVENTS_TABLE", "night-events")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(job, "to_stream", lambda _stream: None)
    job.runtime.cache_clear()
    try:
        assert job.runtime().settings.events_table == "night-events"
        assert job.runtime() is job.runtime()
    finally:
        job.runtime.cache_clear()
