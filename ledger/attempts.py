"""How a call to AWS is tried again: boundedly, after waits that grow and differ."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from ledger.aws import Repeat

MAX_BACKOFF_SECONDS = 2.0


def retrying(attempts: int, backoff_seconds: float, sleep: Callable[[float], None]) -> Retrying:
    """Calls what it is given until it does not raise `Repeat`, then raises the last one.

    Args:
        attempts: how often, the first included.
        backoff_seconds: the longest first wait; it doubles up to 2 s, with full jitter.
        sleep: waits that many seconds.
    """
    return Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=backoff_seconds, max=MAX_BACKOFF_SECONDS),
        retry=retry_if_exception_type(Repeat),
        sleep=sleep,
        reraise=True,
    )
