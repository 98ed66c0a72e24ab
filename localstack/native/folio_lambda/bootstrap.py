"""Runs a function's handler under AWS's runtime client, and ends when LocalStack does.

    python -P bootstrap.py LEASH HANDLER

LEASH is the reading end of a pipe whose other end LocalStack holds: it ends when LocalStack lets go of
it, or dies, however it dies. (Linux could signal a child when its parent dies, but means the parent's
thread, and LocalStack starts functions from threads that come and go.)
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main(leash: int, handler: str) -> None:
    """Serve invocations until the leash ends."""
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    sys.argv = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


def _end_with(leash: int) -> None:
    os.read(leash, 1)
    os.killpg(0, signal.SIGKILL)  # what the function has started ends with it


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
