"""The main job on a real bank's year: every row in, every balance right, the reconciler clean."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import Settings
from ledger.embedded import EmbeddedLedger
from ledger.importer import file_mapping, import_file
from ledger.reconcile import reconcile

MAPPING = Path(__file__).parent / "data" / "czech-bank.toml"


def sums(path: Path) -> tuple[Counter[str], int]:
    """What each client's rows add up to, in haléře, and how many rows there are: no code of ours."""
    totals: Counter[str] = Counter()
    rows = 0
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            sign = 1 if row["type"] == "PRIJEM" else -1
            totals[f"client:{row['account_id']}"] += sign * int(Decimal(row["amount"]) * 100)
            rows += 1
    return totals, rows


def test_a_real_banks_year(tmp_path: Path) -> None:
    """All rows go in once, twice imported or not, and nothing is lost on the way to the balances."""
    name = os.environ.get("FOLIO_BANK_CSV", "")
    if not name:
        pytest.skip("no file: make test BANK_CSV=… names the bank's transactions")
    path, rejects = Path(name), tmp_path / "rejects.csv"
    expected, rows = sums(path)
    with EmbeddedLedger(settings=Settings(bulk_calls=2)) as ledger:
        first = import_file(ledger, path, file_mapping(MAPPING), rejects=rejects)
        assert (first.rows, first.imported, first.rejected) == (rows, rows, 0)
        ledger.settle(timeout_seconds=1200)

        found = {
            account: ledger.balance(account, "CZK", consistency="view").posted.amount_minor
            for account in expected
        }
        assert found == dict(expected)
        report = reconcile(ledger.runtime, grace_seconds=0)
        assert (report.verdict, report.transactions) == ("clean", rows)
        assert report.totals["CZK"].balanced

        second = import_file(ledger, path, file_mapping(MAPPING), rejects=rejects)
        assert (second.imported, second.replayed) == (0, rows)
