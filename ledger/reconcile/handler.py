"""The nightly job as a Lambda function: `ledger.reconcile.handler.handler`.

Its verdict is its answer, its log line and its metrics, also when it ran out of time or failed.
Drift raises no error, which would only make Lambda try again: the alarm is on the metrics.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ledger import connect
from ledger.invocation import invocation
from ledger.log import to_stream
from ledger.reconcile import Report, reconcile
from ledger.reconcile.deadline import Remaining
from ledger.reconcile.export import Bucket, night, nights
from ledger.reconcile.export.night import Night
from ledger.reconcile.tell import tell
from ledger.runtime import Runtime
from ledger.settings import Settings
from ledger.tracing import Trace, tracing

NAMESPACE = "Folio"
SERVICE = "reconciler"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the function works with."""

    runtime: Runtime
    trace: Trace


@cache
def parts() -> Parts:
    """The ledger of this environment, by its `LEDGER_*` variables, made at the first call."""
    to_stream(sys.stdout)  # Before the settings, which may be wrong.
    settings = Settings()
    to_stream(sys.stdout, settings.log_level)
    trace = tracing(settings, SERVICE)
    return Parts(connect.runtime(settings, None), trace)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Reconcile: the whole ledger, some accounts, or what a window of time wrote.

    | event                              | what it does                                               |
    | ---------------------------------- | ---------------------------------------------------------- |
    | `{}`                               | the whole ledger                                           |
    | `{"bucket": B}`                    | the same; the report is kept: the next window follows it   |
    | `{"accounts": ["user:42"]}`        | these accounts                                             |
    | `{"bucket": B, "export": "start"}` | has DynamoDB export the next window to the bucket          |
    | S3's `Object Created`, of a part   | reconciles its window once both exports are there          |

    It ends incomplete half a minute before Lambda would end it. An error is raised after its metrics,
    which say that the run was incomplete.
    """
    with invocation(context):
        own = parts()
        with own.trace():
            return _answer(own.runtime, event, _remaining(context))


def _remaining(context: object) -> Remaining | None:
    milliseconds = getattr(context, "get_remaining_time_in_millis", None)
    return None if milliseconds is None else lambda: milliseconds() / 1000


def _answer(rt: Runtime, event: Mapping[str, Any], remaining: Remaining | None) -> dict[str, Any]:
    detail = event.get("detail", {})
    name = event.get("bucket") or detail.get("bucket", {}).get("name")
    bucket = Bucket.connect(name, rt) if name else None
    done = Night({}, Report(verdict="incomplete"))
    try:
        done = _done(rt, event, bucket, remaining)
    finally:
        if done.report is not None:
            tell(done.report)
            emit(done.report, rt.settings.name, some_accounts="accounts" in event)
    if bucket and done.ended:
        night.follow(rt, bucket)
    return dict(done.answer)


def _done(
    rt: Runtime, event: Mapping[str, Any], bucket: Bucket | None, remaining: Remaining | None
) -> Night:
    if bucket and event.get("export") == "start":
        return night.begin(rt, bucket)
    if bucket and "detail" in event:
        return night.compare(rt, bucket, event["detail"]["object"]["key"], remaining=remaining)
    rt.synchronise()
    began = rt.clock.moment()
    report = reconcile(rt, event.get("accounts"), remaining=remaining)
    if bucket and "accounts" not in event:
        report = nights.vouched(report, began, rt.settings.grace_seconds)
        nights.keep(bucket, report)
    return Night(report.to_json(), report)


def emit(report: Report, ledger: str, *, some_accounts: bool = False) -> None:
    """Print the run's metrics as one line, from which CloudWatch takes them, for the ledger of that name.

    A run over some accounts is never counted as clean: the alarm on a missing night would take it for one.
    """
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    metrics.add_dimension(name="ledger", value=ledger)
    counts = {
        "DriftFindings": len(report.findings) + report.omitted,
        "Unread": len(report.unread),
        "Clean": int(report.verdict == "clean"),
        "Incomplete": int(report.verdict == "incomplete"),
        "EntriesCompared": report.entries,
        "EntriesInFlight": report.in_flight,
    }
    if some_accounts:
        del counts["Clean"]
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    metrics.flush_metrics()
