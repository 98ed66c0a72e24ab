"""Headers against entries: a leg that was removed, altered or injected, found without keeping the log.

Over the whole log, three sets are compared by their digests: the entries that the headers name, those
that a scan finds, and those that the accounts' own queries found. The last comparison also proves
that nothing was left unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ledger import build, fingerprint, ids, keys
from ledger.items import Image
from ledger.model import Entry, Header
from ledger.reconcile import account
from ledger.reconcile.candidates import Candidates
from ledger.reconcile.compare import seen
from ledger.reconcile.digest import Difference, bucket_of
from ledger.reconcile.grace import Grace
from ledger.reconcile.scans import scan, without_record
from ledger.reconcile.transaction import (
    agree,
    balances,
    named,
    place,
    readable,
    readable_key,
)
from ledger.runtime import Runtime

MAX_BUCKETS = 1000
"""Of those that differ, how many are read again in one run."""


class Legs:
    """Headers against entries, by their digests; and the idempotency keys that headers name."""

    def __init__(self, rt: Runtime, candidates: Candidates, settled: Callable[[str], bool]) -> None:
        self._rt = rt
        self._candidates = candidates
        self._settled = settled
        self._difference = Difference()
        self.transactions = 0

    def entry(self, entry: Entry) -> None:
        """A sound entry that is not in flight."""
        if not entry.single:
            self._difference.right(entry)

    def headers(self, headers: Mapping[str, Header | None]) -> None:
        """Some headers by id; None for one that cannot be understood."""
        for transaction_id, header in headers.items():
            self._header(transaction_id, header)
        self._keys_of([header for header in headers.values() if header])

    def _header(self, transaction_id: str, header: Header | None) -> None:
        if header is None or fingerprint.of_request(header) != header.fingerprint:
            self._candidates.transaction(transaction_id)
            return
        if header.refusal is not None:
            return
        self.transactions += 1
        if not balances(header):
            self._candidates.transaction(transaction_id)
        if self._settled(transaction_id) and not header.single:
            for entry in build.entries(header):
                self._difference.left(entry)

    def _keys_of(self, headers: Sequence[Header]) -> None:
        """The idempotency keys that headers name: lost, or another transaction's?"""
        lasting = {h.idempotency_key: h for h in headers if h.idempotency_key and not h.key_expires}
        places = [(keys.idempotency(key),) for key in lasting]
        items = self._rt.store.get_many(self._rt.settings.idempotency_table, places)
        records = [record for record in map(readable_key, items) if record]
        stand = {record.key: record.transaction_id for record in records}
        for key, header in lasting.items():
            if stand.get(key) != header.id:
                self._candidates.transaction(header.id)

    def buckets(self) -> frozenset[int]:
        """Where headers and entries differ."""
        return self._difference.buckets()


