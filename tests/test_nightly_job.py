"""The reconciler as a Lambda function: its verdict in its answer, its log lines and its metrics."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest

from ledger import Misconfigured, Money
from ledger.reconcile import handler as job
from ledger.runtime import Runtime
from tests.support.house import House
from tests.support.lines import caught


def at(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job works on these tables."""
    monkeypatch.setattr(job, "parts", lambda: job.Parts(rt, nullcontext))


@pytest.fixture
def nightly(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The job on the house's tables."""
    at(house.runtime, monkeypatch)
    house.ledger.transfer(
        source="world:card", destination="user:1", money=Money(1, "EUR"), type="deposit"
    )
    house.clock.advance(600)
    return house


NAMES = {
    "DriftFindings",
    "Unread",
    "Clean",
    "Incomplete",
    "EntriesCompared",
    "EntriesInFlight",
}


def metrics(printed: str, *, some_accounts: bool = False) -> dict[str, Any]:
    """The line in CloudWatch's embedded format. A run over some accounts is no night that was clean."""
    line: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    declared = line["_aws"]["CloudWatchMetrics"][0]
    assert declared["Namespace"] == "Folio"
    assert {m["Unit"] for m in declared["Metrics"]} == {"Count"}
    assert {m["Name"] for m in declared["Metrics"]} == NAMES - (
        {"Clean"} if some_accounts else set()
    )
    assert [set(names) for names in declared["Dimensions"]] == [{"service", "ledger"}]
    assert (line["service"], line["ledger"]) == ("reconciler", "folio")
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
    at(quick, monkeypatch)

    with caught() as lines:
        answer = job.handler({"accounts": ["user:1"]}, None)

    assert (answer["verdict"], len(answer["findings"])) == ("drift", 1)
    (told,) = lines.all("finding")
    assert (told["kind"], told["account"]) == ("missing", "user:1")
    assert told["entry"] == answer["findings"][0]["entry_id"]
    assert metrics(capsys.readouterr().out, some_accounts=True)["DriftFindings"] == 1


def test_a_run_over_some_accounts_is_no_night(
    nightly: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not counted as clean: the alarm on a missing night looks for that count."""
    nightly.settle()
    at(nightly.runtime, monkeypatch)
    assert job.handler({"accounts": ["user:1"]}, None)["verdict"] == "clean"
    assert "Clean" not in metrics(capsys.readouterr().out, some_accounts=True)


def test_the_ledger_is_made_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment's variables as they are then, once."""
    monkeypatch.setenv("LEDGER_EVENTS_TABLE", "night-events")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("LEDGER_LOG_LEVEL", "WARNING")
    levels: list[Any] = []
    monkeypatch.setattr(job, "to_stream", lambda _stream, level="INFO": levels.append(level))
    job.parts.cache_clear()
    try:
        assert job.parts().runtime.settings.events_table == "night-events"
        assert job.parts() is job.parts()
        assert levels == ["INFO", "WARNING"]
    finally:
        job.parts.cache_clear()


def test_a_night_that_failed_says_so_in_its_metrics(
    nightly: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incomplete, and then the error, which Lambda counts."""
    at(nightly.new_runtime(balances_table="another-stacks-balances"), monkeypatch)
    with pytest.raises(Misconfigured):
        job.handler({}, None)
    told = metrics(capsys.readouterr().out)
    assert (told["Clean"], told["Incomplete"], told["DriftFindings"]) == (0, 1, 0)


class Hurried:
    """Lambda's context, in which each look at the clock takes a second."""

    def __init__(self, seconds: int) -> None:
        self.left = seconds

    def get_remaining_time_in_millis(self) -> int:
        self.left -= 1
        return self.left * 1000


def test_a_night_that_runs_out_of_time_ends_incomplete_by_itself(
    nightly: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its metrics, before Lambda ends it without; with time enough the same night is clean."""
    nightly.settle()
    context = Hurried(35)
    with caught() as lines:
        answer = job.handler({}, context)
    assert [line["what"] for line in lines.all("not read")] == list(answer["unread"])
    assert context.left > 0
    assert answer["verdict"] == "incomplete"
    assert "out of time" in answer["unread"][-1]
    assert metrics(capsys.readouterr().out)["Incomplete"] == 1

    assert job.handler({}, Hurried(1000))["verdict"] == "clean"
