"""The Lambda function of the stream: `projector.handler.handler`.

Set `ReportBatchItemFailures` on its event source mapping: without it Lambda takes every answer for
success, and what failed is lost.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ledger import connect
from ledger.invocation import invocation
from ledger.log import to_stream
from ledger.runtime import Runtime
from ledger.settings import Settings
from ledger.tracing import Trace, tracing
from projector import metrics
from projector.batch import process
from projector.publish import Bus, connect_bus
from projector.record import from_lambda

FOLDS_SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """What the function works with."""

    runtime: Runtime
    bus: Bus | None
    trace: Trace


@cache
def parts() -> Parts:
    """The ledger of this environment, by its `LEDGER_*` variables, made at the first call."""
    to_stream(sys.stdout)  # Before the settings, which may be wrong.
    settings = Settings()
    to_stream(sys.stdout, settings.log_level)
    trace = tracing(settings, metrics.SERVICE)
    return Parts(connect.runtime(settings, None), connect_bus(settings, None), trace)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Apply a batch of stream records; answer with the lowest sequence number that failed, if any.

    Lambda then sends everything from that record again, harmlessly. An error that is none of
    DynamoDB's refusals is raised, and so are missing tables and permissions, that Lambda's count of
    errors shows them: Lambda repeats the whole batch.
    """
    with invocation(context):
        own = parts()
        with own.trace():
            return _answer(own, event)


def _answer(own: Parts, event: Mapping[str, Any]) -> dict[str, Any]:
    records = [from_lambda(raw) for raw in event["Records"]]
    result = process(own.runtime, records, parallel=FOLDS_SIDE_BY_SIDE, bus=own.bus)
    metrics.emit(result, datetime.now(UTC), own.runtime.settings.name)
    if result.error is not None:
        raise result.error
    failed = result.failed_from
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}
