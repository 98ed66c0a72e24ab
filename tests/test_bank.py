"""The main job on a real bank's year: every row in, every balance right, the reconciler clean.

By hand, with the same result:

    folio --embedded ./bank import --mapping tests/data/czech-bank.toml FILE
    folio --embedded ./bank reconcile
"""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import Settings
from ledger.embedded import EmbeddedLedger
from ledger.importer import file_mapping, import_file
from ledger.reconcile import reconcile

MAPPING = Path(__file__).parent / "data" / "czech-bank.toml"
SIGNS = {"PRIJEM": 1, "VYDAJ": -1, "VYBER": -1}
ROUNDED_HALERE = 100
"""The bank rounds interest to 0.10, so that its balances stray from the sums of its amounts."""


@dataclass
class Statement:
    """What the file says, in haléře, read by no code of ours."""

    rows: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    last_day: dict[str, str] = field(default_factory=dict)
    banks_own: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: Mapping[str, str]) -> None:
        """One more row."""
        client = f"client:{row['account_id']}"
        self.rows += 1
        self.sums[client] += SIGNS[row["type"]] * int(Decimal(row["amount"]) * 100)
        self.entries[client] += 1
        if self.last_day.get(client) != row["date"]:
            self.last_day[client], self.banks_own[client] = row["date"], []
        self.banks_own[client].append(int(Decimal(row["balance"]) * 100))

    def is_the_banks(self, client: str, halere: int) -> bool:
        """Whether the bank had that balance too, on the client's last day: rows of a day have no order."""
        return any(abs(halere - own) <= ROUNDED_HALERE for own in self.banks_own[client])


def read(path: Path) -> Statement:
    """What the file says."""
    found = Statement()
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            found.add(row)
    return found


def test_a_real_banks_year(tmp_path: Path) -> None:
    """Each row counts once, imported once or twice; each balance is its rows' sum, and the bank's."""
    name = os.environ.get("FOLIO_BANK_CSV", "")
    if not name:
        pytest.skip("no file: make test BANK_CSV=… names the bank's transactions")
    path, rejects = Path(name), tmp_path / "rejects.csv"
    expected = read(path)
    with EmbeddedLedger(settings=Settings(bulk_calls=4)) as ledger:
        first = import_file(ledger, path, file_mapping(MAPPING), rejects=rejects)
        assert (first.imported, first.rejected, first.finished) == (expected.rows, 0, True)
        ledger.settle(timeout_seconds=1200)

        views = {a: ledger.balance(a, "CZK", consistency="view") for a in expected.sums}
        found = {account: view.posted.amount_minor for account, view in views.items()}
        assert found == dict(expected.sums)
        assert {a: view.entry_count for a, view in views.items()} == dict(expected.entries)
        assert all(expected.is_the_banks(client, halere) for client, halere in found.items())

        report = reconcile(ledger.runtime, grace_seconds=0)
        assert (report.verdict, report.transactions) == ("clean", expected.rows)
        assert report.totals["CZK"].balanced

        second = import_file(ledger, path, file_mapping(MAPPING), rejects=rejects)
        assert (second.imported, second.replayed) == (0, expected.rows)
        assert not rejects.exists()
