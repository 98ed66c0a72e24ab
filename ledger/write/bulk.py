"""Bulk: many independent transactions in few calls, each with its own true outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from ledger.aws import Cancelled
from ledger.errors import InvalidRequest, LedgerError
from ledger.model import Header, Receipt, Transaction
from ledger.runtime import Runtime
from ledger.write import accounts, requests
from ledger.write.post import (
    carrying,
    check_request,
    earlier,
    failed_parts,
    header_of,
    note,
    of_now,
    receipt,
    standing,
)
from ledger.write.requests import MAX_ITEMS, Part

Outcome = Receipt | LedgerError
Outcomes = dict[int, Outcome]
"""By the transaction's place in the call."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One transaction on its way: its place in the call, and what it puts."""

    place: int
    header: Header
    parts: list[Part]


def post_many(rt: Runtime, transactions: Sequence[Transaction]) -> list[Outcome]:
    """Post many; see `Ledger.post_many`."""
    outcomes: Outcomes = {}
    for place, transaction in enumerate(transactions):
        with _into(outcomes, place):
            check_request(rt, transaction)
    new = _new_accounts(rt, transactions, outcomes)
    ready = _registered(rt, list(_prepared(rt, transactions, outcomes)), new, outcomes)
    packs = list(_packs(ready))
    for sent in _all(lambda pack: _send(rt, pack), packs, rt.settings.bulk_calls):
        outcomes.update(sent)
    return [_finished(outcomes[place], given) for place, given in enumerate(transactions)]


def _finished(outcome: Outcome, transaction: Transaction) -> Outcome:
    """The outcome, noted in the log, or with the call's own id and key where it has none."""
    if isinstance(outcome, Receipt):
        note(outcome, transaction)
    elif isinstance(transaction, Transaction):
        outcome.id = outcome.id or transaction.id
        outcome.idempotency_key = outcome.idempotency_key or transaction.idempotency_key
    return outcome


@contextmanager
def _into(outcomes: Outcomes, place: int) -> Iterator[None]:
    """An error is the outcome of this place, and no error of the whole call."""
    try:
        yield
    except LedgerError as error:
        outcomes[place] = error


def _open(transactions: Sequence[Transaction], outcomes: Outcomes) -> dict[int, Transaction]:
    return {place: t for place, t in enumerate(transactions) if place not in outcomes}


def _names(transactions: Iterable[Transaction]) -> set[str]:
    return {leg.account for transaction in transactions for leg in transaction.entries}


def _new_accounts(
    rt: Runtime, transactions: Sequence[Transaction], outcomes: Outcomes
) -> list[str]:
    """The accounts that are new; a transaction that may not open one of its own has its outcome."""
    undecided = _open(transactions, outcomes)
    try:
        new = accounts.look_up(rt, sorted(_names(undecided.values())))
    except LedgerError as error:
        outcomes.update({p: _copy(error, t.id, t.idempotency_key) for p, t in undecided.items()})
        return []
    for place, transaction in undecided.items():
        with _into(outcomes, place):
            for name in _names([transaction]).intersection(new):
                accounts.may_open(rt, name)
    return new


def _prepared(
    rt: Runtime, transactions: Sequence[Transaction], outcomes: Outcomes
) -> Iterator[Packed]:
    """What goes into packs; under an id far from now there is what stands, or nothing."""
    for place, transaction in _open(transactions, outcomes).items():
        with _into(outcomes, place):
            header = header_of(rt, transaction)
            if of_now(rt, transaction):
                parts = requests.post_parts(rt.settings, header, int(rt.clock.time()))
                yield Packed(place, header, parts)
            else:
                outcomes[place] = standing(rt, header)


def _registered(
    rt: Runtime, prepared: list[Packed], new: Sequence[str], outcomes: Outcomes
) -> list[Packed]:
    """`prepared`, its new accounts opened first: two that share one must not wait for each other."""
    used = {entry.account for packed in prepared for entry in packed.header.entries}
    try:
        accounts.register(rt, [name for name in new if name in used])
    except LedgerError as error:
        outcomes.update(_for_each(prepared, error))
        return []
    return prepared


def _packs(prepared: Iterable[Packed]) -> Iterator[list[Packed]]:
    """Packs of at most 100 items. Two transactions of one key or id never share one."""
    pack: list[Packed] = []
    items, taken = 0, set[str]()
    for packed in prepared:
        marks = {packed.header.id, f"key {packed.header.idempotency_key or packed.header.id}"}
        if pack and (items + len(packed.parts) > MAX_ITEMS or marks & taken):
            yield pack
            pack, items, taken = [], 0, set()
        pack.append(packed)
        items += len(packed.parts)
        taken |= marks
    if pack:
        yield pack


def _all(
    send: Callable[[list[Packed]], Outcomes], packs: Sequence[list[Packed]], calls: int
) -> Iterable[Outcomes]:
    if calls == 1 or len(packs) <= 1:
        return map(send, packs)
    with ThreadPoolExecutor(min(calls, len(packs))) as pool:
        return list(pool.map(send, packs))


def _send(rt: Runtime, pack: list[Packed]) -> Outcomes:
    """Send one pack. When it fails it is taken apart by the reasons, and the rest is packed again."""
    outcomes: Outcomes = {}
    while pack:
        try:
            rt.store.send(requests.transact([part for p in pack for part in p.parts]))
        except Cancelled as cancelled:
            outcomes.update(_decided(rt, pack, cancelled))
            pack = [packed for packed in pack if packed.place not in outcomes]
        except InvalidRequest as error:
            if len(pack) == 1:
                return outcomes | _for_each(pack, error)
            # One of them is at fault: each goes by itself.
            for packed in pack:
                outcomes.update(_send(rt, [packed]))
            return outcomes
        except LedgerError as error:
            return outcomes | _for_each(pack, error)
        else:
            return outcomes | {packed.place: receipt(packed.header) for packed in pack}
    return outcomes


def _decided(rt: Runtime, pack: Sequence[Packed], cancelled: Cancelled) -> Outcomes:
    """The outcome of those transactions of a failed pack that have one already."""
    outcomes: Outcomes = {}
    reasons = list(cancelled.reasons)
    for packed in pack:
        own = Cancelled([reasons.pop(0) for _ in packed.parts])
        id, key = packed.header.id, packed.header.idempotency_key
        with _into(outcomes, packed.place), carrying(id, key):
            if failed := failed_parts(packed.parts, own):
                outcomes[packed.place] = earlier(rt, packed.header, failed)
    return outcomes


def _for_each(pack: Sequence[Packed], error: LedgerError) -> Outcomes:
    """The same error for each, with its own id and key to retry with."""
    headers = {packed.place: packed.header for packed in pack}
    return {place: _copy(error, h.id, h.idempotency_key) for place, h in headers.items()}


def _copy(error: LedgerError, id: str | None, key: str | None) -> LedgerError:
    """The same error for one of several, each of which carries its own id and key."""
    return type(error)(str(error), id=id, idempotency_key=key)
