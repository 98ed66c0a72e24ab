"""What a window changed: in the log, entry by entry and header by header, and in the views."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from ledger import ids, keys
from ledger.errors import InvalidRequest
from ledger.items import Image
from ledger.model import Entry, Header
from ledger.reconcile.candidates import reading
from ledger.reconcile.compare import seen
from ledger.reconcile.counts import Counts
from ledger.reconcile.digest import MODULUS, bucket_of, of_entry
from ledger.reconcile.export.files import Change
from ledger.reconcile.legs import MAX_BUCKETS, Legs, parted
from ledger.reconcile.scope import Window
from ledger.reconcile.transaction import Place, named, place, readable
from ledger.runtime import Runtime

ID_BYTES = len(ids.FIRST)
HEADERS_AT_ONCE = 100


@dataclass(slots=True)
class Touched:
    """What the window did to one account and currency. `written`: ids, 17 bytes each."""

    written: bytearray = field(default_factory=bytearray)
    suspects: list[bytes] = field(default_factory=list)
    pages: list[tuple[str, bytes]] = field(default_factory=list)
    whole: bool = False

    def scope(self) -> Window:
        """What of the view is to be compared with the log."""
        starts = range(0, len(self.written), ID_BYTES)
        written = {bytes(self.written[start : start + ID_BYTES]) for start in starts}
        return Window(
            written=sorted(written),
            suspects=sorted(set(self.suspects)),
            pages=frozenset(self.pages),
            whole=self.whole,
        )


class Views(dict[tuple[str, str], Touched]):
    """By account and currency, in the order in which they were first seen."""

    def of(self, account: str, currency: str) -> Touched:
        """What the window did there."""
        return self.setdefault((account, currency), Touched())

    def see(self, change: Change) -> None:
        """A change of the balances table: a balance or a page, by whoever's hand."""
        kind, _, rest = change.sort.partition("#")
        if kind not in ("BALANCE", "PAGE"):
            return
        currency, _, page = rest.partition("#")
        touched = self.of(keys.account_name(change.partition), currency)
        if kind == "PAGE":
            generation, _, through = page.partition("#")
            with suppress(ValueError):  # It cannot be read, which the look at the account names.
                touched.pages.append((generation, ids.pack(through)))


class LogChanges:
    """The changes of the log: what was written, which is compared, and what was tampered with."""

    def __init__(self, rt: Runtime, counts: Counts, views: Views) -> None:
        self._counts = counts
        self._views = views
        # Header and entries commit together: only the window's edge can cut between them.
        self._legs = Legs(rt, counts.candidates, lambda _transaction_id: True)
        self._headers: dict[str, Header | None] = {}
        self._digest = 0

    def see(self, change: Change) -> None:
        """One item that was written, changed or removed."""
        if _is_header(change):
            self._header(change)
        elif change.sort.startswith(keys.EVENT):
            self._entry(change)

    def finish(self) -> None:
        """After the last one."""
        self._flush()
        self._counts.transactions = self._legs.transactions
        self._counts.digest = f"{self._digest:064x}"

    def _entry(self, change: Change) -> None:
        currency, entry_id = keys.split_event(change.sort)
        account = keys.account_name(change.partition)
        touched = self._views.of(account, currency)
        if change.old is None and change.new is not None:
            self._written(touched, account, change.new)
        elif change.old != change.new or change.old is None:
            self._tampered(touched, change, (account, currency, entry_id))

    def _written(self, touched: Touched, account: str, new: Image) -> None:
        one = seen(new)
        if not one.id:
            touched.whole = True  # It stands anywhere among the account's entries.
            return
        touched.written += one.id
        self._counts.entries += 1
        if one.unreadable:
            self._counts.unread.append(f"entry {ids.unpack(one.id)} of {account}: {one.why}")
        if one.entry is None:
            touched.suspects.append(one.id)
            return
        self._counts.add(one.entry)
        self._digest = (self._digest + of_entry(one.entry)) % MODULUS
        self._legs.entry(one.entry)

    def _tampered(self, touched: Touched, change: Change, where: Place) -> None:
        """Entries never change: whatever did this was no writer."""
        try:
            transaction_id, _ = ids.split_entry_id(where[2])
        except InvalidRequest:
            touched.whole = True
            return
        touched.suspects.append(ids.pack(where[2]))
        self._suspect(change, transaction_id, [where])

    def _suspect(self, change: Change, transaction_id: str, places: Iterable[Place]) -> None:
        candidates = self._counts.candidates
        candidates.transaction(transaction_id, places)
        if change.old is not None:
            candidates.item((change.partition, change.sort), change.old)

    def _header(self, change: Change) -> None:
        transaction_id = change.partition.removeprefix(keys.TRANSACTION)
        if change.old is None and change.new is not None:
            self._headers[transaction_id] = readable(change.new)
            if len(self._headers) >= HEADERS_AT_ONCE:
                self._flush()
        elif change.old != change.new or change.old is None:
            places = [where for image in (change.old, change.new) for where in _places(image)]
            self._suspect(change, transaction_id, places)

    def _flush(self) -> None:
        headers, self._headers = self._headers, {}
        with reading("the idempotency keys", self._counts.unread):
            self._legs.headers(headers)

    def buckets(self) -> frozenset[int]:
        """Where headers and entries differ, at most 1,000 of 65,536; the others are counted."""
        differing = sorted(self._legs.buckets())
        self._counts.candidates.omitted += len(differing[MAX_BUCKETS:])
        return frozenset(differing[:MAX_BUCKETS])

    def narrow(self, changes: Iterable[Change], buckets: frozenset[int]) -> None:
        """The changes once more: transactions that the window does not have whole are looked at.

        They stand at the window's edge, or somebody tampered with them. The trial balance goes
        without them.
        """
        new = (c.new for c in changes if c.old is None and bucket_of(_transaction_of(c)) in buckets)
        headers, found = parted(item for item in new if item is not None)
        entries: dict[str, dict[Place, Entry]] = {}
        for entry in found:
            if not entry.single:
                entries.setdefault(entry.transaction_id, {})[place(entry)] = entry
        for transaction_id in dict.fromkeys([*headers, *entries]):
            standing = entries.get(transaction_id, {})
            if not _whole(named(headers.get(transaction_id)), standing):
                self._counts.candidates.transaction(transaction_id, standing)
                for entry in standing.values():
                    self._counts.add(entry, -1)


def _is_header(change: Change) -> bool:
    return change.sort == keys.HEADER and change.partition.startswith(keys.TRANSACTION)


def _transaction_of(change: Change) -> str:
    if _is_header(change):
        return change.partition.removeprefix(keys.TRANSACTION)
    return change.sort.removeprefix(keys.EVENT).partition("#")[2][: len(ids.NIL)]


def _places(image: Image | None) -> Iterable[Place]:
    return named(readable(image)) if image is not None else ()


def _whole(expected: dict[Place, Entry], found: dict[Place, Entry]) -> bool:
    return expected.keys() == found.keys() and all(
        entry.fingerprint == found[where].fingerprint for where, entry in expected.items()
    )
