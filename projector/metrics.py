"""Metrics of a batch, in CloudWatch's embedded format: a small fixed set, by service and ledger alone."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from projector.batch import BatchResult

NAMESPACE = "Folio"
SERVICE = "projector"
NAMES = {
    "applied": "EventsApplied",
    "duplicates": "Duplicates",
    "late": "LateEvents",
    "quarantined": "Quarantined",
    "tampered": "Tampered",
    "suspects": "Suspects",
    "seals": "Seals",
    "splits": "Splits",
    "published": "Published",
}


def emit(result: BatchResult, now: datetime, ledger: str) -> None:
    """Print the batch's metrics as one line, from which CloudWatch takes them, for the ledger of that name."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    metrics.add_dimension(name="ledger", value=ledger)
    for name, count in result.tally.counts().items():
        metrics.add_metric(name=NAMES[name], unit=MetricUnit.Count, value=count)
    if result.newest is not None:
        age = max(0.0, (now - result.newest.astimezone(UTC)).total_seconds())
        metrics.add_metric(name="NewestRecordAge", unit=MetricUnit.Seconds, value=age)
    metrics.flush_metrics()
