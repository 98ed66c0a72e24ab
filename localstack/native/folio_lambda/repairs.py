"""Two faults of LocalStack 4.14.0's streams, mended: without them nothing that was given up could be looked at.

- It takes every record of a table's stream for new, so that none is ever older than `MaximumRecordAgeInSeconds`.
- It cannot write records with binary attributes to the bucket that the mapping names for failures.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from localstack.services.lambda_.event_source_mapping.pollers import stream_poller
from localstack.services.lambda_.event_source_mapping.pollers.dynamodb_poller import DynamoDBPoller
from localstack.utils.json import BytesEncoder


def mend() -> None:
    """Put right what the pollers of mappings do, before the first one runs."""
    DynamoDBPoller.get_approximate_arrival_time = _created_at
    stream_poller.json = SimpleNamespace(loads=json.loads, dumps=_dumps)


def _created_at(_poller: object, record: dict[str, Any]) -> float:
    return cast(float, record["dynamodb"]["ApproximateCreationDateTime"])


def _dumps(value: object) -> str:
    return json.dumps(value, cls=BytesEncoder)
