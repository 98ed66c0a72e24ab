"""One account and currency: the view, read first, against the log, page by page."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from ledger import ids, keys
from ledger.errors import Contended
from ledger.items import BadItem
from ledger.model import Entry
from ledger.read import log
from ledger.read.balance import image
from ledger.reconcile.compare import Amounts, Comparison, Seen, differing, seen
from ledger.reconcile.grace import Grace
from ledger.reconcile.report import Finding
from ledger.reconcile.scope import EVERYTHING, Scope
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.view import SUM_FIELDS, BalanceImage, PageImage, page_image, pages_between

PAGES_AT_ONCE = 100
MAX_READS = 4


@dataclass(slots=True)
class Checked:
    """What one account and currency came to."""

    findings: list[Finding] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    omitted: int = 0
    entries: int = 0
    in_flight: int = 0


def currencies(rt: Runtime, account: str) -> list[str]:
    """The currencies that the log or the view have of an account."""
    found = set(log.currencies(rt, account))
    for items in rt.store.pages(_balances(rt, account)):
        found |= {item["SK"]["S"].removeprefix(keys.BALANCE) for item in items}
    return sorted(found)


def _balances(rt: Runtime, account: str) -> Request:
    return Request(
        "query",
        {
            "TableName": rt.settings.balances_table,
            "ConsistentRead": True,
            "KeyConditionExpression": "PK = :account AND begins_with(SK, :balance)",
            "ExpressionAttributeValues": {
                ":account": {"S": keys.account(account)},
                ":balance": {"S": keys.BALANCE},
            },
            "ProjectionExpression": "SK",
        },
    )


def check(
    rt: Runtime,
    account: str,
    currency: str,
    grace: Grace,
    observe: Callable[[Entry], None] | None = None,
    scope: Scope = EVERYTHING,
) -> Checked:
    """Compare one account and currency; `observe` is given each sound entry of the log, once.

    If late events change the pages meanwhile it is read once more, and the first image counts.
    Pages out of `scope` are read, for their ranges and sums, and not compared with the log.

    Raises:
        Contended: it kept changing.
    """
    try:
        return _stable(rt, account, currency, grace, observe, scope)
    except BadItem as error:
        return Checked(findings=[_broken(account, currency, str(error))])


def _stable(
    rt: Runtime,
    account: str,
    currency: str,
    grace: Grace,
    observe: Callable[[Entry], None] | None,
    scope: Scope,
) -> Checked:
    before = image(rt, account, currency)
    for _ in range(MAX_READS):
        checked = _pass(_Reading(rt, account, currency, grace, scope, observe), before)
        after = image(rt, account, currency)
        if (after.lates, after.generation) == (before.lates, before.generation):
            return checked
        # Entries never change, so those that the first pass saw are not shown to it again.
        before, observe = after, None
    raise Contended(f"late events kept changing the view of {account} in {currency}")


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read, and how it is judged."""

    rt: Runtime
    account: str
    currency: str
    grace: Grace
    scope: Scope
    observe: Callable[[Entry], None] | None

    def range(self, ids: frozenset[bytes], page: PageImage | None = None) -> Comparison:
        """What the view has of one range: a page, or what lies outside all pages."""
        name = _name(self.currency, page) if page else ""
        found = page.sums if page else None
        return Comparison(
            self.account, self.currency, name, ids, self.grace, found, due=self.scope.due
        )


def _pass(reading: _Reading, view: BalanceImage) -> Checked:
    checked, total = Checked(), Amounts()
    account, currency = reading.account, reading.currency
    end = ids.FIRST
    for pages in _pages(reading.rt, account, currency, view):
        checked.findings += broken(account, currency, pages, end)
        starts = [end, *(page.through for page in pages)]
        # What a gap hides is looked for, whoever touched the page after it.
        judged = [
            (page.start != start or reading.scope.compares(page), page)
            for page, start in zip(pages, starts, strict=False)
        ]
        for compared, run in groupby(judged, key=itemgetter(0)):
            neighbours = [page for _, page in run]
            start, end = end, neighbours[-1].through
            if not compared:
                _take(neighbours, total)
                continue
            ranges = [reading.range(page.ids, page) for page in neighbours]
            ends = [page.through for page in neighbours]
            _compare(reading, ranges, ends, start, end, checked)
            _finish(ranges, total, checked)
    if end != view.through:
        checked.findings.append(_broken(account, currency, "the newest page is not at `through`"))
        lost = reading.range(frozenset())
        _compare(reading, [lost], [], end, view.through, checked)
        _finish([lost], total, checked)
    rest = reading.range(view.open)
    _compare(reading, [rest], [], view.through, None, checked)
    _finish([rest], total, checked)
    checked.findings += _of_balance(account, currency, view, total, checked.findings)
    return checked


