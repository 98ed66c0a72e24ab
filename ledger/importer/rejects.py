"""The rows that did not go in: a file with the line, the reason and the row itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ledger.errors import InvalidRequest

HEADINGS = ("line", "reason")
FORMULA = re.compile(r"[=+\-@\t\r\n]")
NUMBER = re.compile(r"[+-]?[0-9][0-9.,\u00a0\u202f ]*")


class Rejects:
    """Writes rejected rows as CSV; no file is left when there are none.

    A file of an earlier import is replaced, any other is not touched.

    Raises:
        InvalidRequest: the path is another file's, or cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.count = 0
        try:
            _refuse_another_file(path)
            self._file: TextIO = path.open(
                "w", encoding="utf-8", newline="", errors="backslashreplace"
            )
        except OSError as error:
            raise InvalidRequest(f"rejects file {path}: {error.strerror}") from error
        self._writer = csv.writer(self._file)
        self._writer.writerow([*HEADINGS, *map(harmless, columns)])
        self._file.flush()

    def add(self, line: int, reason: str, fields: Sequence[str]) -> None:
        """Write a row, with the line that it stands at and why it did not go in."""
        self._writer.writerow([line, harmless(reason), *map(harmless, fields)])
        self.count += 1

    def close(self) -> None:
        """Close the file, and remove it if nothing was rejected."""
        self._file.close()
        if not self.count:
            self.path.unlink(missing_ok=True)


def _refuse_another_file(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb") as file:
        begins = file.read(64)
    if begins and not begins.startswith(",".join(HEADINGS).encode()):
        raise InvalidRequest(
            f"rejects file {path}: it is there and is not of an import; name another with --rejects"
        )


def harmless(text: str) -> str:
    """A text as no spreadsheet takes it for a formula; numbers stay numbers."""
    if FORMULA.match(text) and not NUMBER.fullmatch(text):
        return "'" + text
    return text
