"""A stack's status says what is wrong, and calls unknown what is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ledger.stack import judge, status
from ledger.stack.calls import Aws
from ledger.stack.judge import Reconciled
from ledger.stack.stacks import Stack

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def function(**fields: Any) -> dict[str, Any]:
    return {
        "FunctionName": "folio-projector",
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "LastModified": "2026-03-01T10:00:00.000+0000",
    } | fields


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        ("CREATE_COMPLETE", "well"),
        ("UPDATE_COMPLETE", "well"),
        ("UPDATE_IN_PROGRESS", "unknown"),
        ("UPDATE_ROLLBACK_COMPLETE", "wrong"),
        ("ROLLBACK_COMPLETE", "wrong"),
    ],
)
def test_a_stack_that_was_rolled_back_is_wrong(standing: str, state: str) -> None:
    """What runs then is not what was deployed last."""
    stack = Stack("folio", "id", standing, created=NOW - timedelta(days=3))
    part = judge.of_stack(stack, NOW)
    assert part.state == state
    assert "3 d ago" in part.said


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "well"),
        ({"State": "Inactive"}, "well"),
        ({"State": "Pending"}, "unknown"),
        ({"LastUpdateStatus": "InProgress"}, "unknown"),
        ({"State": "Failed", "StateReason": "no key"}, "wrong"),
        ({"LastUpdateStatus": "Failed"}, "wrong"),
    ],
)
def test_a_function_that_cannot_run_is_wrong(fields: dict[str, str], state: str) -> None:
    """One that Lambda set aside for lack of use can; one that is being made is not known yet."""
    part = judge.of_function("projector", function(**fields))
    assert part.state == state
    assert part.facts["architecture"] == "arm64"
    assert fields.get("StateReason", "") in part.said


@pytest.mark.parametrize(
    ("standing", "result", "state"),
    [
        ("Enabled", "OK", "well"),
        ("Enabled", "No records processed", "well"),
        ("Enabled", "PROBLEM: Function call failed", "wrong"),
        ("Disabled", "OK", "wrong"),
        ("Enabling", "No records processed", "unknown"),
    ],
)
def test_a_mapping_that_is_off_or_fails_is_wrong(standing: str, result: str, state: str) -> None:
    """Only one that is on, and whose last batch went through, is well."""
    assert judge.of_mapping({"State": standing, "LastProcessingResult": result}).state == state


def test_lag_without_a_batch_is_not_known() -> None:
    """No data is not the same as no lag: nobody wrote, or nobody read."""
    part = judge.of_lag(None, QUARTER, 300)
    assert (part.state, part.facts["seconds"]) == ("unknown", None)
    assert "not known" in part.said


def test_lag_is_wrong_above_the_alarm() -> None:
    """IteratorAge is in milliseconds, the alarm in seconds."""
    assert judge.of_lag(300_000, QUARTER, 300).state == "well"
    assert judge.of_lag(300_001, QUARTER, 300).state == "wrong"


def test_alarms_that_are_on_are_named() -> None:
    """Those without data are named too, and are not wrong by themselves."""
    alarms = [("b", "ALARM"), ("a", "ALARM"), ("c", "INSUFFICIENT_DATA"), ("d", "OK")]
    listed = [{"AlarmName": name, "StateValue": state} for name, state in alarms]
    part = judge.of_alarms(listed)
    assert part.facts == {"alarm": ["a", "b"], "insufficient_data": ["c"], "ok": 1}
    assert (part.state, judge.of_alarms(listed[2:]).state) == ("wrong", "well")


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (Reconciled(NOW - timedelta(hours=9), "clean"), "well"),
        (Reconciled(NOW - timedelta(hours=9), "drift"), "wrong"),
        (Reconciled(NOW - timedelta(hours=9), "incomplete"), "wrong"),
        (Reconciled(NOW - timedelta(hours=27), "clean"), "wrong"),
        (None, "wrong"),
    ],
)
def test_a_reconciliation_is_clean_and_of_late(last: Reconciled | None, state: str) -> None:
    """One that did not run, or not lately, proves nothing."""
    assert judge.of_reconciliation(last, 26, NOW).state == state


def test_what_waits_for_an_operator_is_wrong() -> None:
    """Nothing should wait; a page that was cut off may hide some."""
    assert judge.of_count("quarantine", 0, "records", more=False).state == "well"
    assert judge.of_count("quarantine", 0, "records", more=True).state == "wrong"
    part = judge.of_count("quarantine", 1000, "records", more=True)
    assert part.said == "1,000 or more records"


@pytest.mark.parametrize(
    ("clean", "incomplete", "verdict"), [(1, 0, "clean"), (0, 0, "drift"), (0, 1, "incomplete")]
)
def test_the_nightly_jobs_log_line_tells_its_verdict(
    clean: int, incomplete: int, verdict: str
) -> None:
    """A value alone or in a list, as Powertools writes it."""
    line = {"_aws": {"Timestamp": 1_772_366_400_000}, "Clean": [clean], "Incomplete": incomplete}
    found = judge.reconciled(json.dumps(line))
    assert found == Reconciled(NOW, verdict)  # type: ignore[arg-type]  # a parameter of the test


@pytest.mark.parametrize("line", ["START RequestId", "[]", "{}", '{"Clean": 1}', "1"])
def test_other_log_lines_tell_nothing(line: str) -> None:
    """Lambda's own lines, and those of other metrics."""
    assert judge.reconciled(line) is None


def test_one_refusal_hides_no_other_part(session: boto3.Session) -> None:
    """What could not be looked at is wrong, with the permission that AWS names; the rest is seen."""
    aws = Aws(session)
    denied = "User: u is not authorized to perform: lambda:GetFunctionConfiguration"
    stack = Stack(
        "folio", "id", "CREATE_COMPLETE", outputs={"ProjectorFunction": "f", "QuarantineTable": "q"}
    )
    lambda_, dynamodb = Stubber(aws.client("lambda")), Stubber(aws.client("dynamodb"))
    cloudformation, cloudwatch = (
        Stubber(aws.client("cloudformation")),
        Stubber(aws.client("cloudwatch")),
    )
    lambda_.add_client_error("get_function_configuration", "AccessDeniedException", denied)
    dynamodb.add_response("scan", {"Count": 2}, {"TableName": "q", "Select": "COUNT"})
    cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": []})
    cloudwatch.add_response("get_metric_data", {"MetricDataResults": []})
    with lambda_, dynamodb, cloudformation, cloudwatch:
        parts = {part.name: part for part in status.look(aws, stack, NOW)}
    assert (parts["stack"].state, parts["lag"].state) == ("well", "unknown")
    assert "perform: lambda:GetFunctionConfiguration" in parts["projector"].said
    assert parts["quarantine"].facts["count"] == 2
    assert "no output 'ReconcilerFunction'" in parts["reconciler"].said
    assert {parts[name].state for name in ("projector", "reconciler", "mapping")} == {"wrong"}
