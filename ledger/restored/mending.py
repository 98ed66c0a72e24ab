"""What the cut left in parts: completed from the headers, or taken out. Killed midway, run it again.

This alone removes items of a log, and only of one that nothing reads or writes yet: see evidence.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger import keys
from ledger.aws import ConditionFailed
from ledger.items import Item, entry_item, key_item
from ledger.model import Entry, KeyRecord
from ledger.request import Request
from ledger.restored.cuts import Cuts
from ledger.runtime import Runtime
from ledger.write import accounts, requests
from ledger.write.outcome import what_stands

Keep = Callable[[Item], None]
"""Keeps an item that is about to be taken out of the log; its errors stop the run before that."""


@dataclass(slots=True)
class Mended:
    """What was done: counts, and what was left alone because something else stands there."""

    entries_written: int = 0
    entries_removed: int = 0
    keys_written: int = 0
    keys_removed: int = 0
    accounts_registered: int = 0
    left: list[str] = field(default_factory=list)


def mend(rt: Runtime, cuts: Cuts, keep: Keep) -> Mended:
    """Complete what has a header, take out what has none. Each write is conditional.

    Raises:
        Unavailable, OutcomeUnknown: run the whole again: what is done stays done.
    """
    done = Mended()
    for key in cuts.lone_keys:
        _remove_key(rt, key, done)
    for item in cuts.lone:
        _remove_entry(rt, item, keep, done)
    for entry in cuts.missing:
        _write_entry(rt, entry, done)
    for key in cuts.lost_keys:
        _write_key(rt, key, done)
    accounts.register(rt, cuts.unregistered)
    done.accounts_registered = len(cuts.unregistered)
    return done


def _has_header(rt: Runtime, transaction_id: str) -> bool:
    place = (keys.transaction(transaction_id), keys.HEADER)
    return rt.store.get(rt.settings.events_table, *place) is not None


def _remove_key(rt: Runtime, key: KeyRecord, done: Mended) -> None:
    what = f"the key of transaction {key.transaction_id}"
    if _has_header(rt, key.transaction_id):
        done.left.append(f"{what}: there is a header by now")
        return
    place = {"PK": {"S": keys.idempotency(key.key)}}
    request = _delete(rt.settings.idempotency_table, place, key.fingerprint)
    done.keys_removed += _sent(rt, request, what, done)


def _remove_entry(rt: Runtime, item: Item, keep: Keep, done: Mended) -> None:
    place = {name: item[name] for name in ("PK", "SK")}
    what = f"entry {item['SK']['S']} of {keys.account_name(item['PK']['S'])}"
    if _has_header(rt, item["transaction"]["S"]):
        done.left.append(f"{what}: there is a header by now")
        return
    keep(item)
    request = _delete(rt.settings.events_table, place, item["fingerprint"]["B"])
    done.entries_removed += _sent(rt, request, what, done)


def _delete(table: str, key: Item, fingerprint: bytes) -> Request:
    """Remove an item if it is still the one that was looked at; one that is gone is done."""
    return Request(
        "delete_item",
        {
            "TableName": table,
            "Key": key,
            "ConditionExpression": "attribute_not_exists(PK) OR fingerprint = :fingerprint",
            "ExpressionAttributeValues": {":fingerprint": {"B": fingerprint}},
        },
    )


def _sent(rt: Runtime, request: Request, what: str, done: Mended) -> bool:
    try:
        rt.store.send(request)
    except ConditionFailed:
        done.left.append(f"{what}: it was changed meanwhile")
        return False
    return True


def _write_entry(rt: Runtime, entry: Entry, done: Mended) -> None:
    """The entry as it was, byte for byte: the header has all that it is made of."""
    wanted = requests.put_entry(rt.settings, entry)
    done.entries_written += _put(rt, wanted, entry_item(entry), f"entry {entry.id}", done)


def _write_key(rt: Runtime, key: KeyRecord, done: Mended) -> None:
    what = f"the key of transaction {key.transaction_id}"
    wanted = requests.put_key(rt.settings, key)
    done.keys_written += _put(rt, wanted, key_item(key), what, done)


def _put(rt: Runtime, request: Request, item: Mapping[str, Any], what: str, done: Mended) -> bool:
    try:
        rt.store.send(request)
    except ConditionFailed as failed:
        # A reply that was lost: it was this very put.
        if what_stands(failed.item) == item:
            return True
        done.left.append(f"{what}: something else stands there")
        return False
    return True