def _take(pages: Sequence[PageImage], total: Amounts) -> None:
    """Pages at their word: that their sums are those of their ids was seen when they were written."""
    for page in pages:
        for name in SUM_FIELDS:
            total[name] = total.get(name, 0) + getattr(page.sums, name)


def _name(currency: str, page: PageImage) -> str:
    return keys.page(currency, page.generation, ids.unpack(page.through))


def _pages(
    rt: Runtime, account: str, currency: str, view: BalanceImage
) -> Iterator[list[PageImage]]:
    """The pages at or below `through`, up to a hundred at a time."""
    if view.through == ids.FIRST:
        return
    request = pages_between(
        rt.settings, account, currency, view.generation, ids.FIRST, view.through, PAGES_AT_ONCE
    )
    for items in rt.store.pages(request):
        if items:
            yield [page_image(item) for item in items]


def _compare(
    reading: _Reading,
    ranges: Sequence[Comparison],
    ends: Sequence[bytes],
    start: bytes,
    end: bytes | None,
    checked: Checked,
) -> None:
    """Give each item of the log in (`start`, `end`] to the range that it lies in."""
    account, currency = reading.account, reading.currency
    for item in _items(reading.rt, account, currency, start, end):
        if not item.id:
            checked.findings.append(_foreign(account, currency, item.why))
            continue
        ranges[bisect_left(ends, item.id)].see(item)
        checked.entries += 1
        if item.unreadable:
            checked.unread.append(f"entry {ids.unpack(item.id)} of {account}: {item.why}")
        if item.entry is not None and reading.observe is not None:
            reading.observe(item.entry)


def _items(
    rt: Runtime, account: str, currency: str, start: bytes, end: bytes | None
) -> Iterator[Seen]:
    above, below = ids.unpack(start), ids.unpack(end) if end else keys.END
    for items in rt.store.pages(
        log.events(rt.settings, account, currency, above=above, below=below)
    ):
        yield from (one for one in map(seen, items) if not one.id or one.id > start)


def _foreign(account: str, currency: str, why: str) -> Finding:
    message = f"an item of the log is nobody's: {why}"
    return Finding(kind="leg injected", message=message, account=account, currency=currency)


def _finish(ranges: Sequence[Comparison], total: Amounts, checked: Checked) -> None:
    for one in ranges:
        checked.findings += one.finish()
        checked.in_flight += one.in_flight
        checked.omitted += one.omitted
        for name, amount in one.sums.items():
            total[name] = total.get(name, 0) + amount


def _of_balance(
    account: str, currency: str, view: BalanceImage, total: Amounts, findings: Sequence[Finding]
) -> list[Finding]:
    """The balance's own sums, unless what is wrong with them has been named already."""
    if any(f.kind in ("altered", "phantom", "broken view") for f in findings):
        return []
    return differing("balance sums", account, currency, "", total, view.sums)


def broken(account: str, currency: str, pages: Sequence[PageImage], end: bytes) -> list[Finding]:
    """Pages whose ranges leave a gap after `end`, or whose ids lie outside their range."""
    found = []
    for page in pages:
        if page.start != end:
            found.append(_broken(account, currency, "pages leave a gap", page))
        if any(not page.start < id <= page.through for id in page.ids):
            found.append(_broken(account, currency, "an id lies outside its page's range", page))
        end = page.through
    return found


def _broken(account: str, currency: str, message: str, page: PageImage | None = None) -> Finding:
    return Finding(
        kind="broken view",
        message=message,
        account=account,
        currency=currency,
        page=_name(currency, page) if page else "",
    )
