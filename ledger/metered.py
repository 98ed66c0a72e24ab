"""A client that counts what its requests cost, by AWS's rules and not by the engine's.

What a write costs depends on what stood there, so the meter reads that itself, beside the requests
that it counts: it is for engines, in tests, benchmarks and the demo, and not for production, where
`ReturnConsumedCapacity` and CloudWatch say what was billed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from ledger.items import Item
from ledger.metering import (
    Consistency,
    Cost,
    Image,
    Index,
    get_units,
    index_write_units,
    query_units,
    write_units,
)
from ledger.settings import Settings
from ledger.tables import definitions

SINGLE = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}
ABSENT = "attribute_not_exists(PK)"
FAILED_CONDITIONS = ("ConditionalCheckFailedException", "TransactionCanceledException")
REMEMBERED_TOKENS = 256


def listing_indexes(settings: Settings) -> list[Index]:
    """The indexes of Folio's tables, all of which project keys only."""
    return [
        Index(table["TableName"], _names(index), _names(table))
        for table in definitions(settings)
        for index in table.get("GlobalSecondaryIndexes", ())
    ]


def _names(definition: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(key["AttributeName"] for key in definition["KeySchema"])


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a request: where, and what it puts (None: it is no put)."""

    kind: str
    table: str
    key: Item
    put: Item | None
    absent: bool
    """It puts only where nothing stands, so that what stood there need not be read."""


def writes(operation: str, parameters: Mapping[str, Any]) -> list[Write]:
    """The writes of a request; none for a read."""
    if operation == "transact_write_items":
        return [_write(*pair) for item in parameters["TransactItems"] for pair in item.items()]
    return [_write(SINGLE[operation], parameters)] if operation in SINGLE else []


def _write(kind: str, body: Mapping[str, Any]) -> Write:
    put = body.get("Item")
    key = body["Key"] if put is None else {n: put[n] for n in ("PK", "SK") if n in put}
    absent = put is not None and body.get("ConditionExpression") == ABSENT
    return Write(kind, body["TableName"], key, put, absent)


class MeteredClient:
    """boto3's DynamoDB client, and what its reads and writes have cost, by operation.

    A request that was throttled or refused costs nothing; one whose condition failed costs as if it
    had held. Threads that change the same item at once may count each other's images. It counts
    the operations of `ledger.request.Operation`; others pass through.

    Args:
        client: the client to count; the meter's own reads go to it too, and are not counted.
        indexes: those that the tables have.
    """

    def __init__(self, client: Any, indexes: Sequence[Index] = ()) -> None:
        self._client = client
        self._indexes = indexes
        self._lock = Lock()
        self._costs: dict[str, Cost] = {}
        self._tokens: deque[str] = deque(maxlen=REMEMBERED_TOKENS)

    @property
    def costs(self) -> dict[str, Cost]:
        """What was spent so far, by operation."""
        with self._lock:
            return dict(self._costs)

    @property
    def total(self) -> Cost:
        """What was spent so far."""
        return sum(self.costs.values(), Cost())

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name in SINGLE or name == "transact_write_items":
            return lambda **parameters: self._written(name, method, parameters)
        if name in READS:
            return lambda **parameters: self._read(name, method, parameters)
        return method

    def _add(self, operation: str, *, writes: float = 0, reads: float = 0) -> None:
        with self._lock:
            spent = self._costs.get(operation, Cost())
            self._costs[operation] = spent + Cost(1, writes, reads)

    def _read(self, name: str, method: Callable[..., Any], parameters: dict[str, Any]) -> Any:
        reply = method(**parameters)
        # Whatever a projection or a filter leaves out was read nevertheless.
        whole = _whole(parameters)
        read = reply if whole == parameters else method(**whole)
        self._add(name, reads=READS[name](parameters, read))
        return reply

    def _written(self, name: str, method: Callable[..., Any], parameters: dict[str, Any]) -> Any:
        wanted = writes(name, parameters)
        transactional = name == "transact_write_items"
        before = [None if write.absent else self._image(write) for write in wanted]
        try:
            reply = method(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in FAILED_CONDITIONS:
                standing = _standing(error, before)
                attempted = [write.put or old for write, old in zip(wanted, standing, strict=True)]
                pairs = zip(standing, attempted, strict=True)
                units = sum(write_units(*pair, transactional=transactional) for pair in pairs)
                self._add(name, writes=units)
            raise
        after = [write.put or self._image(write) for write in wanted]
        if self._sent_before(parameters.get("ClientRequestToken")):
            self._add(name, reads=get_units(after, "transactional"))  # It only reads them.
            return reply
        pairs = zip(before, after, strict=True)
        units = sum(write_units(*pair, transactional=transactional) for pair in pairs)
        self._add(name, writes=units + self._index_units(wanted, before, after))
        return reply

    def _image(self, write: Write) -> Image | None:
        found = self._client.get_item(TableName=write.table, Key=write.key, ConsistentRead=True)
        image: Image | None = found.get("Item")
        return image

    def _sent_before(self, token: str | None) -> bool:
        with self._lock:
            known = token in self._tokens
            if token is not None and not known:
                self._tokens.append(token)
        return known

    def _index_units(
        self, wanted: Sequence[Write], before: Sequence[Image | None], after: Sequence[Image | None]
    ) -> int:
        return sum(
            index_write_units(index, old, new)
            for write, old, new in zip(wanted, before, after, strict=True)
            for index in self._indexes
            if index.table == write.table
        )


def _standing(error: ClientError, before: Sequence[Image | None]) -> list[Image | None]:
    """What stood there when a condition failed: the error's own images, where it has them."""
    response: Mapping[str, Any] = error.response
    reasons = response.get("CancellationReasons") or [response]
    return [reason.get("Item") or old for reason, old in zip(reasons, before, strict=True)]


def _whole(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same read, without what leaves out attributes or items."""
    if "RequestItems" in parameters:
        tables = parameters["RequestItems"].items()
        return {**parameters, "RequestItems": {name: _whole(table) for name, table in tables}}
    if not {"ProjectionExpression", "FilterExpression"} & parameters.keys():
        return dict(parameters)
    whole = {
        n: v for n, v in parameters.items() if n not in ("ProjectionExpression", "FilterExpression")
    }
    words = set(re.findall(r"[#:]\w+", parameters.get("KeyConditionExpression", "")))
    for given in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        used = {n: v for n, v in whole.pop(given, {}).items() if n in words}
        whole |= {given: used} if used else {}
    return whole


def _consistency(parameters: Mapping[str, Any]) -> Consistency:
    return "strong" if parameters.get("ConsistentRead") else "eventual"


def _get_reads(parameters: Mapping[str, Any], reply: Mapping[str, Any]) -> float:
    return get_units([reply.get("Item")], _consistency(parameters))


def _query_reads(parameters: Mapping[str, Any], reply: Mapping[str, Any]) -> float:
    return query_units(reply["Items"], _consistency(parameters))


def _batch_reads(parameters: Mapping[str, Any], reply: Mapping[str, Any]) -> float:
    units = 0.0
    for name, table in parameters["RequestItems"].items():
        found = reply["Responses"].get(name, [])
        left = len(reply.get("UnprocessedKeys", {}).get(name, {}).get("Keys", []))
        missing = [None] * (len(table["Keys"]) - left - len(found))
        units += get_units([*found, *missing], _consistency(table))
    return units


READS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], float]] = {
    "get_item": _get_reads,
    "batch_get_item": _batch_reads,
    "query": _query_reads,
    "scan": _query_reads,
}
