"""The clock is DynamoDB's: ids of every writer are of one time, however wrong its own clock is.

A reply's `Date` says that DynamoDB's time lay in `Date` … `Date` + 1 s at some moment between the
sending of the request and the receipt of the reply. The process's clock is used while it agrees
with that, else moved by the least that makes it agree.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ledger.errors import Misconfigured

MAX_SKEW_SECONDS = 300.0
"""AWS refuses the signature of a request whose time is off by more."""


def correction(sent: float, received: float, date: float) -> float:
    """By how many seconds the process's clock is moved (0.0 while it agrees).

    `sent` and `received` are the process's times, `date` the reply's, in seconds since 1970.
    """
    least, most = date - received, date + 1.0 - sent
    return min(max(0.0, least), most)


class Clock:
    """DynamoDB's time, from the process's clock `now` (seconds since 1970) and the replies seen."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.process_time = now
        self.synchronised = False
        self._correction = 0.0
        self._seen = ("", 0.0)

    def observe(self, sent: float, received: float, date: str | None) -> None:
        """Take note of a reply. Without a date the process's clock stands."""
        if date is not None:
            self._correction = correction(sent, received, self._seconds(date))
        self.synchronised = True

    def _seconds(self, date: str) -> float:
        seen = self._seen
        if seen[0] != date:
            self._seen = seen = (date, parsedate_to_datetime(date).timestamp())
        return seen[1]

    def time(self) -> float:
        """DynamoDB's time in seconds since 1970.

        Raises:
            Misconfigured: the process's clock is off by more than five minutes.
        """
        if abs(self._correction) > MAX_SKEW_SECONDS:
            raise Misconfigured(
                f"this machine's clock is off by {-self._correction:+.0f} s, AWS allows 300 s: "
                "set it (chrony, systemd-timesyncd) before writing"
            )
        return self.process_time() + self._correction

    def ahead(self) -> float:
        """How far the process's clock is ahead of DynamoDB's, in seconds; 0 while they agree."""
        return -self._correction

    def time_ms(self) -> int:
        """DynamoDB's time in milliseconds since 1970. Raises as `time` does."""
        return int(self.time() * 1000)

    def moment(self) -> datetime:
        """DynamoDB's time, UTC. Raises as `time` does."""
        return datetime.fromtimestamp(self.time(), UTC)
