"""What time brings about: records that are given up, the nightly schedule, and the alarms."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from folio_localstack import LocalStack

from ledger import Money
from tests.stack.support.deployed import Deployed
from tests.stack.support.projector import Projector
from tests.stack.support.stacks import deploy, folio
from tests.stack.support.waiting import eventually

ALARM = (
    *("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "Threshold"),
    *("ComparisonOperator", "EvaluationPeriods", "TreatMissingData", "AlarmActions"),
)
"""What such an alarm is made of."""
LEAST_AGE_SECONDS = "60"
"""That Lambda allows."""


def deposit(deployed: Deployed, account: str, cents: int) -> None:
    deployed.ledger.transfer(
        source="world:card", destination=account, money=Money(cents, "EUR"), type="deposit"
    )


@dataclass(frozen=True)
class Aged:
    """A stack whose projector has failed from the beginning, until it is mended."""

    deployed: Deployed
    mend: Callable[[], None]

    def letters(self) -> list[str]:
        """What the mapping gave up on: the objects in its bucket."""
        bucket = self.deployed.outputs["FailureBucket"]
        found = self.deployed.client("s3").list_objects_v2(Bucket=bucket)
        return [one["Key"] for one in found.get("Contents", [])]


@pytest.fixture(scope="module")
def aged(localstack: LocalStack, zip_: Path) -> Aged:
    """Two deposits, of which the projector applies none while they grow old."""
    deployed = deploy(localstack, zip_, "aged", MaximumRecordAgeSeconds=LEAST_AGE_SECONDS)
    fault = ExitStack()
    fault.enter_context(Projector(deployed, zip_).faulty("raise"))
    deposit(deployed, "user:1", 1250)
    deposit(deployed, "user:2", 700)
    return Aged(deployed, fault.close)


@pytest.fixture(scope="module")
def nightly(aged: Aged, localstack: LocalStack, zip_: Path) -> Deployed:
    """A stack whose night comes every minute; the other one's records grow old meanwhile."""
    return deploy(localstack, zip_, "nightly", ReconcileSchedule="rate(1 minute)")


def state(deployed: Deployed, alarm: str) -> str:
    (found,) = deployed.client("cloudwatch").describe_alarms(
        AlarmNames=[f"{deployed.name}-{alarm}"]
    )["MetricAlarms"]
    return str(found["StateValue"])


def nights(deployed: Deployed) -> list[dict[str, Any]]:
    """What each run of the nightly function says in its log."""
    lines = deployed.log(deployed.outputs["ReconcilerFunction"])
    said = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in said if line.get("event") == "reconciled"]


def metric(deployed: Deployed, name: str) -> float:
    return deployed.metric("Folio", name, service="reconciler", ledger=deployed.name)


def mailbox(deployed: Deployed) -> str:
    """A queue that is told of what the alarms tell; its URL."""
    sqs = deployed.client("sqs")
    url = sqs.create_queue(QueueName=f"{deployed.name}-alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    deployed.client("sns").subscribe(
        TopicArn=deployed.outputs["AlarmTopic"], Protocol="sqs", Endpoint=arn["QueueArn"]
    )
    return str(url)


def received(deployed: Deployed, url: str) -> list[str]:
    """The alarms in the mailbox: their names."""
    messages = deployed.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    bodies = [json.loads(one["Body"]) for one in messages.get("Messages", [])]
    return [json.loads(body["Message"])["AlarmName"] for body in bodies]


def test_the_night_comes_by_its_schedule_and_drift_rings(nightly: Deployed) -> None:
    """A clean night is counted and rings nothing; a balance altered by hand is found by the next, and told."""
    mail = mailbox(nightly)
    # Given a ledger that the schedule has found clean
    deposit(nightly, "user:1", 1250)
    nightly.wait_for_balances({"user:1": 1250})
    ran = len(nights(nightly))
    found = eventually(lambda: nights(nightly)[ran:], lambda new: new, seconds=90)
    assert found[0]["verdict"] == "clean"
    assert metric(nightly, "Clean") == len(nights(nightly))
    assert metric(nightly, "DriftFindings") == 0
    assert state(nightly, "DriftAlarm") != "ALARM"
    # When a balance is altered by hand
    nightly.client("dynamodb").update_item(
        TableName=nightly.variables["LEDGER_BALANCES_TABLE"],
        Key={"PK": {"S": "ACCOUNT#user:1"}, "SK": {"S": "BALANCE#EUR"}},
        UpdateExpression="ADD credits :c",
        ExpressionAttributeValues={":c": {"N": "1000000"}},
    )
    # Then a night finds it, and the alarm rings
    eventually(lambda: nights(nightly)[-1]["verdict"], lambda last: last == "drift", seconds=90)
    assert metric(nightly, "DriftFindings") >= 1
    eventually(lambda: state(nightly, "DriftAlarm"), lambda now: now == "ALARM", seconds=90)
    eventually(lambda: received(nightly, mail), lambda names: "nightly-DriftAlarm" in names)


def test_a_night_that_runs_out_of_time_says_so_and_rings(nightly: Deployed) -> None:
    """The nightly function ends incomplete before Lambda would end it, and the alarm rings."""
    # Given
    name = nightly.outputs["ReconcilerFunction"]
    nightly.client("lambda").update_function_configuration(FunctionName=name, Timeout=20)
    nightly.client("lambda").get_waiter("function_updated_v2").wait(FunctionName=name)
    # When
    answer = nightly.invoke(name, {})
    # Then
    assert (answer.error, answer.value["verdict"]) == (None, "incomplete")
    eventually(lambda: state(nightly, "IncompleteAlarm"), lambda now: now == "ALARM", seconds=90)


def test_the_missing_night_rings(nightly: Deployed) -> None:
    """The alarm rang in the new stack, where no night had been yet, and rings no more now that there was one."""
    alarms, name = nightly.client("cloudwatch"), "nightly-ReconciliationMissingAlarm"
    # Given an alarm that LocalStack looked at when it was made, and will again in 26 hours
    assert state(nightly, "ReconciliationMissingAlarm") == "ALARM"
    # When it is made again as it was
    (alarm,) = alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    alarms.delete_alarms(AlarmNames=[name])
    alarms.put_metric_alarm(**{key: value for key, value in alarm.items() if key in ALARM})
    # Then
    eventually(lambda: state(nightly, "ReconciliationMissingAlarm"), lambda now: now == "OK")


def test_what_the_projector_gave_up_is_kept_whole_and_redriven(aged: Aged) -> None:
    """What failed for too long goes to the bucket, the shard goes on, and redrive applies it from there."""
    stack = aged.deployed
    # Given records that grew too old
    eventually(aged.letters, lambda keys: keys, seconds=180)
    # When the projector is mended, and goes on
    aged.mend()
    deposit(stack, "user:3", 30)
    stack.wait_for_balances({"user:3": 30})
    assert stack.ledger.balance("user:1", "EUR", consistency="view").entry_count == 0
    # And what it gave up is redriven
    folio(stack, "redrive", "--dead-letters", f"s3://{stack.outputs['FailureBucket']}", own=True)
    # Then
    stack.wait_for_balances(
        {"user:1": 1250, "user:2": 700, "user:3": 30, "world:card": -1980}, seconds=1
    )
    assert aged.letters() == []
    answer = stack.invoke(stack.outputs["ReconcilerFunction"], {})
    assert answer.value["verdict"] == "clean"
