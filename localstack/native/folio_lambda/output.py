"""What a function writes: read as it comes, cut into lines, and bounded."""

from __future__ import annotations

import os
import select
import threading
from typing import IO

LINE_BYTES = 256 * 1024
"""A longer line is cut: CloudWatch takes no longer one."""
KEPT_BYTES = 4 * 1024 * 1024
"""Of one invocation; the lines after that are counted, and dropped."""

_CHUNK = 64 * 1024
_READS = 4  # a pipe holds one chunk: a second read finds only what came meanwhile


class Output:
    """The lines of a pipe. `pump` reads it in a thread of its own; `take` gives the lines, from any thread."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._part = b""
        self._lines: list[str] = []
        self._kept = 0
        self._dropped = 0
        os.set_blocking(pipe.fileno(), False)

    def pump(self) -> None:
        """Read until nobody holds the pipe's other end, then close it."""
        more = True
        while more:
            select.select([self._pipe], [], [])
            with self._lock:
                more = self._read()
        with self._lock:
            self._line(self._part)
            self._part = b""
            self._pipe.close()

    def take(self) -> list[str]:
        """All lines that were written before this call and not taken yet."""
        with self._lock:
            if not self._pipe.closed:
                self._read()
            lines, dropped = self._lines, self._dropped
            self._lines, self._kept, self._dropped = [], 0, 0
        if dropped:
            lines.append(f"[{dropped} more lines were dropped: more than {KEPT_BYTES} bytes]")
        return lines

    def _read(self) -> bool:
        """Take what is there. False when there is nothing left to come."""
        for _ in range(_READS):
            try:
                chunk = os.read(self._pipe.fileno(), _CHUNK)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            *whole, self._part = (self._part + chunk).split(b"\n")
            for line in whole:
                self._line(line)
            self._part = self._part[:LINE_BYTES]
        return True

    def _line(self, line: bytes) -> None:
        if self._kept + len(line) > KEPT_BYTES:
            self._dropped += 1
        elif line:
            self._kept += len(line)
            self._lines.append(line[:LINE_BYTES].decode(errors="replace"))
