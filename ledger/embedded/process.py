"""A child process that cannot outlive this one, and whose last lines are kept."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import psutil

GUARD = Path(__file__).with_name("guard.py")
LOG_LINES = 200
LINE_BYTES = 2000
END_SECONDS = 30


class GuardedProcess:
    """Runs a command under a guard, which ends it when this process ends, however it ends.

    It is in a session of its own: a Ctrl-C at the terminal does not reach it.
    """

    def __init__(self, command: Sequence[str | Path]) -> None:
        """Start the command."""
        self._guard = subprocess.Popen(
            [sys.executable, "-I", GUARD, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._leash = cast(IO[bytes], self._guard.stdin)
        self._output = cast(IO[bytes], self._guard.stdout)
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._reader = threading.Thread(target=self._read_log, name="engine log", daemon=True)
        self._reader.start()

    def is_alive(self) -> bool:
        """Whether the command still runs."""
        return self._guard.poll() is None

    def listener(self, port: int) -> int | None:
        """The id of the process that listens on a TCP port, if it is the command's own."""
        try:
            for child in psutil.Process(self._guard.pid).children():
                for connection in child.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                        return child.pid
        except psutil.Error:  # it ended while it was looked at
            return None
        return None

    def kill(self) -> None:
        """End it, by force where it does not when asked to, and wait until it is gone."""
        self._leash.close()
        self._guard.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        self._output.close()

    def log(self) -> str:
        """The last lines that it wrote, at most 200."""
        if not self.is_alive():
            self._reader.join(END_SECONDS)
        return "\n".join(self._log)

    def _read_log(self) -> None:
        while line := self._output.readline(LINE_BYTES):
            self._log.append(line.decode(errors="replace").rstrip())
