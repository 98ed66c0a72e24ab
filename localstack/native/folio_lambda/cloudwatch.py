"""Publishes the embedded metrics of a function's log to LocalStack's CloudWatch."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from localstack.aws.connect import connect_to

from folio_lambda.embedded_metrics import Malformed, Metrics, parse

LOG = logging.getLogger(__name__)
MAX_DATA = 1000
"""In one request."""


def publish(lines: Iterable[str], account: str, region: str) -> None:
    """Put the metrics that the lines carry. What fails is logged: it is not the function's failure."""
    for metrics in _parsed(lines):
        client = connect_to(aws_access_key_id=account, region_name=region).cloudwatch
        for start in range(0, len(metrics.data), MAX_DATA):
            data = metrics.data[start : start + MAX_DATA]
            try:
                client.put_metric_data(Namespace=metrics.namespace, MetricData=data)
            except Exception as error:  # noqa: BLE001  # a bad unit, a service that is off: all are logged
                LOG.warning("metrics of %s were not taken: %s", metrics.namespace, error)


def _parsed(lines: Iterable[str]) -> Iterable[Metrics]:
    for line in lines:
        try:
            yield from parse(line)
        except Malformed as error:
            LOG.warning("a log line is not in the embedded metric format: %s", error)
