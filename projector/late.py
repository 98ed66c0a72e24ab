"""Late events: their ids lie below `through`, so each goes into the page whose range covers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ledger import ids
from ledger.aws import Cancelled
from ledger.model import Entry
from ledger.read.balance import covering_page
from ledger.runtime import Runtime
from ledger.view import PageImage
from projector import requests
from projector.errors import Unappliable
from projector.fold import sums
from projector.seal import FRAME_BYTES, ID_BYTES, read
from projector.tally import Tally

MAX_PAGE_BYTES = 8192
MAX_PAGE_IDS = (MAX_PAGE_BYTES - FRAME_BYTES) // ID_BYTES

Entries = Mapping[bytes, Entry]
Left = dict[bytes, Entry]


def apply_late(
    rt: Runtime, account: str, currency: str, late: Entries, generation: str
) -> tuple[Tally, Left]:
    """Apply late entries, one transaction a page. What a change by others kept out is left.

    Raises:
        Unappliable: no page covers an id at or below `through`: someone removed it.
    """
    tally, left = Tally(), Left()
    for page, covered in _by_page(rt, account, currency, late, generation):
        new = {id: entry for id, entry in covered.items() if id not in page.ids}
        tally += Tally(duplicates=len(covered) - len(new))
        if not new:
            continue
        try:
            rt.store.send(
                requests.late(rt.settings, account, currency, page, new, sums(new.values()))
            )
        except Cancelled:
            left |= new
            continue
        tally += Tally(applied=len(new), late=len(new))
        if len(page.ids) + len(new) > MAX_PAGE_IDS:
            tally += split(rt, account, currency, page)
    return tally, left


def _by_page(
    rt: Runtime, account: str, currency: str, late: Entries, generation: str
) -> Iterator[tuple[PageImage, Entries]]:
    """The late entries with the page that covers them, page by page."""
    waiting = dict(sorted(late.items()))
    while waiting:
        smallest = next(iter(waiting))
        page = covering_page(rt, account, currency, generation, smallest)
        if page is None or smallest <= page.start:
            raise Unappliable(
                f"no page of {account} in {currency} covers {ids.unpack(smallest)}: its view is "
                "broken, rebuild it"
            )
        covered = {id: entry for id, entry in waiting.items() if id <= page.through}
        yield page, covered
        waiting = {id: entry for id, entry in waiting.items() if id > page.through}


def split(rt: Runtime, account: str, currency: str, seen: PageImage) -> Tally:
    """Part a page that has grown too large. When others changed it meanwhile, they part it."""
    page = covering_page(rt, account, currency, seen.generation, seen.through)
    if page is None or len(page.ids) <= MAX_PAGE_IDS:
        return Tally()
    low, high, suspects = _halves(rt, account, currency, page)
    try:
        rt.store.send(requests.split(rt.settings, account, currency, page, low, high))
    except Cancelled:
        return Tally()
    return Tally(splits=1, suspects=suspects)


def _halves(
    rt: Runtime, account: str, currency: str, page: PageImage
) -> tuple[PageImage, PageImage, int]:
    """The two pages, and how many suspects came to light.

    The lower one's sums are read from the log and the upper one keeps the rest, so that together
    they are what the page was, even where an entry has been altered since it was sealed.
    """
    ordered = sorted(page.ids)
    lower = ordered[: len(ordered) // 2]
    wanted = [id for id in lower if id not in page.suspects]
    checked = read(rt, account, currency, wanted)
    low = replace(
        page,
        through=lower[-1],
        ids=frozenset(lower),
        suspects=(page.suspects & frozenset(lower)) | checked.suspects,
        sums=sums(checked.entries),
    )
    high = replace(
        page,
        start=lower[-1],
        ids=page.ids - low.ids,
        suspects=page.suspects - low.ids,
        sums=page.sums + -low.sums,
    )
    return low, high, len(checked.suspects)
