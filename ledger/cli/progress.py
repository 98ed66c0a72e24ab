"""How far a long command has come: a bar for who watches, a log line now and then for who does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ledger.cli.output import Output
from ledger.log import logger

LOG_SECONDS = 5.0

log = logger("ledger.cli")


class Steps:
    """Told how things stand, as often as one likes."""

    def at(self, done: int, total: int | None, **counts: int) -> None:
        """`done` of `total` (None: unknown), and what else there is to say."""


class _Bar(Steps):
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def at(self, done: int, total: int | None, **counts: int) -> None:
        said = "  ".join(f"{count:,} {name}" for name, count in counts.items())
        self._bar.update(self._task, completed=done, total=total, said=said)


class _Lines(Steps):
    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + LOG_SECONDS

    def at(self, done: int, total: int | None, **counts: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOG_SECONDS
            log.info(self._what, done=done, total=total, **counts)


@contextmanager
def steps(output: Output, what: str) -> Iterator[Steps]:
    """Progress of `what`, as `importing`: on standard error."""
    if not output.watched:
        yield _Lines(what)
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output.err, transient=True) as bar:
        yield _Bar(bar, bar.add_task(what, total=None, said=""))
