"""The nightly job as a Lambda function: `ledger.reconcile.handler.handler`.

Its verdict is its answer, its log line and its metrics. Drift raises no error, which would only
make Lambda try again: the alarm is on the metrics.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ledger import connect
from ledger.log import to_stream
from ledger.reconcile import Report, reconcile
from ledger.runtime import Runtime
from ledger.settings import Settings

NAMESPACE = "Folio"
SERVICE = "reconciler"


@cache
def runtime() -> Runtime:
    """The ledger of this environment, by its `LEDGER_*` variables, made at the first call."""
    to_stream(sys.stdout)
    return connect.runtime(Settings(), None)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  # Lambda passes it
    """Reconcile the whole ledger, or the accounts of `{"accounts": ["user:42"]}`."""
    report = reconcile(runtime(), event.get("accounts"))
    emit(report)
    return report.to_json()


def emit(report: Report) -> None:
    """Print the run's metrics as one line, from which CloudWatch takes them."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    counts = {
        "DriftFindings": len(report.findings) + report.omitted,
        "Unread": len(report.unread),
        "Clean": int(report.verdict == "clean"),
        "Incomplete": int(report.verdict == "incomplete"),
        "EntriesCompared": report.entries,
        "EntriesInFlight": report.in_flight,
    }
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    metrics.flush_metrics()
