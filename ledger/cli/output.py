"""What a command says: one JSON document for machines, or tables and lines for people.

What comes from users (account names, descriptions, a file's fields) is shown and never obeyed: no
markup, no control characters.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ledger.errors import IdempotencyConflict, LedgerError

PIPE_COLUMNS = 1000
"""So wide that nothing is cut or wrapped where the output is no terminal."""


def printable(value: object) -> str:
    """A text on one line, whose control characters can be seen: an escape is shown as it is written in Python."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def text(value: object, style: str = "") -> Text:
    """A text from outside as what it is; nothing for None."""
    return Text("" if value is None else printable(value), style=style)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: str = "") -> Table:
    """A table of texts; the columns that `numbers` names are set to the right."""
    found = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for name in columns:
        found.add_column(
            name, justify="right" if name in numbers.split() else "left", overflow="fold"
        )
    for row in rows:
        found.add_row(*map(text, row))
    return found


class Output:
    """Where a command's results and errors go.

    Results go to standard output. Progress and log lines go to standard error, and so do errors,
    but with `json`: then standard output has one JSON document, whatever happens.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.out = _console(sys.stdout.isatty(), stderr=False)
        self.err = _console(sys.stderr.isatty(), stderr=True)

    @property
    def watched(self) -> bool:
        """Whether a person watches: bars and questions, else log lines."""
        return self.err.is_terminal and not self.json

    def show(self, document: Mapping[str, Any], *shown: RenderableType) -> None:
        """The result: the document, or what is shown of it."""
        if self.json:
            self._document(document)
            return
        for one in shown:
            self.out.print(one)

    def error(self, error: LedgerError) -> None:
        """What went wrong, what to do, and what to try again with."""
        kind = type(error).__name__
        if self.json:
            self._document({"error": _error(error)})
            return
        line = f"folio: {kind}: {error}"
        if again := _retry_with(error):
            line += f" ({again})"
        self.err.print(text(line, "red"), soft_wrap=True)

    def usage(self, message: str) -> None:
        """The command line itself is wrong."""
        if self.json:
            wrong = {"class": "Usage", "message": message, "retryable": False}
            self._document({"error": wrong | {"id": None, "idempotency_key": None}})
            return
        self.err.print(text(f"folio: {message} (folio --help)", "red"), soft_wrap=True)

    def _document(self, document: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, default=str) + "\n")
        sys.stdout.flush()


def _console(terminal: bool, *, stderr: bool) -> Console:
    width = None if terminal else PIPE_COLUMNS
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width)


def _error(error: LedgerError) -> dict[str, Any]:
    told: dict[str, Any] = {
        "class": type(error).__name__,
        "message": str(error),
        "id": error.id,
        "idempotency_key": error.idempotency_key,
        "retryable": error.retryable,
    }
    if isinstance(error, IdempotencyConflict):
        told["fields"] = list(error.fields)
    return told


def _retry_with(error: LedgerError) -> str:
    marks = {"id": error.id, "key": error.idempotency_key}
    given = {name: mark for name, mark in marks.items() if mark}
    if error.retryable and given:
        return "try again with " + " ".join(f"--{name} {mark}" for name, mark in given.items())
    return ", ".join(f"{name} {mark}" for name, mark in given.items())
