"""Deposits in bulk, and what became of them."""

from __future__ import annotations

from typing import Any

from ledger import (
    LedgerError,
    Receipt,
    Transaction,
)
from tests.support.samples import deposit


def of(amount: int, account: str = "user:42", **fields: Any) -> Transaction:
    """A deposit."""
    return Transaction(entries=deposit(amount, account), type="deposit", **fields)


def many(count: int, **fields: Any) -> list[Transaction]:
    """Deposits of 1, 2, 3, … cents."""
    return [of(number, **fields) for number in range(1, count + 1)]


def receipts(outcomes: list[Receipt | LedgerError]) -> list[Receipt]:
    """The outcomes, all of which must be receipts."""
    assert all(isinstance(outcome, Receipt) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Receipt)]


def kinds(outcomes: list[Receipt | LedgerError]) -> list[str]:
    """What became of each."""
    return [
        ("replayed" if outcome.replayed else "posted")
        if isinstance(outcome, Receipt)
        else type(outcome).__name__
        for outcome in outcomes
    ]
