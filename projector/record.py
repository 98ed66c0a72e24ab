"""Stream records: from Lambda's JSON or from GetRecords into values, and what each one means."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ledger import fingerprint, ids, keys
from ledger.items import BadItem, Item, entry_from
from ledger.model import Entry

EventName = Literal["INSERT", "MODIFY", "REMOVE"]


@dataclass(frozen=True, slots=True)
class Record:
    """One change of an item of the log. `created_at` is to the second, as the stream has it."""

    event_id: str
    name: str
    sequence_number: str
    keys: Item
    new: Item | None
    old: Item | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Applicable:
    """A new entry, to be applied."""

    record: Record
    entry: Entry

    @property
    def id(self) -> bytes:
        """The entry's id as the view keeps it."""
        return ids.pack(self.entry.id)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A record that the view need not know of: a header, or a write that changed nothing."""

    record: Record


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that is not applied. `tampering`: someone changed or removed an item of the log."""

    record: Record
    reason: str
    tampering: bool = False


Meaning = Applicable | Ignored | Quarantined


def meaning(record: Record) -> Meaning:
    """What a record asks of the view."""
    if record.name == "INSERT":
        return _inserted(record)
    if record.name == "MODIFY" and record.new == record.old:
        return Ignored(record)
    if record.name in ("MODIFY", "REMOVE"):
        verb = "changed" if record.name == "MODIFY" else "removed"
        return Quarantined(record, f"tampering: an item of the log was {verb}", tampering=True)
    return Quarantined(record, f"unknown event name {record.name[:20]!r}")


def _inserted(record: Record) -> Meaning:
    new = record.new or {}
    if _key(new, "PK").startswith(keys.TRANSACTION):
        return Ignored(record)
    if not (_key(new, "PK").startswith(keys.ACCOUNT) and _key(new, "SK").startswith(keys.EVENT)):
        return Quarantined(record, "foreign item: neither an entry nor a transaction's")
    try:
        entry = entry_from(new)
    except BadItem as error:
        return Quarantined(record, str(error))
    if fingerprint.of_entry(entry) != entry.fingerprint:
        return Quarantined(record, "bad item: its fingerprint is not that of its fields")
    return Applicable(record, entry)


def _key(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def from_lambda(raw: Mapping[str, Any]) -> Record:
    """A record of a Lambda event, where binary values are base64."""
    dynamodb = raw["dynamodb"]
    return Record(
        event_id=raw["eventID"],
        name=raw["eventName"],
        sequence_number=dynamodb["SequenceNumber"],
        keys=_decoded(dynamodb["Keys"]) or {},
        new=_decoded(dynamodb.get("NewImage")),
        old=_decoded(dynamodb.get("OldImage")),
        created_at=datetime.fromtimestamp(dynamodb["ApproximateCreationDateTime"], UTC),
    )


def from_stream(raw: Mapping[str, Any]) -> Record:
    """A record of boto3's `get_records`."""
    dynamodb = raw["dynamodb"]
    return Record(
        event_id=raw["eventID"],
        name=raw["eventName"],
        sequence_number=dynamodb["SequenceNumber"],
        keys=dynamodb["Keys"],
        new=dynamodb.get("NewImage"),
        old=dynamodb.get("OldImage"),
        created_at=dynamodb["ApproximateCreationDateTime"].astimezone(UTC),
    )


def _decoded(image: Mapping[str, Any] | None) -> Item | None:
    return None if image is None else {name: _value(value) for name, value in image.items()}


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    if kind == "B":
        return {"B": base64.b64decode(inner)}
    if kind == "BS":
        return {"BS": [base64.b64decode(member) for member in inner]}
    if kind == "L":
        return {"L": [_value(member) for member in inner]}
    if kind == "M":
        return {"M": {name: _value(member) for name, member in inner.items()}}
    return {kind: inner}
