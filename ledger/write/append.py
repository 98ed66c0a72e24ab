"""Append: one entry by itself, in one conditional put, idempotent on its own id."""

from __future__ import annotations

from ledger import build, check, items, keys
from ledger.aws import Cancelled, ConditionFailed
from ledger.items import Item
from ledger.model import Entry, Receipt, Transaction
from ledger.runtime import Runtime
from ledger.write import accounts, outcome, requests
from ledger.write.post import carrying, failed_parts, not_of_now, note, of_now


def append(rt: Runtime, transaction: Transaction) -> Receipt:
    """Append the one entry of `transaction`; see `Ledger.append`."""
    with carrying(transaction.id, None):
        check.append(transaction, rt.currencies)
        account = transaction.entries[0].account
        new = accounts.new_among(rt, [account])
        id = transaction.id or rt.new_id()
    entry = build.single(transaction, id=id, origin=rt.region)
    with carrying(id, None):
        if not of_now(rt, transaction):
            receipt = _standing(rt, entry)
        else:
            receipt = _opening(rt, entry) if new else _put(rt, entry)
        note(receipt, transaction)
        return receipt


def _put(rt: Runtime, entry: Entry) -> Receipt:
    """One write unit, one round trip."""
    try:
        rt.store.send(requests.put_entry(rt.settings, entry))
    except ConditionFailed as failed:
        return _replay(entry, outcome.what_stands(failed.item))
    return Receipt(id=entry.transaction_id, entries=(entry,))


def _opening(rt: Runtime, entry: Entry) -> Receipt:
    """The account's first entry, together with its record."""
    parts = [requests.entry_part(rt.settings, entry), *accounts.parts(rt, [entry.account])]
    try:
        rt.store.send(requests.transact(parts))
    except Cancelled as cancelled:
        failed = {part.kind: item for part, item in failed_parts(parts, cancelled)}
        if "entry" in failed:
            return _replay(entry, failed["entry"])
        # Another process opened the account meanwhile.
        accounts.still_new(rt, [entry.account], failed.values())
        return _put(rt, entry)
    rt.known.remember([entry.account])
    return Receipt(id=entry.transaction_id, entries=(entry,))


def _replay(entry: Entry, item: Item) -> Receipt:
    return outcome.replay_entry(entry, items.entry_from(item))


def _standing(rt: Runtime, entry: Entry) -> Receipt:
    """The result that stands under an id far from now. Raises `InvalidRequest` if none does."""
    item = rt.store.get(
        rt.settings.events_table,
        keys.account(entry.account),
        keys.event(entry.currency, entry.id),
    )
    if item is None:
        raise not_of_now(entry.transaction_id)
    return _replay(entry, item)
