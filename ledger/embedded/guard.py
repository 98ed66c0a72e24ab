"""Runs a command, and ends it when standard input ends: when whoever started this closes it or dies.

    python -I guard.py COMMAND...

It is run by its path and imports nothing of Folio, so it starts at once. (Linux could signal a child when its parent
dies, but means the parent's thread; and elsewhere there is no such thing.)
"""

from __future__ import annotations

import subprocess
import sys
import threading

GRACE_SECONDS = 10


def main(command: list[str]) -> int:
    """Run the command, and return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_input(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    # Asked first: DynamoDB Local acknowledges a transaction some milliseconds before it commits it.
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
