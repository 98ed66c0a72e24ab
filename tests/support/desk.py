"""A desk where files are imported: a house, and a folder for the files and the rejects."""

from __future__ import annotations

import csv
from pathlib import Path

from ledger.importer import FileMapping, Summary, import_file
from tests.support import statements
from tests.support.house import House


class Desk:
    """Where files are imported: a house, a folder for the rejects, and the waits that were asked for."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.folder = folder
        self.rejects = folder / "rejects.csv"
        self.slept: list[float] = []

    def run(self, path: Path, mapping: FileMapping | None = None) -> Summary:
        """Import a file, as a process that knows no accounts."""
        ledger = type(self.house.ledger)(self.house.new_runtime())
        return import_file(
            ledger,
            path,
            mapping or statements.mapping(),
            rejects=self.rejects,
            sleep=self.slept.append,
        )

    def rejected(self) -> list[tuple[int, str]]:
        """The lines that were rejected, and why."""
        with self.rejects.open(newline="") as file:
            return [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]

    def posted(self) -> dict[str, int]:
        """What each client has by now, in cents."""
        ledger = self.house.ledger
        names = ledger.accounts(prefix="client:")
        return {name: ledger.balance(name, "EUR").posted.amount_minor for name in names}
