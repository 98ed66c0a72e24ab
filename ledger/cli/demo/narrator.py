"""Tells what happens while it happens: lines, and bars below them where somebody watches."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.cli.output import Output
from ledger.log import logger

log = logger("ledger.cli.demo")


class Narrator:
    """Lines go to standard output; with `--json` they are log lines on standard error."""

    def __init__(self, output: Output, payments: int) -> None:
        self._output = output
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        watched = output.watched and output.out.is_terminal
        self._bars = Progress(*columns, console=output.out, transient=True, disable=not watched)
        self._written = self._bars.add_task("payments posted", total=payments)
        self._applied = self._bars.add_task("entries applied", total=None)
        self._compared = self._bars.add_task("accounts compared", total=None, visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Something happened."""
        if self._output.json:
            log.info(line.strip())
        else:
            self._output.out.print(line, soft_wrap=True)

    def at(self, *, written: int, applied: int, entries: int) -> None:
        """How far the writers and the projector have come."""
        self._bars.update(self._written, completed=written)
        self._bars.update(self._applied, completed=applied, total=entries)

    def compared(self, accounts: int, of: int) -> None:
        """How far the proof has come."""
        self._bars.update(self._compared, completed=accounts, total=of, visible=True)
