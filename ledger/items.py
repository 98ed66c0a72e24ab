"""Items of DynamoDB from values, and values from items.

An item is what boto3's low-level client takes: attribute → {type: value}. An item that this version
cannot understand raises `BadItem`, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from ledger import ids, keys
from ledger.errors import InvalidRequest, Misconfigured
from ledger.fingerprint import ENTRY_FORMS, REQUEST_FORMS, instant
from ledger.model import Direction, Entry, Header, HeaderEntry, KeyRecord, Refusal

Item = dict[str, Any]
Image = Mapping[str, Any]
REFUSED: Final = "REFUSED"
POSTED: Final = "POSTED"
EXPIRES_AT: Final = "expires_at"
"""The attribute by which DynamoDB's TTL removes expired idempotency keys."""


class BadItem(Misconfigured):
    """An item of the log that cannot be understood: `reason` is `unknown version` or `bad item`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def entry_item(entry: Entry) -> Item:
    """An entry as it is put into the log."""
    item: Item = {
        "PK": {"S": keys.account(entry.account)},
        "SK": {"S": keys.event(entry.currency, entry.id)},
        "v": {"N": str(entry.version)},
        "transaction": {"S": entry.transaction_id},
        "currency": {"S": entry.currency},
        "type": {"S": entry.type},
        "direction": {"S": entry.direction},
        "amount_minor": {"N": str(entry.amount_minor)},
        "pending_minor": {"N": str(entry.pending_minor)},
        "origin": {"S": entry.origin},
        "fingerprint": {"B": entry.fingerprint},
    }
    if entry.counterparties:
        item["counterparties"] = {"L": [{"S": name} for name in entry.counterparties]}
    if entry.single:
        item["single"] = {"BOOL": True}
    _put_common(item, entry)
    return item


def _put_common(item: Item, value: Entry | Header) -> None:
    if value.effective_at is not None:
        item["effective_at"] = {"S": instant(value.effective_at)}
    if value.description is not None:
        item["description"] = {"S": value.description}


def entry_from(item: Image) -> Entry:
    """An entry from its item. Raises `BadItem`."""
    version = _version(item, ENTRY_FORMS)
    try:
        currency, entry_id = keys.split_event(item["SK"]["S"])
        transaction_id, place = ids.split_entry_id(entry_id)
        entry = Entry(
            account=keys.account_name(item["PK"]["S"]),
            currency=currency,
            transaction_id=transaction_id,
            place=place,
            type=item["type"]["S"],
            direction=_direction(item["direction"]["S"]),
            amount_minor=int(item["amount_minor"]["N"]),
            pending_minor=int(item["pending_minor"]["N"]),
            counterparties=tuple(n["S"] for n in item.get("counterparties", {"L": ()})["L"]),
            origin=item["origin"]["S"],
            effective_at=_instant(item),
            description=_text(item, "description"),
            single="single" in item,
            version=version,
            fingerprint=bytes(item["fingerprint"]["B"]),
        )
    except (InvalidRequest, KeyError, TypeError, ValueError) as error:
        raise BadItem("bad item", _what(error)) from error
    if item.get("transaction") != {"S": transaction_id} or item.get("currency") != {"S": currency}:
        raise BadItem("bad item", "transaction or currency differ from the key")
    return entry


def header_item(header: Header) -> Item:
    """A transaction's header as it is put into the log."""
    item: Item = {
        "PK": {"S": keys.transaction(header.id)},
        "SK": {"S": keys.HEADER},
        "v": {"N": str(header.version)},
        "status": {"S": REFUSED if header.refusal else POSTED},
        "type": {"S": header.type},
        "origin": {"S": header.origin},
        "entries": {"L": [_leg_item(e) for e in header.entries]},
        "fingerprint": {"B": header.fingerprint},
    }
    if header.metadata is not None:
        item["metadata"] = {"S": header.metadata}
    if header.idempotency_key is not None:
        item["key"] = {"S": header.idempotency_key}
    if header.key_expires:
        item["key_expires"] = {"BOOL": True}
    if header.single:
        item["single"] = {"BOOL": True}
    if header.refusal:
        item["refusal"] = {
            "M": {"error": {"S": header.refusal.error}, "message": {"S": header.refusal.message}}
        }
    _put_common(item, header)
    return item


