"""Dead letters: what Lambda gave up on and put into a bucket is applied, and only then removed.

Lambda writes one object for each batch that it gave up, when its records grew too old. Of all
on-failure destinations S3 alone gets `payload`, the whole event with its records.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ledger.runtime import Runtime
from projector.batch import process
from projector.bucket import Bucket, Place, S3Client
from projector.publish import Bus
from projector.record import Record, from_lambda
from projector.tally import Tally

STREAM_TABLE = re.compile(r":table/([^/]+)/stream/")
MAX_LETTER_BYTES = 32 * 1024 * 1024
"""An event has at most 6 MB, a little more than twice that as a text within a text."""

REPAIR = "`folio reconcile` names what the view misses, `folio repair` applies it from the log"

Fate = Literal["applied", "failed", "left"]


class NotALetter(Exception):
    """The object holds no records that could be applied; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What became of one object. It was removed when it was `applied`.

    `records` is how many it held, `tally` what they came to; those in quarantine count as applied.
    """

    key: str
    fate: Fate
    records: int = 0
    tally: Tally = field(default_factory=Tally)
    reason: str = ""


def redrive(
    rt: Runtime,
    client: S3Client,
    place: Place,
    *,
    parallel: int,
    bus: Bus | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Letter]:
    """Apply the records of each object, one object at a time; then remove it.

    Raises:
        Misconfigured, Unavailable: of the bucket; or tables or permissions are missing.
    """
    bucket = Bucket(client, place.bucket, rt.settings, sleep)
    for key, size in bucket.keys(place.prefix):
        if size > MAX_LETTER_BYTES:
            why = f"it is no dead letter of Lambda's: {size} bytes are more than an event has"
            yield Letter(key, "left", reason=why)
            continue
        body = bucket.read(key)
        if body is not None:  # Someone else may be at it, too.
            yield _one(rt, bucket, key, body, parallel, bus)


def _one(
    rt: Runtime, bucket: Bucket, key: str, body: bytes, parallel: int, bus: Bus | None
) -> Letter:
    try:
        records = records_of(body, rt.settings.events_table)
    except NotALetter as why:
        return Letter(key, "left", reason=str(why))
    return _apply(rt, bucket, key, records, parallel, bus)


def _apply(
    rt: Runtime,
    bucket: Bucket,
    key: str,
    records: Sequence[Record],
    parallel: int,
    bus: Bus | None,
) -> Letter:
    result = process(rt, records, parallel=parallel, bus=bus)
    if result.error is not None:
        raise result.error
    if result.failed_from is not None:
        why = "some records were refused: the log lines say why; try again later"
        return Letter(key, "failed", len(records), result.tally, why)
    bucket.remove(key)
    return Letter(key, "applied", len(records), result.tally)


def records_of(body: bytes, events_table: str) -> list[Record]:
    """The records of a dead letter of that table's stream. Raises `NotALetter`."""
    letter = _object(body, "it is no JSON object, so no dead letter of Lambda's")
    batch = letter.get("DDBStreamBatchInfo")
    if not isinstance(batch, Mapping):
        raise NotALetter(
            "it has no DDBStreamBatchInfo, so it is no dead letter of a DynamoDB stream"
        )
    _of_table(str(batch.get("streamArn", "")), events_table)
    if "payload" not in letter:
        raise NotALetter(
            f"it has no payload, only its place in the stream ({batch.get('batchSize')} records of "
            f"shard {batch.get('shardId')}): {REPAIR}"
        )
    payload = letter["payload"]
    event = _object(payload, "its payload is no event") if isinstance(payload, str) else payload
    try:
        return [from_lambda(raw) for raw in event["Records"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotALetter(f"its payload is no event of a DynamoDB stream: {REPAIR}") from error


def _object(text: str | bytes, wrong: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise NotALetter(wrong) from error
    if not isinstance(value, Mapping):
        raise NotALetter(wrong)
    return value


def _of_table(stream_arn: str, events_table: str) -> None:
    """Another table's entries are not in this log, and no balance may have them."""
    table = STREAM_TABLE.search(stream_arn)
    if table is None or table[1] != events_table:
        whose = f"table {table[1]}" if table else "no table"
        raise NotALetter(
            f"it is of the stream of {whose}, and LEDGER_EVENTS_TABLE is {events_table}"
        )
