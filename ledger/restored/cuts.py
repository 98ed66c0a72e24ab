"""What the cut left in parts. It only reads, consistently, and in bounded memory.

The log is scanned once: what its headers name and what its entries are is compared by digests, as
the reconciler does. Where they differ, a second scan looks closer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ledger import build, fingerprint, ids, keys
from ledger.items import BadItem, Image, Item, header_from, key_from
from ledger.model import Entry, Header, KeyRecord
from ledger.reconcile.compare import seen
from ledger.reconcile.digest import Difference, bucket_of
from ledger.reconcile.scans import scan
from ledger.runtime import Runtime
from ledger.write import accounts

MAX_BUCKETS = 1000
"""Of 65,536 by transaction, how many are looked at closely in one run."""

MAX_CUTS = 10_000
"""Of each kind, in one run."""

Progress = Callable[[int], None]
"""Told how many items of the log have been read."""


@dataclass(slots=True)
class Cuts:
    """What is in parts, and what would be done about it.

    Attributes:
        missing: entries that a header names and the log lacks: to be written again.
        lone: items of entries whose header is not there: to be taken out.
        lost_keys: keys that a header names and that are not there: to be written again.
        lone_keys: keys whose transaction is not there: to be removed, so that it can be tried again.
        unregistered: accounts of entries without a record: to be registered.
        left: what is wrong in another way, and left alone.
        more: there is more than one run takes up: run it again.
        items: how many items the log has.
        newest_ms: the newest id's time, in milliseconds since 1970.
    """

    missing: list[Entry] = field(default_factory=list)
    lone: list[Item] = field(default_factory=list)
    lost_keys: list[KeyRecord] = field(default_factory=list)
    lone_keys: list[KeyRecord] = field(default_factory=list)
    unregistered: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    more: bool = False
    items: int = 0
    newest_ms: int = 0

    @property
    def whole(self) -> bool:
        """Whether there is nothing to do."""
        parts = (self.missing, self.lone, self.lost_keys, self.lone_keys, self.unregistered)
        return not any(parts)


def survey(rt: Runtime, progress: Progress | None = None) -> Cuts:
    """Look for what the cut left in parts. Costs as a reconciliation's scans of log and keys do.

    Raises:
        Misconfigured: no such tables, or an account that this version cannot write.
    """
    cuts, legs = Cuts(), Difference()
    for items in rt.store.pages(scan(rt.settings.events_table)):
        page = _Page(items)
        cuts.items += len(items)
        cuts.newest_ms = max([cuts.newest_ms, *map(ids.time_ms, page.ids)])
        page.into(legs)
        _lost_keys(rt, page.sound, cuts)
        _extend(cuts, cuts.unregistered, _unregistered(rt, page, cuts))
        if progress is not None:
            progress(cuts.items)
    _closer(rt, legs.buckets(), cuts)
    for items in rt.store.pages(scan(rt.settings.idempotency_table)):
        _lone_keys(rt, items, cuts)
    return cuts


class _Page:
    """The headers and entries among some items of the log, by transaction."""

    def __init__(self, items: Iterable[Image]) -> None:
        self.headers: dict[str, Header | None] = {}
        self.entries: dict[str, list[tuple[Item, Entry | None]]] = {}
        for item in items:
            partition, sort = item["PK"]["S"], item["SK"]["S"]
            if partition.startswith(keys.TRANSACTION) and sort == keys.HEADER:
                self.headers[partition.removeprefix(keys.TRANSACTION)] = _sound(item)
            elif sort.startswith(keys.EVENT) and (one := seen(item)).id:
                id = ids.unpack(one.id)[: len(ids.NIL)]
                self.entries.setdefault(id, []).append((dict(item), one.entry))

    @property
    def ids(self) -> list[str]:
        """The ids of all transactions of the page."""
        return [*self.headers, *self.entries]

    @property
    def sound(self) -> list[Header]:
        """The headers that are what they were written as."""
        return [header for header in self.headers.values() if header is not None]

    def into(self, legs: Difference) -> None:
        """What headers name on the left, entries on the right; single ones have no header."""
        for header in self.sound:
            for entry in _named(header):
                legs.left(entry)
        for pairs in self.entries.values():
            for _, standing in pairs:
                if standing is not None and not standing.single:
                    legs.right(standing)


def _sound(item: Image) -> Header | None:
    """The header, or None where it cannot be understood or is not what it was written as."""
    try:
        header = header_from(item)
    except BadItem:
        return None
    return header if fingerprint.of_request(header) == header.fingerprint else None


def _named(header: Header) -> Sequence[Entry]:
    """The entries that a header stands for, exactly as they were written."""
    return () if header.refusal is not None or header.single else build.entries(header)


def _unregistered(rt: Runtime, page: _Page, cuts: Cuts) -> list[str]:
    """Accounts of the page's transactions, and of entries appended alone, without a record."""
    names = {entry.account for header in page.sound for entry in _named(header)}
    for pairs in page.entries.values():
        names |= {entry.account for _, entry in pairs if entry is not None and entry.single}
    return accounts.look_up(rt, sorted(names - set(cuts.unregistered)))


