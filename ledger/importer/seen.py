"""Which rows a file has had so far, on disk: memory does not grow with the file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ledger import build, ids
from ledger.model import Transaction


@dataclass(frozen=True, slots=True)
class Earlier:
    """The line at which a row with this id stood before, and whether it asked for the same."""

    line: int
    same: bool


class SeenRows:
    """The ids of a file's rows, in a table of SQLite that lives as long as this does.

    A row's id in the ledger holds its date, so two rows with one id of their own and two dates would
    not meet there: they meet here.
    """

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")  # a private file that SQLite removes
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute(
            "CREATE TABLE rows (id BLOB PRIMARY KEY, content BLOB, line INTEGER) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Forget them."""
        self._rows.close()

    def note(self, line: int, transaction: Transaction) -> Earlier | None:
        """Note a row, if it is the first of its id; else what stood there before."""
        own_id, content = _own_id(transaction), _content(transaction)
        new = self._rows.execute(
            "INSERT OR IGNORE INTO rows VALUES (?, ?, ?)", (own_id, content, line)
        )
        if new.rowcount:
            return None
        found = self._rows.execute("SELECT content, line FROM rows WHERE id = ?", (own_id,))
        standing, first = found.fetchone()
        return Earlier(first, standing == content)


def _own_id(transaction: Transaction) -> bytes:
    """The 80 bits of the row's id that are of the row and not of its date."""
    return ids.pack(ids.entry_id(transaction.id or "", 0))[6:16]


def _content(transaction: Transaction) -> bytes:
    return build.header(transaction, id=transaction.id or "", origin="").fingerprint
