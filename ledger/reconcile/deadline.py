"""A run that has only so much time: it ends by itself, and says so, before it is killed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ledger.runtime import Runtime

MARGIN_SECONDS = 30.0
"""What is kept for the attempt under way, some seconds at the most, and for the report."""

Remaining = Callable[[], float]
"""How many seconds are left."""


class OutOfTime(Exception):
    """The run ends here. Not a `LedgerError`: no part of the run goes on with the rest."""


def check(remaining: Remaining | None, seconds: float = 0.0) -> None:
    """Raise `OutOfTime` where `seconds` more would leave less than the margin."""
    if remaining is not None and remaining() - seconds < MARGIN_SECONDS:
        raise OutOfTime


def timed(rt: Runtime, remaining: Remaining | None) -> Runtime:
    """The runtime, whose every attempt at DynamoDB first looks at the time that is left."""
    if remaining is None:
        return rt
    store = copy.copy(rt.store)
    store.client = _TimedClient(rt.store.client, remaining)
    return replace(rt, store=store)


class _TimedClient:
    """A client that raises `OutOfTime` instead of calling when the time is over."""

    def __init__(self, client: Any, remaining: Remaining) -> None:
        self._client = client
        self._remaining = remaining

    def __getattr__(self, name: str) -> Any:
        check(self._remaining)
        return getattr(self._client, name)
