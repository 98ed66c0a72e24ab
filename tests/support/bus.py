"""An event bus that the test holds in its hands: it notes what it took, and fails on order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from projector.publish import Bus, size
from tests.support.faults import Killed

NAME = "payments"
Event = Mapping[str, Any]
Says = Callable[[int, Sequence[Event]], Sequence[str] | str]
"""Given the number of a call (0 …) and its events: a code for each (empty: taken), or one for all.

One for all is a fault of the call: `killed before`, `killed after`, `reply lost`, or an error's code.
"""


def takes_all(_number: int, events: Sequence[Event]) -> Sequence[str]:
    """No fault."""
    return [""] * len(events)


class Events:
    """A port to EventBridge as PutEvents documents it. `taken` is what went onto the bus, in order."""

    def __init__(self, says: Says = takes_all) -> None:
        self.says = says
        self.taken: list[dict[str, Any]] = []
        self.calls: list[Sequence[Event]] = []
        self._lock = Lock()

    def put_events(self, **parameters: Any) -> Any:
        with self._lock:
            return self._put(parameters["Entries"])

    def _put(self, events: Sequence[Event]) -> Any:
        assert 1 <= len(events) <= 10, "PutEvents takes up to ten"
        assert sum(map(size, events)) < 256 * 1024, "PutEvents takes less than 256 KB"
        assert {one["EventBusName"] for one in events} == {NAME}
        said = self.says(len(self.calls), events)
        self.calls.append(events)
        if not isinstance(said, str):
            return self._replied(events, said)
        if said == "killed before":
            raise Killed
        if said in ("killed after", "reply lost"):
            self._replied(events, takes_all(0, events))
            raise Killed if said == "killed after" else ReadTimeoutError(endpoint_url="test")
        raise ClientError({"Error": {"Code": said, "Message": "made by the test"}}, "PutEvents")

    def _replied(self, events: Sequence[Event], codes: Sequence[str]) -> dict[str, Any]:
        results: list[dict[str, str]] = []
        for event, code in zip(events, codes, strict=True):
            if not code:
                self.taken.append(json.loads(event["Detail"]))
            results.append({"ErrorCode": code, "ErrorMessage": "why"} if code else {"EventId": "e"})
        return {"FailedEntryCount": sum(map(bool, codes)), "Entries": results}

    def ids(self) -> list[str]:
        """The entries' ids that were taken."""
        return [detail["id"] for detail in self.taken]

    def bus(self, *, attempts: int = 3) -> Bus:
        """A bus on this port, that waits for nothing."""
        return Bus(
            self,
            NAME,
            ledger="folio",
            attempts=attempts,
            backoff_seconds=0,
            sleep=lambda _seconds: None,
        )


def codes_by_id(codes: Mapping[str, str]) -> Says:
    """These codes for these entries, every time."""
    return lambda _number, events: [
        codes.get(json.loads(one["Detail"])["id"], "") for one in events
    ]
