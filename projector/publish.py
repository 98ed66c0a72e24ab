"""The optional bus: each entry that was applied, published to EventBridge at least once.

The view never waits for a reader of the bus: what the bus does not take now comes again with the
stream, and what it will never take waits in quarantine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

import boto3
from botocore.exceptions import ClientError

from ledger import connect
from ledger.attempts import retrying
from ledger.aws import ATTEMPT_ERRORS, INVALID, Repeat, translate
from ledger.fingerprint import instant
from ledger.model import Entry
from ledger.settings import Settings

SOURCE = "folio"
DETAIL_TYPE = "EntryApplied"
DETAIL_VERSION = 1
MAX_CALL_ENTRIES = 10
MAX_CALL_BYTES = 256_000
"""EventBridge takes less than 256 KB a call, by its own count: `size`."""

TIME_BYTES = 14
MAX_MESSAGE = 500
PASSING = frozenset({"InternalException", "InternalFailure", "ThrottlingException"})
"""What EventBridge says of an entry that it may take later. All else is for good."""


class EventsClient(Protocol):
    """What Folio uses of boto3's EventBridge client."""

    def put_events(self, **parameters: Any) -> Any:
        """Put up to ten entries on a bus."""


@dataclass(frozen=True, slots=True)
class Unpublished:
    """Why an entry is not on the bus. `for_good`: no repetition helps, an operator must."""

    reason: str
    for_good: bool


class Bus:
    """One EventBridge bus. Thread-safe, as boto3's clients are.

    Args:
        client: boto3's EventBridge client; its own retries must be off.
        name: the bus's name or ARN.
        ledger: the ledger's name, which each event carries.
        attempts, backoff_seconds, sleep: as of `ledger.attempts.retrying`.
    """

    def __init__(
        self,
        client: EventsClient,
        name: str,
        *,
        ledger: str,
        attempts: int,
        backoff_seconds: float,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._name = name
        self._ledger = ledger
        self._retrying = retrying(attempts, backoff_seconds, sleep)

    def publish(self, entries: Sequence[Entry], *, parallel: int) -> dict[str, Unpublished]:
        """Publish entries, up to `parallel` calls at once; those that were not, by id.

        Nothing is raised. When a call has been tried in vain, those not begun are not tried: a bus
        that is down must not cost the time of a whole batch.
        """
        down = Event()
        calls = list(_calls({one.id: event(one, self._name, self._ledger) for one in entries}))
        if parallel == 1 or len(calls) <= 1:
            done = [self._call(call, down) for call in calls]
        else:
            with ThreadPoolExecutor(min(parallel, len(calls))) as pool:
                done = list(pool.map(lambda call: self._call(call, down), calls))
        return {id: why for some in done for id, why in some.items()}

    def _call(self, events: Mapping[str, Any], down: Event) -> dict[str, Unpublished]:
        """Send some events until each is taken, refused, or tried often enough."""
        left, refused = dict(events), dict[str, Unpublished]()
        if down.is_set():
            return self._again(left, "another call was tried in vain")
        try:
            self._retrying(self._attempt, left, refused)
        except Repeat as last:
            down.set()
            return refused | self._again(left, str(last))
        return refused

    def _again(self, left: Mapping[str, Any], why: str) -> dict[str, Unpublished]:
        return dict.fromkeys(left, Unpublished(f"event bus {self._name}: {why}", for_good=False))

    def _attempt(self, left: dict[str, Any], refused: dict[str, Unpublished]) -> None:
        """Send what is left. What was taken or refused leaves `left`."""
        try:
            reply = self._client.put_events(Entries=list(left.values()))
        except ATTEMPT_ERRORS as error:
            meant, code = translate(error), _code(error)
            if isinstance(meant, Repeat) or code in PASSING:
                raise Repeat("lost", code) from error
            self._refuse(error, left, refused)
            return
        results = reply.get("Entries", ())
        if len(results) != len(left):
            raise Repeat("lost", "a reply that is not of these events")
        passing = [
            self._settle(id, one, left, refused)
            for id, one in zip(list(left), results, strict=True)
        ]
        if left:
            raise Repeat("throttled", max(passing))

    def _settle(
        self,
        id: str,
        result: Mapping[str, Any],
        left: dict[str, Any],
        refused: dict[str, Unpublished],
    ) -> str:
        """Take in the reply to one event. The code of what may pass, or nothing."""
        code = result.get("ErrorCode") or ""
        if code in PASSING:
            return code
        del left[id]
        if code:
            refused[id] = self._for_good(code, result.get("ErrorMessage", ""))
        return ""

    def _refuse(
        self, error: Exception, left: dict[str, Any], refused: dict[str, Unpublished]
    ) -> None:
        """The call as a whole was refused. Where one event may be the cause, each goes alone."""
        code = _code(error)
        if code in INVALID and len(left) > 1:
            for id in list(left):
                alone = {id: left[id]}
                self._attempt(alone, refused)
                del left[id]
            return
        refused |= dict.fromkeys(left, self._for_good(code, str(error)))
        left.clear()

    def _for_good(self, code: str, message: str) -> Unpublished:
        said = f"{code}: {message[:MAX_MESSAGE]}"
        return Unpublished(f"event bus {self._name} refused it for good: {said}", for_good=True)


def _code(error: Exception) -> str:
    told = error.response["Error"] if isinstance(error, ClientError) else {}
    return told.get("Code", type(error).__name__)


def event(entry: Entry, bus: str, ledger: str) -> dict[str, Any]:
    """An entry as PutEvents takes it. Neither description nor metadata is in it.

    Amounts are strings of digits: JSON's readers lose integers beyond 2**53.
    """
    detail = {
        "version": DETAIL_VERSION,
        "ledger": ledger,
        "id": entry.id,
        "transaction_id": entry.transaction_id,
        "account": entry.account,
        "currency": entry.currency,
        "direction": entry.direction,
        "amount_minor": str(entry.amount_minor),
        "pending_minor": str(entry.pending_minor),
        "type": entry.type,
        "recorded_at": instant(entry.recorded_at),
        "effective_at": instant(entry.effective_at),
        "counterparties": list(entry.counterparties),
        "origin": entry.origin,
    }
    return {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Time": entry.recorded_at,
        "Detail": json.dumps(detail, separators=(",", ":")),
    }


def size(one: Mapping[str, Any]) -> int:
    """The bytes of an event as EventBridge counts them."""
    texts = (one["Source"], one["DetailType"], one["Detail"])
    return TIME_BYTES + sum(len(text.encode()) for text in texts)


def _calls(events: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, dict[str, Any]]]:
    """The events in calls of at most ten and 256 KB. One that is larger goes alone, and is refused."""
    call: dict[str, dict[str, Any]] = {}
    total = 0
    for id, one in events.items():
        if call and (len(call) == MAX_CALL_ENTRIES or total + size(one) > MAX_CALL_BYTES):
            yield call
            call, total = {}, 0
        call[id] = one
        total += size(one)
    if call:
        yield call


def connect_bus(
    settings: Settings, session: boto3.Session | None, endpoint_url: str | None = None
) -> Bus | None:
    """The bus of the settings, or None where they have none. Nothing is sent.

    Raises:
        Misconfigured: no region, a broken profile, or the like.
    """
    if settings.event_bus is None:
        return None
    return Bus(
        connect.client("events", settings, session, endpoint_url),
        settings.event_bus,
        ledger=settings.name,
        attempts=settings.attempts,
        backoff_seconds=settings.backoff_seconds,
        sleep=time.sleep,
    )
