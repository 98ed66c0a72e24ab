"""Runs a command, and ends it and all that it started when standard input ends. For Linux.

    python guard.py COMMAND...

Standard input ends when whoever started this closes it, or dies, however it dies. What the command leaves behind when
it is killed (DynamoDB Local, functions) becomes a child of this process and not of the system's first.
"""

from __future__ import annotations

import ctypes
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
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    code = child.wait()
    while rest := psutil.Process().children(recursive=True):
        for process in rest:
            process.kill()
        psutil.wait_procs(rest, timeout=1)
    return code


def _end_with_input(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()  # it holds nothing that must be kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
