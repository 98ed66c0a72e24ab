"""What must hold of a stack, each as a check that raises `AssertionError` where it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ledger import keys
from ledger.items import EXPIRES_AT
from ledger.reconcile import Report
from ledger.reconcile import handler as nightly
from projector import metrics
from projector.batch import BatchResult
from projector.tally import Tally
from tests.support.stack import Resource, Stack

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
STREAM_FORGETS_SECONDS = 86_400


def partial_batches(stack: Stack) -> None:
    """Fault 21: what a batch reports as failed comes again."""
    assert stack.properties("ProjectorMapping")["FunctionResponseTypes"] == [
        "ReportBatchItemFailures"
    ]


def from_the_horizon(stack: Stack) -> None:
    """Fault 43: a mapping made anew misses nothing."""
    assert stack.properties("ProjectorMapping")["StartingPosition"] == "TRIM_HORIZON"


def one_lane(stack: Stack) -> None:
    """Lambda keeps order per item only: more lanes would share an account."""
    assert stack.properties("ProjectorMapping")["ParallelizationFactor"] == 1


def bounded_by_age(stack: Stack) -> None:
    """Never by count, and in time before the stream forgets."""
    mapping = stack.properties("ProjectorMapping")
    assert mapping["MaximumRetryAttempts"] == -1
    assert 3600 <= mapping["MaximumRecordAgeInSeconds"] < STREAM_FORGETS_SECONDS
    assert mapping["BisectBatchOnFunctionError"] is True


def given_up_is_kept(stack: Stack) -> None:
    """In S3, which alone is sent the records themselves; and the mapping counts what is given up."""
    mapping = stack.properties("ProjectorMapping")
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": "<FailureBucket.Arn>"}}
    assert stack.resources["FailureBucket"]["Type"] == "AWS::S3::Bucket"
    assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}


def wakes_for_entries_and_tampering(stack: Stack) -> None:
    """Headers wake nobody, entries do, and so does a change or removal of anything."""
    patterns = [
        json.loads(one["Pattern"])
        for one in stack.properties("ProjectorMapping")["FilterCriteria"]["Filters"]
    ]

    def wakes(name: str, key: str) -> bool:
        record = {"eventName": name, "dynamodb": {"Keys": {"PK": {"S": key}, "SK": {"S": "x"}}}}
        return any(_matches(pattern, record) for pattern in patterns)

    entry, header = keys.account("user:42"), keys.transaction("01J00000000000000000000000")
    assert wakes("INSERT", entry)
    assert not wakes("INSERT", header)
    for name in ("MODIFY", "REMOVE"):
        assert wakes(name, entry)
        assert wakes(name, header)


def _matches(pattern: Any, value: Any) -> bool:
    """Lambda's filters, as far as they are used here: fields, values, prefixes."""
    if isinstance(pattern, dict):
        return all(_matches(wanted, value.get(name)) for name, wanted in pattern.items())
    return any(
        value.startswith(one["prefix"]) if isinstance(one, dict) else value == one
        for one in pattern
    )


def data_outlives_the_stack(stack: Stack) -> None:
    """Tables, and what was given up."""
    for resource in _kept(stack):
        assert resource["DeletionPolicy"] == "Retain"
        assert resource["UpdateReplacePolicy"] == "Retain"


def _kept(stack: Stack) -> Iterator[Resource]:
    for resource in stack.resources.values():
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"):
            yield resource


def tables_are_protected(stack: Stack) -> None:
    """On demand, restorable, and not to be deleted by a slip of the hand."""
    for table in stack.of_type("DynamoDB::Table").values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def keys_alone_expire(stack: Stack) -> None:
    """TTL would delete events and what is in quarantine."""
    expiring = {
        name: table["TimeToLiveSpecification"]
        for name, table in stack.of_type("DynamoDB::Table").items()
        if "TimeToLiveSpecification" in table
    }
    assert expiring == {"IdempotencyTable": {"AttributeName": EXPIRES_AT, "Enabled": True}}


