"""Listing an account's entries, page by page, in the order of their ids."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ledger import check, ids, keys
from ledger.errors import InvalidRequest, NotFound
from ledger.fingerprint import instant
from ledger.items import entry_from
from ledger.model import Entry, Page
from ledger.read import cursor as cursors
from ledger.read import log
from ledger.runtime import Runtime

Position = tuple[str, str]
"""An entry's id and currency: two appends may share an id in two currencies."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was asked for: the range is [since, until), by recorded time."""

    account: str
    currency: str | None
    since: datetime | None
    until: datetime | None
    newest_first: bool

    def identity(self) -> list[str | bool | None]:
        """What a cursor of this listing belongs to."""
        since, until = instant(self.since), instant(self.until)
        return ["entries", self.account, self.currency, since, until, self.newest_first]

    def bounds(self) -> tuple[str, str]:
        """The range as entry ids, both sides exclusive but for places that no entry has."""
        low = ids.first_id_of(self.since) if self.since else ""
        high = ids.first_id_of(self.until) if self.until else keys.END
        return low, high


def entries(rt: Runtime, listing: Listing, limit: int, cursor: str | None) -> Page[Entry]:
    """See `Ledger.entries`."""
    check.limit(limit)
    after: Position | None = None
    if cursor is not None:
        entry_id, currency = cursors.decode(cursor, listing.identity(), parts=2)
        ids.split_entry_id(entry_id)
        after = (entry_id, currency)
    if listing.since and listing.until and listing.since >= listing.until:
        return Page()
    wanted = [listing.currency] if listing.currency else log.currencies(rt, listing.account)
    streams = [_stream(rt, listing, code, after, limit + 1) for code in wanted]
    merged = heapq.merge(*streams, key=_position, reverse=listing.newest_first)
    found = tuple(islice(merged, limit + 1))
    more = len(found) > limit
    last = found[limit - 1] if more else None
    position = _position(last) if last else None
    return Page(found[:limit], cursors.encode(listing.identity(), position) if position else None)


def _position(entry: Entry) -> Position:
    return entry.id, entry.currency


def _stream(
    rt: Runtime, listing: Listing, currency: str, after: Position | None, most: int
) -> Iterator[Entry]:
    """One currency's entries beyond `after`, no more of them read than can be wanted."""
    low, high = listing.bounds()
    if after and listing.newest_first:
        high = min(high, after[0])
    elif after:
        low = max(low, after[0])
    if low > high:
        return
    request = log.events(
        rt.settings,
        listing.account,
        currency,
        above=low,
        below=high,
        newest_first=listing.newest_first,
        limit=most + 1,
    )
    for items in rt.store.pages(request):
        for entry in map(entry_from, items):
            if after is None or _beyond(_position(entry), after, newest_first=listing.newest_first):
                yield entry


def _beyond(position: Position, after: Position, *, newest_first: bool) -> bool:
    return position < after if newest_first else position > after


def entry(rt: Runtime, account: str, entry_id: str, currency: str | None) -> Entry:
    """See `Ledger.entry`."""
    ids.split_entry_id(entry_id)
    wanted = [currency] if currency else log.currencies(rt, account)
    places = [(keys.account(account), keys.event(code, entry_id)) for code in wanted]
    found = [entry_from(item) for item in rt.store.get_many(rt.settings.events_table, places)]
    if not found:
        raise NotFound(f"account {account} has no entry {entry_id}", id=entry_id[:26])
    if len(found) > 1:
        raise InvalidRequest(
            f"account {account} has an entry {entry_id} in "
            f"{' and '.join(sorted(e.currency for e in found))}: pass currency="
        )
    return found[0]