def _leg_item(e: HeaderEntry) -> Item:
    leg: Item = {
        "account": {"S": e.account},
        "direction": {"S": e.direction},
        "currency": {"S": e.currency},
        "amount_minor": {"N": str(e.amount_minor)},
    }
    if e.pending_minor:
        leg["pending_minor"] = {"N": str(e.pending_minor)}
    return {"M": leg}


def header_from(item: Image) -> Header:
    """A header from its item. Raises `BadItem`."""
    version = _version(item, REQUEST_FORMS)
    try:
        refusal = item["refusal"]["M"] if item["status"]["S"] == REFUSED else None
        return Header(
            id=ids.check_id(item["PK"]["S"].removeprefix(keys.TRANSACTION)),
            type=item["type"]["S"],
            entries=tuple(_leg_from(leg["M"]) for leg in item["entries"]["L"]),
            origin=item["origin"]["S"],
            metadata=_text(item, "metadata"),
            description=_text(item, "description"),
            effective_at=_instant(item),
            idempotency_key=_text(item, "key"),
            key_expires="key_expires" in item,
            single="single" in item,
            refusal=refusal
            and Refusal(error=refusal["error"]["S"], message=refusal["message"]["S"]),
            version=version,
            fingerprint=bytes(item["fingerprint"]["B"]),
        )
    except (InvalidRequest, KeyError, TypeError, ValueError) as error:
        raise BadItem("bad item", _what(error)) from error


def _leg_from(leg: Image) -> HeaderEntry:
    return HeaderEntry(
        account=leg["account"]["S"],
        direction=_direction(leg["direction"]["S"]),
        currency=leg["currency"]["S"],
        amount_minor=int(leg["amount_minor"]["N"]),
        pending_minor=int(leg.get("pending_minor", {"N": "0"})["N"]),
    )


def key_item(record: KeyRecord) -> Item:
    """An idempotency key as it is put beside the log."""
    item: Item = {
        "PK": {"S": keys.idempotency(record.key)},
        "v": {"N": str(record.version)},
        "transaction": {"S": record.transaction_id},
        "fingerprint": {"B": record.fingerprint},
    }
    if record.expires_at is not None:
        item[EXPIRES_AT] = {"N": str(record.expires_at)}
    return item


def key_from(item: Image) -> KeyRecord:
    """An idempotency key from its item. Raises `BadItem`."""
    version = _version(item, REQUEST_FORMS)
    try:
        return KeyRecord(
            key=keys.idempotency_key(item["PK"]["S"]),
            transaction_id=ids.check_id(item["transaction"]["S"]),
            fingerprint=bytes(item["fingerprint"]["B"]),
            expires_at=int(item[EXPIRES_AT]["N"]) if EXPIRES_AT in item else None,
            version=version,
        )
    except (InvalidRequest, KeyError, TypeError, ValueError) as error:
        raise BadItem("bad item", _what(error)) from error


def _version(item: Image, known: Mapping[int, object]) -> int:
    version = item.get("v", {}).get("N", "")
    if not version.isdecimal():
        raise BadItem("bad item", "no schema version")
    if int(version) not in known:
        raise BadItem(
            "unknown version",
            f"schema version {version} is not among {sorted(known)}: upgrade this code",
        )
    return int(version)


def _direction(text: str) -> Direction:
    if text not in ("credit", "debit"):
        raise ValueError("direction is neither credit nor debit")
    return cast(Direction, text)


def _instant(item: Image) -> datetime | None:
    text = _text(item, "effective_at")
    return None if text is None else datetime.fromisoformat(text)


def _text(item: Image, name: str) -> str | None:
    return cast(str, item[name]["S"]) if name in item else None


def _what(error: Exception) -> str:
    """A reason without values: which attribute is missing, or what kind of error it was."""
    return f"{type(error).__name__}" + (f" {error}" if isinstance(error, KeyError) else "")
