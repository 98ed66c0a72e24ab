"""Which entries may still be on their way to the view: those younger than the grace time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_AHEAD_MS = 60_000
"""No writer mints an id more than 5 s ahead of DynamoDB's clock, and none is a minute wrong about it."""


@dataclass(frozen=True, slots=True)
class Grace:
    """`cut_ms` and `now_ms()` are milliseconds since 1970: when grace began, and DynamoDB's time.

    An id of the future is no young one: nobody mints such, so whatever bears it is compared as if
    it were old. Else an entry dated far ahead would be in flight for ever.
    """

    cut_ms: int
    now_ms: Callable[[], int]

    def in_flight(self, time_ms: int) -> bool:
        """Whether an entry recorded at `time_ms` may lack in the view without being drift."""
        return self.cut_ms <= time_ms <= self.now_ms() + MAX_AHEAD_MS
