"""The shards of a stream: which there are, which may be read, and where each reader stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from projector.record import Record, from_stream

GET_RECORDS_LIMIT = 1000


class StreamsClient(Protocol):
    """What Folio uses of boto3's DynamoDB Streams client."""

    def describe_stream(self, **parameters: Any) -> Any: ...
    def get_shard_iterator(self, **parameters: Any) -> Any: ...
    def get_records(self, **parameters: Any) -> Any: ...


@dataclass(slots=True)
class Shard:
    """One shard and its reader: `after` is the last sequence number that was applied."""

    id: str
    parent: str | None
    after: str | None = None
    iterator: str | None = None
    finished: bool = False


def listed(streams: StreamsClient, arn: str) -> Iterator[Mapping[str, Any]]:
    """All shards that the stream still has."""
    start: dict[str, str] = {}
    while True:
        found = streams.describe_stream(StreamArn=arn, **start)["StreamDescription"]
        yield from found["Shards"]
        if "LastEvaluatedShardId" not in found:
            return
        start = {"ExclusiveStartShardId": found["LastEvaluatedShardId"]}


def updated(
    known: Mapping[str, Shard], found: Iterable[Mapping[str, Any]], after: Mapping[str, str]
) -> dict[str, Shard]:
    """The known shards that still exist, and new ones, from their checkpoint or their beginning."""
    ids = {shard["ShardId"]: shard.get("ParentShardId") for shard in found}
    return {
        id: known.get(id) or Shard(id, parent, after=after.get(id)) for id, parent in ids.items()
    }


def readable(shards: Mapping[str, Shard]) -> list[Shard]:
    """The shards whose turn it is: parents before children."""

    def waits(shard: Shard) -> bool:
        parent = shards.get(shard.parent or "")
        return parent is not None and not parent.finished

    return [s for s in shards.values() if not s.finished and not waits(s)]


def read(streams: StreamsClient, arn: str, shard: Shard) -> list[Record]:
    """The next records of a shard; an iterator that expired, or was trimmed, is made anew."""
    try:
        if shard.iterator is None:
            shard.iterator = _iterator(streams, arn, shard)
        reply = streams.get_records(ShardIterator=shard.iterator, Limit=GET_RECORDS_LIMIT)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
            raise
        if code == "TrimmedDataAccessException":
            shard.after = None  # What is gone is the reconciler's to name; go on from the oldest.
        shard.iterator = None
        return []
    shard.iterator = reply.get("NextShardIterator")
    records = [from_stream(raw) for raw in reply["Records"]]
    if shard.iterator is None and not records:
        shard.finished = True
    return records


def _iterator(streams: StreamsClient, arn: str, shard: Shard) -> str:
    where = (
        {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": shard.after}
        if shard.after
        else {"ShardIteratorType": "TRIM_HORIZON"}
    )
    iterator: str = streams.get_shard_iterator(StreamArn=arn, ShardId=shard.id, **where)[
        "ShardIterator"
    ]
    return iterator
