"""Quarantine: a record that could not be applied, kept whole with the reason, so that the shard goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.items import Image, Item
from ledger.log import logger
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.settings import Settings
from projector.record import Quarantined, Record, from_lambda
from projector.wire import to_wire

MAX_RECORD_BYTES = 380_000
"""An item holds 400 KB; a record has two images of up to that size."""

log = logger("projector.quarantine")


@dataclass(frozen=True, slots=True)
class Kept:
    """A record in quarantine. `record` is None where it was too large and only its keys were kept."""

    day: str
    event_id: str
    reason: str
    tampering: bool
    record: Record | None
    keys: Item


def item(quarantined: Quarantined) -> Item:
    """The item that keeps a record: whole, or by its keys and SHA-256 where it is too large."""
    record = quarantined.record
    text = json.dumps(to_wire(record), sort_keys=True, separators=(",", ":"))
    kept: Item = {
        "PK": {"S": record.created_at.strftime("%Y-%m-%d")},
        "SK": {"S": record.event_id},
        "reason": {"S": quarantined.reason},
        "event_name": {"S": record.name},
        "sequence_number": {"S": record.sequence_number},
        "keys": {"M": record.keys},
        "sha256": {"S": hashlib.sha256(text.encode()).hexdigest()},
    }
    if quarantined.tampering:
        kept["tampering"] = {"BOOL": True}
    if len(text.encode()) <= MAX_RECORD_BYTES:
        kept["record"] = {"S": text}
    return kept


def put(rt: Runtime, quarantined: Quarantined) -> None:
    """Keep a record. The same record again is the same item."""
    record = quarantined.record
    log.error(
        "tampering" if quarantined.tampering else "quarantined",
        reason=quarantined.reason,
        stream_event=record.event_id,
        sequence_number=record.sequence_number,
        key=_key_text(record.keys),
    )
    request = {"TableName": rt.settings.quarantine_table, "Item": item(quarantined)}
    rt.store.send(Request("put_item", request))


def _key_text(keys: Item) -> str:
    return " ".join(str(keys.get(name, {}).get("S", "?")) for name in ("PK", "SK"))


def kept(rt: Runtime) -> Iterator[Kept]:
    """All that is in quarantine."""
    for items in rt.store.pages(_scan(rt.settings)):
        yield from map(_kept, items)


def _scan(settings: Settings) -> Request:
    return Request("scan", {"TableName": settings.quarantine_table, "ConsistentRead": True})


def _kept(item: Image) -> Kept:
    text = item.get("record", {}).get("S")
    return Kept(
        day=item["PK"]["S"],
        event_id=item["SK"]["S"],
        reason=item["reason"]["S"],
        tampering="tampering" in item,
        record=from_lambda(json.loads(text)) if text else None,
        keys=item["keys"]["M"],
    )


def remove(rt: Runtime, one: Kept) -> None:
    """Let a record out, once what it asked for is in the view."""
    key = {"PK": {"S": one.day}, "SK": {"S": one.event_id}}
    rt.store.send(Request("delete_item", {"TableName": rt.settings.quarantine_table, "Key": key}))
