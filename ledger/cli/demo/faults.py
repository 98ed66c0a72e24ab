"""What goes wrong on the way, on purpose: a client that loses replies, a stream that will not behave."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

WRITES = ("put_item", "update_item", "transact_write_items")
LOST_REPLIES = 0.03
THROTTLED = 0.01
REPEATED_RECORDS = 0.05
HELD_BACK_RECORDS = 0.03
HELD_BACK_READS = 4
REMEMBERED_RECORDS = 500


class Killed(BaseException):
    """The process died here. Not an Exception: nothing may catch it and go on."""


class UnreliableClient:
    """A DynamoDB client some of whose writes are throttled, and some of whose replies are lost.

    A lost reply is one to a write that was made. `cut_off` loses the next ones, one after the other;
    `kill` ends whoever calls next, once the write has been made.
    """

    def __init__(self, client: Any, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self._lock = Lock()
        self._cut_off = 0
        self._killed = False
        self.lost = 0
        self.throttled = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return (lambda **given: self._write(name, method, given)) if name in WRITES else method

    def cut_off(self, replies: int) -> None:
        """Lose the replies to that many writes to come."""
        with self._lock:
            self._cut_off = replies

    def kill(self) -> None:
        """Whoever writes from now on dies of it."""
        self._killed = True

    def _write(self, name: str, method: Callable[..., Any], given: dict[str, Any]) -> Any:
        with self._lock:
            throttled = self._chance.random() < THROTTLED
            lost = self._cut_off > 0 or self._chance.random() < LOST_REPLIES
            self._cut_off = max(0, self._cut_off - 1)
            self.throttled += throttled
            self.lost += lost and not throttled
        if throttled:
            raise ClientError(
                {"Error": {"Code": "ThrottlingException", "Message": "made by the demo"}}, name
            )
        reply = method(**given)
        if self._killed:
            raise Killed
        if lost:
            raise ReadTimeoutError(endpoint_url="the demo")
        return reply


@dataclass(slots=True)
class _Held:
    """A record on its way, for some more reads."""

    record: Any
    reads: int


@dataclass(slots=True)
class UnrulyStream:
    """A streams client that repeats records, mixes them up and brings some long after the others.

    DynamoDB's own are in order for each item; nothing of Folio rests on that. A reader that begins
    again begins at the stream's beginning: whatever was on its way comes once more.
    """

    client: Any
    chance: random.Random
    repeated: int = 0
    held_back: int = 0
    _held: list[_Held] = field(default_factory=list)
    _past: list[Any] = field(default_factory=list)

    def describe_stream(self, **given: Any) -> Any:
        """As DynamoDB answers."""
        return self.client.describe_stream(**given)

    def get_shard_iterator(self, **given: Any) -> Any:
        """From the beginning, whatever was asked for."""
        return self.client.get_shard_iterator(
            StreamArn=given["StreamArn"],
            ShardId=given["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )

    def get_records(self, **given: Any) -> Any:
        """The next records, in disorder."""
        reply = self.client.get_records(**given)
        new = list(reply["Records"])
        records = self._due(nothing_new=not new)
        for record in new:
            if self.chance.random() < HELD_BACK_RECORDS:
                self._held.append(_Held(record, self.chance.randint(1, HELD_BACK_READS)))
                self.held_back += 1
            else:
                records.append(record)
        again = (
            [one for one in self._past if self.chance.random() < REPEATED_RECORDS] if new else []
        )
        self.repeated += len(again)
        self._past = (self._past + new)[-REMEMBERED_RECORDS:]
        records += again
        self.chance.shuffle(records)
        return {**reply, "Records": records}

    def _due(self, *, nothing_new: bool) -> list[Any]:
        """What has been held back for long enough."""
        for held in self._held:
            held.reads -= 1
        due = [held.record for held in self._held if held.reads <= 0 or nothing_new]
        self._held = [held for held in self._held if held.reads > 0 and not nothing_new]
        return due
