"""Waiting for what comes about by itself, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.2


def eventually(look: Callable[[], T], wanted: Callable[[T], object], *, seconds: float = 30) -> T:
    """Look until it is as wanted, and return it. Fails with what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if wanted(found):
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s; at last: {found!r}")
        time.sleep(PAUSE_SECONDS)
