"""A stream whose shards, iterators and losses the test makes: what DynamoDB Streams may do, on order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from projector.record import Record

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/events/stream/2026-09-21T00:00:00.000"
LISTED_AT_ONCE = 2


@dataclass
class FakeShard:
    """Its records, its parent, and whether it has been closed."""

    parent: str | None = None
    records: list[Record] = field(default_factory=list)
    closed: bool = False


class FakeStreams:
    """boto3's DynamoDB Streams client over shards in memory. `calls` lists what was asked.

    An iterator is `<shard>/<how many records lie before it>`.
    """

    def __init__(self) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.calls: list[str] = []
        self.errors: list[str] = []
        """Codes of errors with which the next calls of `get_records` fail."""
        self.at_once = 1000

    def add(
        self,
        id: str,
        records: Sequence[Record] = (),
        parent: str | None = None,
        *,
        closed: bool = False,
    ) -> None:
        """One more shard."""
        self.shards[id] = FakeShard(parent, list(records), closed)

    def describe_stream(self, **asked: Any) -> Any:
        """Two shards at a time, as a stream of many has them."""
        self.calls.append("describe_stream")
        names = list(self.shards)
        last = asked.get("ExclusiveStartShardId")
        start = names.index(last) + 1 if last else 0
        part = names[start : start + LISTED_AT_ONCE]
        more = {"LastEvaluatedShardId": part[-1]} if start + LISTED_AT_ONCE < len(names) else {}
        return {"StreamDescription": {"Shards": [self._described(name) for name in part]} | more}

    def _described(self, name: str) -> dict[str, str]:
        parent = self.shards[name].parent
        return {"ShardId": name} | ({"ParentShardId": parent} if parent else {})

    def get_shard_iterator(self, **asked: Any) -> Any:
        """At the shard's beginning, or after a sequence number."""
        name, after = asked["ShardId"], asked.get("SequenceNumber", "")
        self.calls.append(f"{name} {asked['ShardIteratorType']} {after}".strip())
        records = self.shards[name].records
        before = sum(int(one.sequence_number) <= int(after or 0) for one in records)
        return {"ShardIterator": f"{name}/{before}"}

    def get_records(self, **asked: Any) -> Any:
        """What comes next, and where to go on, unless the shard ends here."""
        name, _, before = asked["ShardIterator"].rpartition("/")
        self.calls.append(f"read {name}")
        if self.errors:
            raise ClientError({"Error": {"Code": self.errors.pop(0), "Message": ""}}, "GetRecords")
        shard, start = self.shards[name], int(before)
        found = shard.records[start : start + min(asked["Limit"], self.at_once)]
        end = start + len(found)
        ended = shard.closed and end == len(shard.records)
        following = {} if ended else {"NextShardIterator": f"{name}/{end}"}
        return {"Records": [raw(one) for one in found]} | following


def raw(one: Record) -> dict[str, Any]:
    """A record as `get_records` has it: binaries as bytes, times in local time."""
    dynamodb: dict[str, Any] = {
        "Keys": one.keys,
        "SequenceNumber": one.sequence_number,
        "ApproximateCreationDateTime": datetime.fromtimestamp(one.created_at.timestamp(), UTC),
    }
    if one.new is not None:
        dynamodb["NewImage"] = one.new
    return {"eventID": one.event_id, "eventName": one.name, "dynamodb": dynamodb}
