"""Lag: how far the view is behind the log, exactly, account by account.

What the view lacks are the entries of the log above `through` that are not in `open`: those that a
fresh balance adds. It does not see a late entry that is not applied yet (one at or below `through`);
the reconciler names such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

from ledger import check, ids, keys
from ledger.errors import InvalidRequest, NotFound
from ledger.read import log
from ledger.read.balance import image
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.tables import LISTING_INDEX

DEFAULT_SAMPLE = 160
MAX_SAMPLE = 10_000
MAX_READ = 1_000
"""Entries read beyond `through`, for one account and currency: 350 at most are in `open`, some 100 KB."""


@dataclass(frozen=True, slots=True)
class Behind:
    """One account and currency whose view lacks entries of the log.

    Attributes:
        unapplied: how many it lacks; `at_least` says that the count stopped at its limit.
        oldest_seconds: how long ago the oldest of them was recorded, by its id and DynamoDB's
            clock. An entry that an import records under an old id is as old as its id says.
    """

    account: str
    currency: str
    unapplied: int
    at_least: bool
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the view is behind.

    Attributes:
        behind: the accounts and currencies that lack entries, the oldest first.
        accounts, balances: how many were looked at; a balance is an account and currency.
        whole: whether all that was asked for was looked at, in the time that was given.
    """

    behind: tuple[Behind, ...]
    accounts: int
    balances: int
    whole: bool = True

    @property
    def unapplied(self) -> int:
        """How many entries are missing in all."""
        return sum(one.unapplied for one in self.behind)

    @property
    def at_least(self) -> bool:
        """Whether there may be more than `unapplied`."""
        return any(one.at_least for one in self.behind)

    @property
    def oldest_seconds(self) -> float:
        """The age of the oldest one; 0 where none is missing."""
        return max((one.oldest_seconds for one in self.behind), default=0.0)


def lag(
    rt: Runtime,
    accounts: Iterable[str] | None = None,
    *,
    sample: int = DEFAULT_SAMPLE,
    within: Callable[[], bool] = lambda: True,
) -> Lag:
    """How far the view of some accounts is behind: of those named, else of a sample of all.

    The sample is taken evenly from the sixteen partitions of the listing and from both ends of
    each, and is the same every time; it is the whole of a ledger that is no larger. `within` is
    asked before each account whether there is still time.

    For each account: a read for each currency and one more; for each currency two reads more, of
    which the second grows with what is unapplied or unsealed, to 1,000 entries (some 50 read
    units). An account at rest in one currency costs four small reads, 2.5 read units.

    Raises:
        InvalidRequest: a malformed account, a sample out of range.
        NotFound: an account that was named has no record and no entries.
    """
    if accounts is not None:
        names: Sequence[str] = [check.account(name) for name in dict.fromkeys(accounts)]
    else:
        names = sampled(rt, sample, within)
    rt.synchronise()
    behind: list[Behind] = []
    looked, balances = 0, 0
    for name in names:
        if not within():
            break
        currencies = log.currencies(rt, name)
        if not currencies and accounts is not None:
            _must_exist(rt, name)
        found = (_behind(rt, name, currency) for currency in currencies)
        behind += [one for one in found if one is not None]
        looked, balances = looked + 1, balances + len(currencies)
    behind.sort(key=lambda one: -one.oldest_seconds)
    return Lag(tuple(behind), looked, balances, whole=looked == len(names))


def _must_exist(rt: Runtime, name: str) -> None:
    if rt.store.get(rt.settings.accounts_table, keys.account(name), keys.RECORD) is None:
        raise NotFound(f"account {name} has no record and no entries")


def sampled(rt: Runtime, sample: int, within: Callable[[], bool]) -> list[str]:
    """At most `sample` accounts, a sixteenth from each partition of the listing."""
    if not 1 <= sample <= MAX_SAMPLE:
        raise InvalidRequest(f"sample {sample}: expected 1 to {MAX_SAMPLE:,} accounts")
    ranked = [_from_both_ends(rt, listing, sample) for listing in keys.listings() if within()]
    rounds = zip_longest(*ranked)
    return [name for one in rounds for name in one if name is not None][:sample]


def _from_both_ends(rt: Runtime, listing: str, most: int) -> list[str]:
    """The first name of a partition, its last, its second, and so on."""
    first, last = (_listed(rt, listing, most, forward=forward) for forward in (True, False))
    pairs = zip(first, last, strict=False)
    return list(dict.fromkeys(name for pair in pairs for name in pair))


def _listed(rt: Runtime, listing: str, limit: int, *, forward: bool) -> list[str]:
    request = {
        "TableName": rt.settings.accounts_table,
        "IndexName": LISTING_INDEX,
        "KeyConditionExpression": "listing = :listing",
        "ExpressionAttributeValues": {":listing": {"S": listing}},
        "ProjectionExpression": "account",
        "ScanIndexForward": forward,
        "Limit": limit,
    }
    return [item["account"]["S"] for item in rt.store.send(Request("query", request))["Items"]]


def _behind(rt: Runtime, account: str, currency: str) -> Behind | None:
    """What the view lacks of one account and currency. The view is read first, the log after it."""
    seen = image(rt, account, currency)
    above = list(islice(_above(rt, account, currency, seen.through), MAX_READ + 1))
    lacking = [id for id in above[:MAX_READ] if id not in seen.open]
    if not lacking:
        return None
    age = rt.clock.time() - ids.packed_time_ms(lacking[0]) / 1000
    cut = len(above) > MAX_READ
    return Behind(account, currency, len(lacking), cut, max(0.0, age))


def _above(rt: Runtime, account: str, currency: str, through: bytes) -> Iterator[bytes]:
    """The ids of the log above `through`, in order. Only keys are asked for."""
    start = ids.unpack(through)
    wanted = log.events(rt.settings, account, currency, above=start, limit=MAX_READ + 2)
    parameters: dict[str, Any] = wanted.parameters | {"ProjectionExpression": "SK"}
    for items in rt.store.pages(Request("query", parameters)):
        found = (_id(item["SK"]["S"]) for item in items)
        yield from (id for id in found if id is not None and id > through)


def _id(sort: str) -> bytes | None:
    """The id of an entry's key; None for a foreign one, which is the reconciler's to name."""
    _, entry_id = keys.split_event(sort)
    return ids.pack(entry_id) if ids.ENTRY.fullmatch(entry_id) else None
