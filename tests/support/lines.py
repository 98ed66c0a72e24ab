"""What Folio's loggers write, caught for a test."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ledger.log import to_stream


class Lines:
    """The lines so far."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    @property
    def text(self) -> str:
        """As they were written."""
        return self.stream.getvalue()

    def all(self, event: str | None = None) -> list[dict[str, Any]]:
        """Each as JSON: all of them, or those of one event."""
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if event in (None, line["event"])]


@contextmanager
def caught(level: str = "INFO") -> Iterator[Lines]:
    """Lines from `level` on; afterwards the loggers are as they were."""
    stream = io.StringIO()
    kept = {name: logging.getLogger(name) for name in ("ledger", "projector")}
    before = {name: (own.handlers, own.level, own.propagate) for name, own in kept.items()}
    to_stream(stream, level)
    try:
        yield Lines(stream)
    finally:
        for name, own in kept.items():
            own.handlers, own.level, own.propagate = before[name]
