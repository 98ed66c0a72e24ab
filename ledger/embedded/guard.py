"""Runs a command, and kills it when standard input ends: when whoever started this closes it or dies.

    python -I guard.py COMMAND...

It is run by its path and imports nothing of Folio, so it starts at once. (Linux could signal a child when its parent
dies, but means the parent's thread; and elsewhere there is no such thing.)
"""

from __future__ import annotations

import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command, and return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
    return child.wait()


def _kill_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