def _extend(cuts: Cuts, kind: list[str], found: Iterable[str]) -> None:
    for one in found:
        if len(kind) < MAX_CUTS:
            kind.append(one)
        else:
            cuts.more = True


def _closer(rt: Runtime, differing: frozenset[int], cuts: Cuts) -> None:
    """Scan the log once more for the transactions that may be in parts."""
    wanted = frozenset(sorted(differing)[:MAX_BUCKETS])
    cuts.more |= len(wanted) < len(differing)
    if not wanted:
        return
    headers: dict[str, Header | None] = {}
    entries: dict[str, list[tuple[Item, Entry | None]]] = {}
    for items in rt.store.pages(scan(rt.settings.events_table)):
        page = _Page(items)
        headers |= {id: h for id, h in page.headers.items() if bucket_of(id) in wanted}
        for id, pairs in page.entries.items():
            if bucket_of(id) in wanted:
                entries.setdefault(id, []).extend(pairs)
    for id in dict.fromkeys([*headers, *entries]):
        if len(cuts.missing) + len(cuts.lone) >= MAX_CUTS:
            cuts.more = True
            return
        if id in headers:
            _with_header(id, headers[id], entries.get(id, []), cuts)
        else:
            _without_header(entries[id], cuts)


def _with_header(
    id: str, header: Header | None, pairs: Sequence[tuple[Item, Entry | None]], cuts: Cuts
) -> None:
    """The transaction was: what its header names must stand. What else is wrong is left alone."""
    if header is None:
        cuts.left.append(f"transaction {id}: its header is not what it was written as")
        return
    standing = {(item["PK"]["S"], item["SK"]["S"]): entry for item, entry in pairs}
    for entry in _named(header):
        place = (keys.account(entry.account), keys.event(entry.currency, entry.id))
        if place not in standing:
            cuts.missing.append(entry)
            continue
        stands = standing.pop(place)
        if stands is None or stands.fingerprint != entry.fingerprint:
            cuts.left.append(
                f"entry {entry.id} of {entry.account}: it is not what its header names"
            )
    for (partition, _), other in standing.items():
        if other is not None and not other.single:
            name = keys.account_name(partition)
            cuts.left.append(f"entry {other.id} of {name}: its header does not name it")


def _without_header(pairs: Iterable[tuple[Item, Entry | None]], cuts: Cuts) -> None:
    """The transaction never was as a whole: its entries go. What is appended alone stays."""
    for item, entry in pairs:
        if entry is None:
            where = f"{item['PK']['S']} {item['SK']['S']}"
            cuts.left.append(f"{where}: it has no header, and is not what it was written as")
        elif not entry.single:
            cuts.lone.append(item)


def _lost_keys(rt: Runtime, headers: Iterable[Header], cuts: Cuts) -> None:
    """Keys that headers name and that are not there. One whose time is over needs none."""
    wanted = {r.key: r for header in headers if (r := _record(rt, header))}
    places = [(keys.idempotency(key),) for key in wanted]
    for item in rt.store.get_many(rt.settings.idempotency_table, places):
        record = wanted.pop(keys.idempotency_key(item["PK"]["S"]))
        if item.get("transaction") != {"S": record.transaction_id} and record.expires_at is None:
            cuts.left.append(
                f"transaction {record.transaction_id}: its key names another transaction"
            )
    if len(cuts.lost_keys) + len(wanted) > MAX_CUTS:
        cuts.more = True
        return
    cuts.lost_keys += wanted.values()


def _record(rt: Runtime, header: Header) -> KeyRecord | None:
    """The key's record as it was written with the header, or None where there need be none."""
    if header.idempotency_key is None:
        return None
    expires_at = None
    if header.key_expires:
        # Written a moment after the id was minted; a retry that much later is what it is for.
        ttl = rt.settings.idempotency_ttl_seconds
        expires_at = ids.time_ms(header.id) // 1000 + (ttl or 0)
        if expires_at <= rt.clock.time():
            return None
    return KeyRecord(
        key=header.idempotency_key,
        transaction_id=header.id,
        fingerprint=header.fingerprint,
        expires_at=expires_at,
        version=header.version,
    )


def _lone_keys(rt: Runtime, items: Sequence[Image], cuts: Cuts) -> None:
    """Keys whose transaction is not there: without them the payment can be tried again."""
    records = list(_records(items, cuts))
    wanted = {record.transaction_id for record in records}
    places = [(keys.transaction(id), keys.HEADER) for id in wanted]
    standing = {
        item["PK"]["S"].removeprefix(keys.TRANSACTION)
        for item in rt.store.get_many(rt.settings.events_table, places)
    }
    lone = [record for record in records if record.transaction_id not in standing]
    cuts.more |= len(cuts.lone_keys) + len(lone) > MAX_CUTS
    cuts.lone_keys += lone[: MAX_CUTS - len(cuts.lone_keys)]


def _records(items: Iterable[Image], cuts: Cuts) -> Iterator[KeyRecord]:
    for item in items:
        try:
            yield key_from(item)
        except BadItem as error:
            cuts.left.append(f"an idempotency key cannot be read: {error}")
