"""Digests of sets of entries, whatever their order, in constant memory.

Each entry has a SHA-256 over where it stands and what it says; a set's digest is their sum. Sums are
kept in 65,536 buckets by transaction, so that where two sets differ is known to a few transactions.
"""

from __future__ import annotations

import hashlib

from ledger import fingerprint
from ledger.model import Entry

BUCKETS = 65_536
MODULUS = 1 << 256


def bucket_of(transaction_id: str) -> int:
    """The bucket of a transaction."""
    return int.from_bytes(hashlib.blake2b(transaction_id.encode(), digest_size=2).digest(), "big")


def of_entry(entry: Entry) -> int:
    """The digest of one entry: its place, its fields and its origin."""
    text = f"{entry.account}#{entry.currency}#{entry.id}#{entry.origin}#".encode()
    return int.from_bytes(hashlib.sha256(text + fingerprint.of_entry(entry)).digest(), "big")


class Difference:
    """Two sets of entries, of which only the difference is kept."""

    def __init__(self) -> None:
        self._sums = [0] * BUCKETS
        self._counts = [0] * BUCKETS
        self._left = 0

    def left(self, entry: Entry) -> None:
        """An entry of the first set."""
        digest = of_entry(entry)
        self._left = (self._left + digest) % MODULUS
        self._add(entry.transaction_id, digest, 1)

    def right(self, entry: Entry) -> None:
        """An entry of the second set."""
        self._add(entry.transaction_id, -of_entry(entry), -1)

    def _add(self, transaction_id: str, digest: int, count: int) -> None:
        bucket = bucket_of(transaction_id)
        self._counts[bucket] += count
        self._sums[bucket] = (self._sums[bucket] + digest) % MODULUS

    def buckets(self) -> frozenset[int]:
        """Where the sets differ."""
        return frozenset(bucket for bucket, total in enumerate(self._sums) if total)

    def more_right(self) -> bool:
        """Whether somewhere the second set has more entries than the first."""
        return min(self._counts) < 0

    def hexdigest(self) -> str:
        """The digest of the first set."""
        return f"{self._left:064x}"
