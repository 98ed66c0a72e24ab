"""Runs a command, and ends it and all that it started when standard input ends. For Linux.

    python guard.py COMMAND...

Standard input ends when whoever started this closes it, or dies, however it dies. What the command leaves behind (its
DynamoDB Local when it is killed, a function's own children) becomes a child of this process, not of the system's first
one, and is reaped here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

import psutil

GRACE_SECONDS = 5
PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """Run the command, and return its exit code when nothing of it is left."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    ended = threading.Event()
    threading.Thread(target=_end_with_input, args=(child.pid, ended), daemon=True).start()
    code = _reap_until(child.pid)
    ended.set()
    while rest := psutil.Process().children(recursive=True):
        for process in rest:
            process.kill()
        psutil.wait_procs(rest, timeout=1)
    return code


def _reap_until(command: int) -> int:
    """Wait for all children that end, until the command is one of them; its exit code."""
    while True:
        pid, status = os.wait()
        if pid == command:
            return os.waitstatus_to_exitcode(status)


def _end_with_input(command: int, ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    os.kill(command, signal.SIGTERM)
    if not ended.wait(GRACE_SECONDS):
        os.kill(command, signal.SIGKILL)  # it holds nothing that must be kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
