"""What looks wrong at first sight, and its confirmation: by direct reads, and one grace time later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from ledger import ids, keys
from ledger.errors import LedgerError
from ledger.items import Image
from ledger.reconcile import account, transaction
from ledger.reconcile.grace import Grace
from ledger.reconcile.report import MAX_FINDINGS, Finding
from ledger.reconcile.scope import EVERYTHING, Scope
from ledger.reconcile.transaction import Place
from ledger.runtime import Runtime

K = TypeVar("K")
V = TypeVar("V")
ScopeOf = Callable[[str, str], Scope]
"""What is compared of an account and currency."""


@dataclass(slots=True)
class Candidates:
    """Where to look again. At most 10,000 of each kind; `omitted` counts those beyond."""

    balances: dict[tuple[str, str], None] = field(default_factory=dict)
    transactions: dict[str, set[Place]] = field(default_factory=dict)
    keys: dict[str, None] = field(default_factory=dict)
    unregistered: dict[str, None] = field(default_factory=dict)
    changed: dict[tuple[str, str], Image] = field(default_factory=dict)
    omitted: int = 0

    @property
    def count(self) -> int:
        """How many there are of all kinds."""
        noted = len(self.balances) + len(self.transactions) + len(self.keys)
        return noted + len(self.unregistered) + len(self.changed) + self.omitted

    def balance(self, name: str, currency: str) -> None:
        """An account and currency whose view disagrees with the log."""
        self._note(self.balances, (name, currency), None)

    def transaction(self, transaction_id: str, places: Iterable[Place] = ()) -> None:
        """A transaction that disagrees with its entries, some of which stand at `places`."""
        self._note(self.transactions, transaction_id, set())
        if transaction_id in self.transactions:
            self.transactions[transaction_id].update(places)

    def key(self, key: str) -> None:
        """An idempotency key that disagrees with its header."""
        self._note(self.keys, key, None)

    def account(self, name: str) -> None:
        """An account with entries or balances, and without a record."""
        self._note(self.unregistered, name, None)

    def item(self, place: tuple[str, str], old: Image) -> None:
        """An item of the log, by its key, that was changed or removed: what it was before."""
        self._note(self.changed, place, old)

    def _note(self, noted: dict[K, V], key: K, value: V) -> None:
        if key not in noted and len(noted) >= MAX_FINDINGS:
            self.omitted += 1
        else:
            noted.setdefault(key, value)


@dataclass(slots=True)
class Confirmed:
    """What still disagrees, and what could not be read again."""

    findings: list[Finding] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    omitted: int = 0


@contextmanager
def reading(what: str, unread: list[str]) -> Iterator[None]:
    """An error of reading makes the run incomplete; it goes on with the rest."""
    try:
        yield
    except LedgerError as error:
        unread.append(f"{what}: {type(error).__name__}: {error}")


def confirm(
    rt: Runtime,
    candidates: Candidates,
    grace: Grace,
    grace_seconds: float,
    sleep: Callable[[float], None],
    scope_of: ScopeOf = lambda _name, _currency: EVERYTHING,
) -> Confirmed:
    """Look again, and if anything still disagrees, once more after the grace time: both count."""
    first = _look(rt, candidates, grace, scope_of)
    if not first.findings:
        return first
    sleep(grace_seconds)
    second = _look(rt, candidates, grace, scope_of)
    known = {finding.identity for finding in first.findings}
    second.findings = [f for f in _once(second.findings) if f.identity in known]
    second.unread = list(dict.fromkeys([*first.unread, *second.unread]))
    return second


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return list({finding.identity: finding for finding in findings}.values())


def _look(rt: Runtime, candidates: Candidates, grace: Grace, scope_of: ScopeOf) -> Confirmed:
    seen = Confirmed()
    for name, currency in candidates.balances:
        with reading(f"account {name} in {currency}", seen.unread):
            scope = scope_of(name, currency)
            checked = account.check(rt, name, currency, grace, scope=scope)
            seen.findings += checked.findings
            seen.unread += checked.unread
            seen.omitted += checked.omitted
    for transaction_id, places in candidates.transactions.items():
        with reading(f"transaction {transaction_id}", seen.unread):
            seen.findings += transaction.check(rt, transaction_id, places)
    for key in candidates.keys:
        with reading("an idempotency key", seen.unread):
            seen.findings += transaction.check_key(rt, key)
    for name in candidates.unregistered:
        with reading(f"account {name}", seen.unread):
            seen.findings += _unregistered(rt, name)
    for place, old in candidates.changed.items():
        with reading(f"item {' '.join(place)}", seen.unread):
            seen.findings += _changed(rt, place, old)
    return seen


def _unregistered(rt: Runtime, name: str) -> list[Finding]:
    record = rt.store.get(rt.settings.accounts_table, keys.account(name), keys.RECORD)
    if record is not None:
        return []
    message = "the account has entries or balances, and no record"
    return [Finding(kind="unregistered", message=message, account=name)]


def _changed(rt: Runtime, place: tuple[str, str], old: Image) -> list[Finding]:
    """Whether an item of the log is still not what it was."""
    now = rt.store.get(rt.settings.events_table, *place)
    if now == old:
        return []
    what = "is gone" if now is None else "is not what it was"
    message = f"{what}: it was changed behind the ledger"
    partition, sort = place
    if sort == keys.HEADER:
        id = partition.removeprefix(keys.TRANSACTION)
        return [Finding(kind="header altered", message=f"the header {message}", transaction_id=id)]
    currency, entry_id = keys.split_event(sort)
    return [
        Finding(
            kind="altered",
            message=f"the entry {message}",
            account=keys.account_name(partition),
            currency=currency,
            entry_id=entry_id,
            transaction_id=entry_id[: len(ids.NIL)],
        )
    ]
