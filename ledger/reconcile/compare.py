"""The comparison of one range of the view with the log, and the reconciler's own fold.

A range is a page, or what is open above all pages. The view was read first, so an id that is in the
view and not in the log read after it is a phantom, whatever is in flight.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ledger import fingerprint, ids, keys
from ledger.errors import InvalidRequest
from ledger.items import BadItem, Image, entry_from
from ledger.model import Entry
from ledger.reconcile.grace import Grace
from ledger.reconcile.report import MAX_FINDINGS, Finding
from ledger.view import SUM_FIELDS, Sums

Amounts = dict[str, int]


def fold(total: Amounts, entry: Entry) -> None:
    """Add one entry to `total`: the reconciler's own arithmetic, shared with nobody."""
    side = "credits" if entry.direction == "credit" else "debits"
    for name, amount in (
        (side, entry.amount_minor),
        (f"pending_{side}", entry.pending_minor),
        ("entries", 1),
    ):
        total[name] = total.get(name, 0) + amount


@dataclass(frozen=True, slots=True)
class Seen:
    """One item of the log: its id, and its entry if it is what it was written as.

    An item whose key is no entry's has no id.
    """

    id: bytes
    entry: Entry | None
    why: str = ""
    unreadable: bool = False


def seen(item: Image) -> Seen:
    """What an item of the log is. `unreadable`: of a schema version that this code does not know."""
    sort = item["SK"]["S"]
    try:
        id = ids.pack(ids.entry_id(*ids.split_entry_id(keys.split_event(sort)[1])))
    except InvalidRequest:
        return Seen(b"", None, f"{sort} is no entry's key")
    try:
        entry = entry_from(item)
    except BadItem as error:
        return Seen(id, None, str(error), unreadable=error.reason == "unknown version")
    if fingerprint.of_entry(entry) != entry.fingerprint:
        return Seen(id, None, "its fingerprint is not that of its fields")
    return Seen(id, entry)


@dataclass(slots=True)
class Comparison:
    """One range of the view against the log's items of that range, given one by one.

    What is `due` is missing where the view lacks it, however young it is.
    """

    account: str
    currency: str
    page: str
    ids: frozenset[bytes]
    grace: Grace
    found: Sums | None = None
    due: Collection[bytes] = frozenset()
    sums: Amounts = field(default_factory=dict)
    in_flight: int = 0
    findings: list[Finding] = field(default_factory=list)
    omitted: int = 0
    matched: set[bytes] = field(default_factory=set)

    def see(self, item: Seen) -> None:
        """Compare one item of the log."""
        if item.entry is None:
            self._note(item.id, "altered", f"the entry was changed behind the ledger: {item.why}")
        if item.id in self.ids:
            self.matched.add(item.id)
            if item.entry is not None:
                fold(self.sums, item.entry)
        elif item.id not in self.due and self.grace.in_flight(ids.packed_time_ms(item.id)):
            self.in_flight += 1
        elif item.entry is not None:
            self._note(item.id, "missing", "the view lacks the entry")

    def finish(self) -> list[Finding]:
        """What is wrong with this range."""
        for id in sorted(self.ids - self.matched):
            self._note(id, "phantom", "the view has an entry that the log does not have")
        explained = any(f.kind in ("altered", "phantom") for f in self.findings)
        if self.found is not None and not explained:
            self.findings += differing(
                "page sums", self.account, self.currency, self.page, self.sums, self.found
            )
        return self.findings

    def _note(self, id: bytes, kind: str, message: str) -> None:
        if len(self.findings) >= MAX_FINDINGS:
            self.omitted += 1
            return
        self.findings.append(
            Finding(
                kind=kind,  # type: ignore[arg-type]  # one of Kind: three literals above
                message=message,
                account=self.account,
                currency=self.currency,
                entry_id=ids.unpack(id),
                transaction_id=ids.unpack(id)[:26],
                page=self.page,
            )
        )


def differing(
    kind: str, account: str, currency: str, page: str, expected: Amounts, found: Sums
) -> list[Finding]:
    """A finding if sums differ from those of the log."""
    wrong = {n: getattr(found, n) for n in SUM_FIELDS if getattr(found, n) != expected.get(n, 0)}
    if not wrong:
        return []
    right = {name: expected.get(name, 0) for name in wrong}
    return [
        Finding(
            kind=kind,  # type: ignore[arg-type]  # one of two literals
            message="the sums of "
            + ("the page" if page else "the balance")
            + " are not those of its entries",
            account=account,
            currency=currency,
            page=page,
            expected=right,
            found=wrong,
        )
    ]