def the_bucket_is_closed(stack: Stack) -> None:
    """Encrypted at rest and on the way, private, versioned, and emptied in time."""
    bucket = stack.properties("FailureBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 90)
    (statement,) = stack.properties("FailureBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def the_night_is_scheduled(stack: Stack) -> None:
    """By a rule that is on, may call the function, and does not try for ever."""
    rule = stack.properties("ReconcilerSchedule")
    assert rule["State"] == "ENABLED"
    assert [target["Arn"] for target in rule["Targets"]] == ["<ReconcilerFunction.Arn>"]
    permission = stack.properties("ReconcilerPermission")
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == "<ReconcilerSchedule.Arn>"
    assert permission["FunctionName"] == "<ReconcilerFunction>"
    assert stack.properties("ReconcilerRetries")["MaximumRetryAttempts"] <= 2


def logs_do_not_grow_for_ever(stack: Stack) -> None:
    """Each function has its group before it first writes, with a retention."""
    groups = stack.of_type("Logs::LogGroup")
    for name, function in stack.of_type("Lambda::Function").items():
        group = stack.resources[name]["DependsOn"]
        assert groups[group]["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
        assert groups[group]["RetentionInDays"] == 90


def every_alarm_reaches_somebody(stack: Stack) -> None:
    """The stack's own topic here; the user's where one is given."""
    for alarm in stack.of_type("CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == ["<AlarmTopic>"]


def every_alarm_has_its_section(stack: Stack) -> None:
    """Its description leads to the heading of its name, and there is no heading without an alarm."""
    alarms = stack.of_type("CloudWatch::Alarm")
    for name, alarm in alarms.items():
        assert alarm["AlarmName"] == f"folio-{name}"
        assert alarm["AlarmDescription"].endswith(f"See docs/operations.md, {name}.")
    headings = re.findall(r"^### (\w+Alarm)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(alarms)


def silence_is_no_alarm_but_of_the_night(stack: Stack) -> None:
    """Where nothing is counted there is nothing wrong; only a reconciliation must be heard of."""
    for name, alarm in stack.of_type("CloudWatch::Alarm").items():
        missing = name == "ReconciliationMissingAlarm"
        assert alarm["TreatMissingData"] == ("breaching" if missing else "notBreaching")


def a_missed_night_is_noticed(stack: Stack) -> None:
    """All hours of the limit without one sample: no run that is moved by a minute leaves a false alarm."""
    alarm = stack.properties("ReconciliationMissingAlarm")
    assert (alarm["Statistic"], alarm["Period"]) == ("SampleCount", 3600)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["EvaluationPeriods"] == alarm.get("DatapointsToAlarm", 26) == 26


def alarms_watch_what_is_emitted(stack: Stack) -> None:
    """Folio's own metrics, under the very dimensions with which the code prints them."""
    watched = {one for one in _watched(stack) if one.namespace == "Folio"}
    assert watched <= emitted("folio")
    assert {one.name for one in watched} >= {"Quarantined", "Suspects", "Tampered", "DriftFindings"}


class Metric(NamedTuple):
    """A metric as CloudWatch knows it."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


def _watched(stack: Stack) -> Iterator[Metric]:
    for alarm in stack.of_type("CloudWatch::Alarm").values():
        stats = [
            one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one
        ]
        for one in stats or [alarm]:
            dimensions = frozenset((d["Name"], d["Value"]) for d in one["Dimensions"])
            yield Metric(one["Namespace"], one["MetricName"], dimensions)


def emitted(ledger: str) -> set[Metric]:
    """What the two functions really print."""
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("builtins.print", lambda line, **_: printed.append(line))
        now = datetime(2026, 9, 21, tzinfo=UTC)
        metrics.emit(BatchResult(Tally(), None, now), now, ledger)
        nightly.emit(Report(verdict="clean"), ledger)
    return {metric for line in map(json.loads, printed) for metric in _declared(line)}


def _declared(line: Mapping[str, Any]) -> Iterator[Metric]:
    for declared in line["_aws"]["CloudWatchMetrics"]:
        for names in declared["Dimensions"]:
            dimensions = frozenset((name, line[name]) for name in names)
            for metric in declared["Metrics"]:
                yield Metric(declared["Namespace"], metric["Name"], dimensions)


def all_is_tagged(stack: Stack) -> None:
    """Whatever takes tags says of which ledger it is."""
    untaggable = {
        "AWS::IAM::ManagedPolicy",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
    }
    for resource in stack.resources.values():
        if resource["Type"] not in untaggable:
            assert {"Key": "folio:ledger", "Value": "folio"} in resource["Properties"]["Tags"]
