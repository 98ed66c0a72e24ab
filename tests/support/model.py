"""What is right, said by a model that knows nothing of DynamoDB: a dict of entries, summed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

Place = tuple[str, str]
"""An account and a currency."""


@dataclass
class Books:
    """Every entry that must be in the ledger, once: (account, currency, id) → signed amount."""

    entries: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, account: str, currency: str, entry_id: str, signed: int) -> None:
        """Note an entry; noting it again changes nothing."""
        self.entries[account, currency, entry_id] = signed

    def places(self) -> set[Place]:
        """Where there are entries."""
        return {(account, currency) for account, currency, _ in self.entries}

    def ids(self, account: str, currency: str) -> set[str]:
        """The entries of one account and currency."""
        return {i for a, c, i in self.entries if (a, c) == (account, currency)}

    def sums(
        self, account: str, currency: str, among: Collection[str] | None = None
    ) -> tuple[int, int, int]:
        """Credits, debits and the number of entries; only of those `among` the ids, if given."""
        amounts = [
            value
            for (a, c, id), value in self.entries.items()
            if (a, c) == (account, currency) and (among is None or id in among)
        ]
        credits_ = sum(v for v in amounts if v > 0)
        return credits_, -sum(v for v in amounts if v < 0), len(amounts)


def note(books: Books, receipts: Iterable[object]) -> None:
    """Note every entry of receipts."""
    for receipt in receipts:
        for entry in receipt.entries:  # type: ignore[attr-defined]
            sign = 1 if entry.direction == "credit" else -1
            books.add(entry.account, entry.currency, entry.id, sign * entry.amount_minor)
