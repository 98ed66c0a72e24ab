"""Balances: the view, or the view and what the log has beyond it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

from ledger import ids, keys, view
from ledger.errors import Contended, InvalidRequest, NotYetHere
from ledger.items import entry_from
from ledger.model import Balance, Entry, Receipt
from ledger.read import log
from ledger.runtime import Runtime
from ledger.view import BalanceImage, PageImage, Sums, balance_image, page_image

Consistency = Literal["fresh", "view"]
MAX_READS = 5
T = TypeVar("T")


def image(rt: Runtime, account: str, currency: str, *, consistent: bool = True) -> BalanceImage:
    """The balance item of an account, one `GetItem`."""
    item = rt.store.get(
        rt.settings.balances_table,
        keys.account(account),
        keys.balance(currency),
        consistent=consistent,
    )
    return balance_image(item)


def balance(
    rt: Runtime,
    account: str,
    currency: str,
    consistency: Consistency = "fresh",
    including: Receipt | None = None,
) -> Balance:
    """See `Ledger.balance`."""
    if consistency not in ("fresh", "view"):
        raise InvalidRequest(f'consistency {consistency!r}: expected "fresh" or "view"')
    if including is not None:
        sums = _including(rt, account, currency, _own(account, currency, including))
    elif consistency == "view":
        sums = image(rt, account, currency, consistent=False).sums
    else:
        sums = _fresh(rt, account, currency, image(rt, account, currency))
    return view.balance(account, currency, sums)


def _fresh(rt: Runtime, account: str, currency: str, seen: BalanceImage) -> Sums:
    """The view, read first, and the log's entries above `through` that are not in `open`."""
    sums = seen.sums
    for entry in log.entries_between(rt, account, currency, seen.through):
        if ids.pack(entry.id) not in seen.open:
            sums = sums.plus(entry)
    return sums


def _own(account: str, currency: str, receipt: Receipt) -> list[Entry]:
    if not isinstance(receipt, Receipt):
        raise InvalidRequest(f"including is a {type(receipt).__name__}: expected a receipt")
    own = [e for e in receipt.entries if (e.account, e.currency) == (account, currency)]
    if not own:
        raise InvalidRequest(
            f"the receipt {receipt.id} has no entry on {account} in {currency}: "
            "including= takes a receipt of this account and currency"
        )
    return own


def _including(rt: Runtime, account: str, currency: str, own: Sequence[Entry]) -> Sums:
    """Fresh, and with `own` even where they are late and not yet applied."""

    def late_ones(seen: BalanceImage) -> list[bytes]:
        late = [ids.pack(e.id) for e in own if ids.pack(e.id) <= seen.through]
        return [id for id in late if id not in _page_ids(rt, account, currency, seen, id)]

    seen, unapplied = with_pages(rt, account, currency, late_ones)
    sums = _fresh(rt, account, currency, seen)
    for entry in _from_log(rt, [e for e in own if ids.pack(e.id) in unapplied]):
        sums = sums.plus(entry)
    _must_be_here(rt, own)
    return sums


def with_pages(
    rt: Runtime, account: str, currency: str, read: Callable[[BalanceImage], T]
) -> tuple[BalanceImage, T]:
    """A balance and what `read` finds in its pages, as of one moment.

    The balance is read again after the pages: if a page below `through` was changed or a rebuild
    swapped the view meanwhile (`lates`, `generation`), once more. The first image counts.

    Raises:
        Contended: it kept changing.
    """
    seen = image(rt, account, currency)
    for _ in range(MAX_READS):
        found = read(seen)
        now = image(rt, account, currency)
        if (now.lates, now.generation) == (seen.lates, seen.generation):
            return seen, found
        seen = now
    raise Contended(f"late events kept changing the pages of {account} in {currency}: try again")


def _page_ids(
    rt: Runtime, account: str, currency: str, seen: BalanceImage, id: bytes
) -> frozenset[bytes]:
    page = covering_page(rt, account, currency, seen.generation, id)
    return page.ids if page else frozenset()


def covering_page(
    rt: Runtime, account: str, currency: str, generation: str, id: bytes
) -> PageImage | None:
    """The page whose range covers `id`, if there is one."""
    request = view.page_covering(rt.settings, account, currency, generation, id)
    found = rt.store.send(request)["Items"]
    return page_image(found[0]) if found else None


def _from_log(rt: Runtime, entries: Iterable[Entry]) -> list[Entry]:
    """The same entries as they stand in the log."""
    wanted = [(keys.account(e.account), keys.event(e.currency, e.id)) for e in entries]
    return [entry_from(item) for item in rt.store.get_many(rt.settings.events_table, wanted)]


def _must_be_here(rt: Runtime, own: Sequence[Entry]) -> None:
    """Entries written in another region may not have arrived."""
    elsewhere = [e for e in own if e.origin != rt.region]
    if len(_from_log(rt, elsewhere)) < len(elsewhere):
        raise NotYetHere(
            f"the entries of {own[0].transaction_id} have not all arrived in {rt.region}: try again",
            id=own[0].transaction_id,
        )


def balances(rt: Runtime, account: str, consistency: Consistency = "fresh") -> dict[str, Balance]:
    """See `Ledger.balances`."""
    return {c: balance(rt, account, c, consistency) for c in log.currencies(rt, account)}
