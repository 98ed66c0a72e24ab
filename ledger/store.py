"""The one place that talks to DynamoDB: sends requests, and tries again.

Attempts are made here and not by the SDK, because only who sees every attempt can tell "nothing was
written" (each was throttled, refused or never sent) from "unknown" (a reply was lost).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ledger.attempts import MAX_BACKOFF_SECONDS, retrying
from ledger.aws import ATTEMPT_ERRORS, Kind, Repeat, translate
from ledger.clock import Clock
from ledger.errors import Contended, LedgerError, OutcomeUnknown, Unavailable
from ledger.items import Item
from ledger.request import Operation, Request

READS = frozenset({"get_item", "query", "scan", "batch_get_item"})
BATCH_GET_KEYS = 100
META = (("region", "_name"), ("endpoint", "_url"))


class Client(Protocol):
    """What Folio uses of boto3's DynamoDB client: the whole port to storage."""

    def get_item(self, **parameters: Any) -> Any: ...
    def put_item(self, **parameters: Any) -> Any: ...
    def update_item(self, **parameters: Any) -> Any: ...
    def delete_item(self, **parameters: Any) -> Any: ...
    def query(self, **parameters: Any) -> Any: ...
    def scan(self, **parameters: Any) -> Any: ...
    def batch_get_item(self, **parameters: Any) -> Any: ...
    def transact_write_items(self, **parameters: Any) -> Any: ...


class Store:
    """DynamoDB through one client. Thread-safe, as boto3's clients are.

    Args:
        client: boto3's DynamoDB client; its own retries must be off.
        clock: told of every reply.
        attempts: how often a request is sent, the first included.
        backoff_seconds: the longest first wait; it doubles up to 2 s, with full jitter.
        sleep: waits that many seconds.
        token: makes a client token.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        attempts: int,
        backoff_seconds: float,
        sleep: Callable[[float], None],
        token: Callable[[], str],
    ) -> None:
        self.client: Any = client
        self._clock = clock
        self._token = token
        self._attempts = attempts
        self._sleep = sleep
        self._retrying = retrying(attempts, backoff_seconds, sleep)

    def send(self, request: Request) -> Mapping[str, Any]:
        """Send a request until it is answered.

        Raises:
            ConditionFailed, Cancelled: a condition did not hold; what stands there is with it.
            Unavailable, Contended: nothing was written.
            OutcomeUnknown: a write whose reply was lost.
            InvalidRequest, Misconfigured: as their names say.
        """
        parameters = request.parameters
        if request.operation == "transact_write_items":
            # One token for all attempts of one built request: a resend gets the first one's result.
            parameters = {**parameters, "ClientRequestToken": self._token()}
        failed: list[Kind] = []
        try:
            return self._retrying(self._attempt, request.operation, parameters, failed)
        except Repeat as last:
            raise _given_up(request.operation, failed, last) from last.__cause__
        except LedgerError as error:
            if "lost" in failed and request.operation not in READS:
                raise _unknown(request.operation, error) from error
            raise

    def _attempt(
        self, operation: Operation, parameters: dict[str, Any], failed: list[Kind]
    ) -> Mapping[str, Any]:
        sent = self._clock.process_time()
        try:
            reply: Mapping[str, Any] = getattr(self.client, operation)(**parameters)
        except ATTEMPT_ERRORS as error:
            if isinstance(error, ClientError):
                self._note(sent, error.response)
            outcome = translate(error, where(self.client, parameters))
            if isinstance(outcome, Repeat):
                failed.append(outcome.kind)
            raise outcome from error
        self._note(sent, reply)
        return reply

    def _note(self, sent: float, reply: Mapping[str, Any]) -> None:
        headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self._clock.observe(sent, self._clock.process_time(), headers.get("date"))

    def get(self, table: str, *key: str, consistent: bool = True) -> Item | None:
        """One item, or None. `key` is its PK, and its SK where the table has one."""
        request = {"TableName": table, "Key": _key(key), "ConsistentRead": consistent}
        item: Item | None = self.send(Request("get_item", request)).get("Item")
        return item

    def get_many(self, table: str, keys: Sequence[tuple[str, ...]]) -> list[Item]:
        """The items of `keys` (no two alike) that exist, read consistently, in any order."""
        wanted = [_key(key) for key in keys]
        chunks = range(0, len(wanted), BATCH_GET_KEYS)
        return [
            item
            for start in chunks
            for item in self._batch_get(table, wanted[start : start + BATCH_GET_KEYS])
        ]

    def _batch_get(self, table: str, pending: list[Item]) -> Iterator[Item]:
        for tried in range(self._attempts):
            wanted = {table: {"Keys": pending, "ConsistentRead": True}}
            reply = self.send(Request("batch_get_item", {"RequestItems": wanted}))
            yield from reply["Responses"].get(table, ())
            pending = reply.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if not pending:
                return
            self._sleep(min(0.05 * 2**tried, MAX_BACKOFF_SECONDS))
        raise Unavailable(f"table {table} kept leaving keys unread: it is throttled")

    def pages(self, request: Request) -> Iterator[list[Item]]:
        """The items of a query or scan, reply by reply, to its end."""
        parameters = request.parameters
        while True:
            reply = self.send(Request(request.operation, parameters))
            yield list(reply["Items"])
            last = reply.get("LastEvaluatedKey")
            if not last:
                return
            parameters = {**parameters, "ExclusiveStartKey": last}


def where(client: Any, parameters: Mapping[str, Any]) -> str:
    """The tables that a request names, the region and the endpoint: for messages."""
    named = [parameters, *parameters.get("RequestItems", {})]
    for item in parameters.get("TransactItems", ()):
        named += item.values()
    names = dict.fromkeys(n if isinstance(n, str) else n.get("TableName") for n in named)
    tables = ", ".join(name for name in names if name)
    asked = [f"table {tables}"] if tables else []
    meta = getattr(client, "meta", None)  # A client that is handed in may not tell.
    told = {name: getattr(meta, f"{name}{end}", None) for name, end in META}
    asked += [f"{name} {value}" for name, value in told.items() if isinstance(value, str)]
    return ", ".join(asked)


def _key(values: tuple[str, ...]) -> Item:
    return {name: {"S": value} for name, value in zip(("PK", "SK"), values, strict=False)}


def _given_up(operation: Operation, failed: Sequence[Kind], last: Repeat) -> LedgerError:
    if "lost" in failed and operation not in READS:
        return _unknown(operation, last)
    times = f"{operation} failed {len(failed)} times, the last as {last}; nothing was written"
    if last.kind == "conflict":
        return Contended(f"{times}: others keep changing the same items, try again")
    return Unavailable(f"{times}: try again later")


def _unknown(operation: Operation, why: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{operation}: a reply was lost ({type(why).__name__}: {why}); it may or may not have been "
        "written: call again with the same id or key"
    )
