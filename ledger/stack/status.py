"""How a running stack is: each part looked at by itself, so that one refusal hides no other part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ledger.errors import LedgerError
from ledger.stack import judge
from ledger.stack.calls import Aws, code, refusals
from ledger.stack.judge import Part, Reconciled
from ledger.stack.stacks import Stack

LAG = timedelta(minutes=15)
METRIC_SECONDS = 60
LOG_STREAMS = 5
LOG_EVENTS = 200
DEAD_LETTERS = "aws/lambda/"
DEFAULTS = {"IteratorAgeAlarmSeconds": "300", "ReconcileAlarmHours": "26"}
"""For a stack whose parameters do not say, as an older one."""


def look(aws: Aws, stack: Stack, now: datetime) -> list[Part]:
    """All parts of the stack, as they are now."""
    out = stack.outputs
    limits = {name: float(stack.parameters.get(name, least)) for name, least in DEFAULTS.items()}
    looks: dict[str, Callable[[], Part]] = {
        "projector": lambda: _function(aws, "projector", out["ProjectorFunction"]),
        "reconciler": lambda: _function(aws, "reconciler", out["ReconcilerFunction"]),
        "mapping": lambda: _mapping(aws, out["ProjectorMapping"]),
        "lag": lambda: _lag(aws, out["ProjectorFunction"], limits["IteratorAgeAlarmSeconds"], now),
        "alarms": lambda: judge.of_alarms(_alarms(aws, stack)),
        "reconciliation": lambda: judge.of_reconciliation(
            _reconciliation(aws, out, limits["ReconcileAlarmHours"], now),
            limits["ReconcileAlarmHours"],
            now,
        ),
        "dead letters": lambda: _dead_letters(aws, out["FailureBucket"]),
        "quarantine": lambda: _quarantined(aws, out["QuarantineTable"]),
    }
    return [judge.of_stack(stack, now), *(_tried(name, one) for name, one in looks.items())]


def _tried(part: str, one: Callable[[], Part]) -> Part:
    try:
        with refusals():
            return one()
    except LedgerError as error:
        return judge.of_refusal(part, error)
    except KeyError as error:
        return judge.of_refusal(part, f"the stack has no output {error}")


def _function(aws: Aws, part: str, name: str) -> Part:
    found = aws.client("lambda").get_function_configuration(FunctionName=name)
    return judge.of_function(part, found)


def _mapping(aws: Aws, uuid: str) -> Part:
    return judge.of_mapping(aws.client("lambda").get_event_source_mapping(UUID=uuid))


def _lag(aws: Aws, function: str, limit_seconds: float, now: datetime) -> Part:
    dimensions = {"FunctionName": function}
    found = _metrics(aws, "AWS/Lambda", ["IteratorAge"], dimensions, "Maximum", now - LAG, now)
    worst = max(found["IteratorAge"].values(), default=None)
    return judge.of_lag(worst, LAG, limit_seconds)


def _alarms(aws: Aws, stack: Stack) -> Iterator[dict[str, Any]]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    names = [
        one["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack.id)
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::CloudWatch::Alarm"
    ]
    if names:  # no names would mean all alarms of the account
        yield from aws.client("cloudwatch").describe_alarms(AlarmNames=names[:100])["MetricAlarms"]


def _reconciliation(
    aws: Aws, out: Mapping[str, str], hours: float, now: datetime
) -> Reconciled | None:
    """By the metrics; by the log where they have none, as of one that is long ago."""
    dimensions = {"service": "reconciler", "ledger": out["Name"]}
    names, since = ["Clean", "Incomplete"], now - timedelta(hours=hours)
    found = _metrics(aws, "Folio", names, dimensions, "Sum", since, now)
    if not found["Clean"]:
        return _logged(aws, f"/aws/lambda/{out['ReconcilerFunction']}")
    last = max(found["Clean"])
    verdict = judge.verdict(found["Clean"][last], found["Incomplete"].get(last, 0))
    return Reconciled(last, verdict)


def _metrics(
    aws: Aws,
    namespace: str,
    names: list[str],
    dimensions: Mapping[str, str],
    statistic: str,
    since: datetime,
    now: datetime,
) -> dict[str, dict[datetime, float]]:
    """Each metric's values by minute."""
    queries = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                },
                "Period": METRIC_SECONDS,
                "Stat": statistic,
            },
        }
        for name in names
    ]
    pages = aws.client("cloudwatch").get_paginator("get_metric_data")
    values: dict[str, dict[datetime, float]] = {name: {} for name in names}
    by_id = {name.lower(): name for name in names}
    for page in pages.paginate(MetricDataQueries=queries, StartTime=since, EndTime=now):
        for one in page["MetricDataResults"]:
            at = [when.astimezone(UTC) for when in one["Timestamps"]]
            values[by_id[one["Id"]]].update(zip(at, one["Values"], strict=True))
    return values


def _logged(aws: Aws, group: str) -> Reconciled | None:
    logs = aws.client("logs")
    try:
        streams = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=LOG_STREAMS
        )["logStreams"]
    except ClientError as error:
        if code(error) == "ResourceNotFoundException":
            return None
        raise
    found = [
        said
        for stream in streams
        for event in logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], limit=LOG_EVENTS
        )["events"]
        if (said := judge.reconciled(event["message"]))
    ]
    return max(found, key=lambda one: one.at, default=None)


def _dead_letters(aws: Aws, bucket: str) -> Part:
    found = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=DEAD_LETTERS)
    count, more = len(found.get("Contents", ())), bool(found.get("IsTruncated"))
    return judge.of_count("dead letters", count, f"batches wait in {bucket}", more=more)


def _quarantined(aws: Aws, table: str) -> Part:
    """One page is enough to know that there are some."""
    found = aws.client("dynamodb").scan(TableName=table, Select="COUNT")
    more = "LastEvaluatedKey" in found
    return judge.of_count("quarantine", found["Count"], f"records wait in {table}", more=more)
