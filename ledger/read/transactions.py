"""Transactions: each is one header, read atomically and strongly consistent."""

from __future__ import annotations

import json

from ledger import build, keys
from ledger.errors import NotFound
from ledger.items import header_from, key_from
from ledger.model import PostedTransaction
from ledger.runtime import Runtime
from ledger.write.outcome import refused


def transaction(rt: Runtime, transaction_id: str) -> PostedTransaction:
    """See `Ledger.transaction`."""
    item = rt.store.get(rt.settings.events_table, keys.transaction(transaction_id), keys.HEADER)
    if item is None:
        raise NotFound(
            f"there is no transaction {transaction_id}: an entry appended by itself is found by "
            "ledger.entry",
            id=transaction_id,
        )
    header = header_from(item)
    if header.refusal:
        raise refused(header, header.refusal)
    return build.posted(header, json.loads(header.metadata) if header.metadata else None)


def transaction_by_key(rt: Runtime, key: str) -> PostedTransaction:
    """See `Ledger.transaction_by_key`."""
    rt.synchronise()
    item = rt.store.get(rt.settings.idempotency_table, keys.idempotency(key))
    record = None if item is None else key_from(item)
    if record is None or record.expired(rt.clock.time()):
        raise NotFound("there is no such idempotency key", idempotency_key=key)
    return transaction(rt, record.transaction_id)
