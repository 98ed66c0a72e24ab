"""Seal: ids that have settled move from the balance item into a page, with the sums of just those."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger import fingerprint, ids, keys
from ledger.aws import Cancelled
from ledger.items import BadItem, Image, entry_from
from ledger.log import logger
from ledger.model import Entry
from ledger.runtime import Runtime
from ledger.view import BalanceImage, PageImage
from projector import requests
from projector.fold import sums
from projector.tally import Tally

MIN_SEAL = 40
MAX_OPEN = 350
"""Above it the balance item would cost more than 8 write units an update: seal whatever is oldest."""

KEEP_OPEN = 175
MAX_UNITS_AN_EVENT = 0.15
ID_BYTES = 17
FRAME_BYTES = 340
"""A page or balance item without its ids: no more than this for an account's name of 60 bytes."""

log = logger("projector.seal")


def units(count: int) -> int:
    """Write units of a transactional put or update of an item that holds `count` ids."""
    return 2 * -(-(FRAME_BYTES + ID_BYTES * count) // 1024)


def to_seal(image: BalanceImage, settled_before_ms: int) -> list[bytes]:
    """Which ids of `open` to seal now, the oldest first; none, when it would not be worth it.

    A seal costs the page and the balance item, so of the ids that have settled the run is taken
    that costs the least an event, and only if that is at most 0.15 write units: what is left is
    sealed with later ones. Past its cap `open` is sealed at whatever price.
    """
    oldest = sorted(image.open)
    settled = sum(1 for id in oldest if ids.packed_time_ms(id) < settled_before_ms)
    if len(oldest) > MAX_OPEN:
        return oldest[: max(settled, len(oldest) - KEEP_OPEN)]
    if settled < MIN_SEAL:
        return []
    balance = units(len(oldest))
    best = min(range(MIN_SEAL, settled + 1), key=lambda n: (units(n) + balance) / n)
    worth = (units(best) + balance) / best <= MAX_UNITS_AN_EVENT
    return oldest[:best] if worth else []


@dataclass(frozen=True, slots=True)
class Checked:
    """What the log says of ids: the entries that stand there untouched, and the ids that do not."""

    entries: tuple[Entry, ...]
    suspects: frozenset[bytes]


def check(account: str, currency: str, wanted: Iterable[bytes], items: Iterable[Image]) -> Checked:
    """Compare ids with their items of the log."""
    sound = {}
    for item in items:
        entry = _sound(item)
        if entry and (entry.account, entry.currency) == (account, currency):
            sound[ids.pack(entry.id)] = entry
    return Checked(tuple(sound.values()), frozenset(wanted) - sound.keys())


def _sound(item: Image) -> Entry | None:
    try:
        entry = entry_from(item)
    except BadItem:
        return None
    return entry if fingerprint.of_entry(entry) == entry.fingerprint else None


def read(rt: Runtime, account: str, currency: str, wanted: list[bytes]) -> Checked:
    """Exactly these entries, from the log, consistently: a neighbour may not be applied yet."""
    places = [(keys.account(account), keys.event(currency, ids.unpack(id))) for id in wanted]
    checked = check(account, currency, wanted, rt.store.get_many(rt.settings.events_table, places))
    for id in sorted(checked.suspects):
        log.error("suspect", account=account, currency=currency, entry=ids.unpack(id))
    return checked


def seal(rt: Runtime, account: str, currency: str, image: BalanceImage) -> Tally:
    """Seal what has settled in `image`, the result of one's own apply.

    When the balance has moved on meanwhile nothing is sealed: the next apply will.
    """
    before = rt.clock.time_ms() - int(rt.settings.settling_seconds * 1000)
    wanted = to_seal(image, before)
    if not wanted:
        return Tally()
    checked = read(rt, account, currency, wanted)
    page = PageImage(
        start=image.through,
        through=wanted[-1],
        ids=frozenset(wanted),
        suspects=checked.suspects,
        sums=sums(checked.entries),
        generation=image.generation,
    )
    try:
        rt.store.send(requests.seal(rt.settings, account, currency, image, page))
    except Cancelled:
        return Tally()
    return Tally(seals=1, suspects=len(checked.suspects))
