"""The Lambda function of the stream: `projector.handler.handler`.

Set `ReportBatchItemFailures` on its event source mapping: without it Lambda takes every answer for
success, and what failed is lost.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ledger import connect
from ledger.log import to_stream
from ledger.runtime import Runtime
from ledger.settings import Settings
from projector import metrics
from projector.batch import process
from projector.record import from_lambda

FOLDS_SIDE_BY_SIDE = 8


@cache
def runtime() -> Runtime:
    """The ledger of this environment, by its `LEDGER_*` variables, made at the first call."""
    to_stream(sys.stdout)
    return connect.runtime(Settings(), None)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  # Lambda passes it
    """Apply a batch of stream records; answer with the lowest sequence number that failed, if any.

    Lambda then sends everything from that record again, harmlessly. An error that is none of
    DynamoDB's refusals is raised: Lambda repeats the whole batch.
    """
    records = [from_lambda(raw) for raw in event["Records"]]
    result = process(runtime(), records, parallel=FOLDS_SIDE_BY_SIDE)
    metrics.emit(result, datetime.now(UTC))
    failed = result.failed_from
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}