class WholeLog:
    """The log as a whole."""

    def __init__(
        self, rt: Runtime, grace: Grace, candidates: Candidates, unread: list[str]
    ) -> None:
        self._rt = rt
        self._grace = grace
        self._candidates = candidates
        self._unread = unread
        self._legs = Legs(rt, candidates, self._settled)
        self._coverage = Difference()
        self.unlisted: list[str] = []

    @property
    def transactions(self) -> int:
        """How many there are, without those that were refused."""
        return self._legs.transactions

    def queried(self, entry: Entry) -> None:
        """An entry that the query of its account found."""
        if self._settled(entry.transaction_id):
            self._coverage.right(entry)

    def hexdigest(self) -> str:
        """The digest of all entries that the scan found and that are not in flight."""
        return self._coverage.hexdigest()

    def compare(self) -> None:
        """Scan the log, and read again what differs."""
        for items in self._rt.store.pages(scan(self._rt.settings.events_table)):
            self._scanned(items)
        if self._coverage.more_right():
            self._unread.append("the log: its scan lacks entries that the accounts have")
        self._narrow(self._legs.buckets(), self._coverage.buckets())

    def _settled(self, transaction_id: str) -> bool:
        return not self._grace.in_flight(ids.time_ms(transaction_id))

    def _scanned(self, items: Iterable[Image]) -> None:
        headers, entries = parted(items)
        for entry in entries:
            if self._settled(entry.transaction_id):
                self._coverage.left(entry)
                self._legs.entry(entry)
        self._legs.headers(headers)

    def _narrow(self, legs: frozenset[int], coverage: frozenset[int]) -> None:
        """Read the log again, and keep what lies in the buckets that differ."""
        differing = frozenset(sorted(legs | coverage)[:MAX_BUCKETS])
        self._candidates.omitted += len(legs | coverage) - len(differing)
        if not differing:
            return
        transactions: dict[str, None] = {}
        found: dict[str, list[Entry]] = {}
        for items in self._rt.store.pages(scan(self._rt.settings.events_table)):
            headers, entries = parted(items)
            transactions.update((id, None) for id in headers if bucket_of(id) in differing)
            for entry in entries:
                if bucket_of(entry.transaction_id) in differing:
                    found.setdefault(entry.transaction_id, []).append(entry)
        self._legs_of(transactions, found, legs)
        self._cover([e for id in found if bucket_of(id) in coverage for e in found[id]])

    def _legs_of(
        self, headers: Iterable[str], found: dict[str, list[Entry]], legs: frozenset[int]
    ) -> None:
        for transaction_id in dict.fromkeys([*headers, *found]):
            if bucket_of(transaction_id) in legs and self._settled(transaction_id):
                places = [place(e) for e in found.get(transaction_id, ()) if not e.single]
                self._candidates.transaction(transaction_id, places)

    def _cover(self, entries: Sequence[Entry]) -> None:
        """Entries of the scan that the accounts' queries may have missed: why?"""
        missed: dict[tuple[str, str], set[str]] = {}
        for entry in entries:
            if self._settled(entry.transaction_id):
                missed.setdefault((entry.account, entry.currency), set()).add(entry.id)
        self.unlisted = without_record(self._rt, [name for name, _ in missed])
        for (name, currency), wanted in missed.items():
            lacking = wanted - self._ids(name, currency)
            if lacking:
                self._unread.append(
                    f"account {name} in {currency}: its query lacks {len(lacking)} entries that a "
                    "scan of the log has"
                )

    def _ids(self, name: str, currency: str) -> set[str]:
        """The entries that the query of an account finds now: some may have come meanwhile."""
        found: set[str] = set()
        account.check(self._rt, name, currency, self._grace, lambda e: found.add(e.id))
        return found

    def compare_keys(self) -> None:
        """Every idempotency key against the header that it names."""
        for items in self._rt.store.pages(scan(self._rt.settings.idempotency_table)):
            records = {keys.idempotency_key(item["PK"]["S"]): readable_key(item) for item in items}
            headers = self._headers({r.transaction_id for r in records.values() if r})
            for key, record in records.items():
                header = headers.get(record.transaction_id) if record else None
                if record is None or header is None or not agree(record, header):
                    self._candidates.key(key)

    def _headers(self, transaction_ids: Iterable[str]) -> dict[str, Header | None]:
        places = [(keys.transaction(id), keys.HEADER) for id in transaction_ids]
        items = self._rt.store.get_many(self._rt.settings.events_table, places)
        return {item["PK"]["S"].removeprefix(keys.TRANSACTION): readable(item) for item in items}


def _is(entry: Entry, expected: Entry | None) -> bool:
    return expected is not None and expected.fingerprint == entry.fingerprint


def parted(items: Iterable[Image]) -> tuple[dict[str, Header | None], list[Entry]]:
    """The headers of some items of the log by id, and their sound entries."""
    headers: dict[str, Header | None] = {}
    entries: list[Entry] = []
    for item in items:
        partition, sort = item["PK"]["S"], item["SK"]["S"]
        if partition.startswith(keys.TRANSACTION) and sort == keys.HEADER:
            headers[partition.removeprefix(keys.TRANSACTION)] = readable(item)
        elif sort.startswith(keys.EVENT):
            one = seen(item)
            if one.entry is not None:
                entries.append(one.entry)
    return headers, entries


class NamedLegs:
    """The headers of the entries of a few accounts, read a hundred at a time."""

    def __init__(self, rt: Runtime, candidates: Candidates) -> None:
        self._rt = rt
        self._candidates = candidates
        self._waiting: dict[str, list[Entry]] = {}
        self._all = Difference()
        self.transactions = 0

    def see(self, entry: Entry) -> None:
        """An entry of one of the accounts."""
        self._all.left(entry)
        if not entry.single:
            self._waiting.setdefault(entry.transaction_id, []).append(entry)
        if len(self._waiting) >= 100:
            self.flush()

    def flush(self) -> None:
        """Compare what waits with its headers."""
        places = [(keys.transaction(id), keys.HEADER) for id in self._waiting]
        items = self._rt.store.get_many(self._rt.settings.events_table, places)
        headers = {item["PK"]["S"].removeprefix(keys.TRANSACTION): readable(item) for item in items}
        for transaction_id, entries in self._waiting.items():
            expected = named(headers.get(transaction_id))
            if not all(_is(e, expected.get(place(e))) for e in entries):
                self._candidates.transaction(transaction_id, map(place, entries))
        self.transactions += len(self._waiting)
        self._waiting.clear()

    def hexdigest(self) -> str:
        """The digest of the accounts' entries."""
        return self._all.hexdigest()
