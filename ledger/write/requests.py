"""The requests of the write side, built from values. Every put is conditional: nothing is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ledger import build, keys
from ledger.fingerprint import VERSION, instant
from ledger.items import EXPIRES_AT, Item, entry_item, header_item, key_item
from ledger.model import Entry, Header, KeyRecord
from ledger.request import Request
from ledger.settings import Settings

MAX_ITEMS = 100
"""Items of one transaction, AWS's limit. Folio's own limits on texts keep 100 of them below 4 MB:
at most 33 headers below 100 KB, and entries below 4 KB."""

NEW = "attribute_not_exists(PK)"
NEW_OR_EXPIRED = f"{NEW} OR {EXPIRES_AT} <= :now"


@dataclass(frozen=True, slots=True)
class Part:
    """One put of a transaction: what it puts, and for which account if it opens one."""

    kind: Literal["key", "header", "entry", "account"]
    put: dict[str, Any]
    account: str = ""


def _put(table: str, item: Item, condition: str = NEW) -> dict[str, Any]:
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def put_entry(settings: Settings, entry: Entry) -> Request:
    """An append: one conditional put."""
    return Request("put_item", _put(settings.events_table, entry_item(entry)))


def entry_part(settings: Settings, entry: Entry) -> Part:
    """An entry, in a transaction."""
    return Part("entry", _put(settings.events_table, entry_item(entry)))


def account_part(settings: Settings, account: str, origin: str, opened_at: datetime) -> Part:
    """An account's record, by which the set of accounts is known without the log."""
    item: Item = {
        "PK": {"S": keys.account(account)},
        "SK": {"S": keys.RECORD},
        "v": {"N": str(VERSION)},
        "listing": {"S": keys.listing(account)},
        "account": {"S": account},
        "origin": {"S": origin},
        "opened_at": {"S": instant(opened_at)},
    }
    return Part("account", _put(settings.accounts_table, item), account)


def put_account(settings: Settings, account: str, origin: str, opened_at: datetime) -> Request:
    """The opening of one account by itself."""
    return Request("put_item", account_part(settings, account, origin, opened_at).put)


def key_part(settings: Settings, header: Header, now_seconds: int) -> Part:
    """The idempotency key, in the same transaction as the money. An expired one counts as gone."""
    ttl = settings.idempotency_ttl_seconds
    record = KeyRecord(
        key=header.idempotency_key or "",
        transaction_id=header.id,
        fingerprint=header.fingerprint,
        expires_at=None if ttl is None else now_seconds + ttl,
        version=header.version,
    )
    put = _put(settings.idempotency_table, key_item(record), NEW_OR_EXPIRED)
    put["ExpressionAttributeValues"] = {":now": {"N": str(now_seconds)}}
    return Part("key", put)


def put_key(settings: Settings, record: KeyRecord) -> Request:
    """A key by itself, for a header that lost its own in a restore."""
    return Request("put_item", _put(settings.idempotency_table, key_item(record)))


def post_parts(settings: Settings, header: Header, now_seconds: int) -> list[Part]:
    """A transaction's own items: its key, its header, its entries."""
    parts = [Part("header", _put(settings.events_table, header_item(header)))]
    if header.idempotency_key is not None:
        parts.insert(0, key_part(settings, header, now_seconds))
    return [*parts, *(entry_part(settings, entry) for entry in build.entries(header))]


def transact(parts: Sequence[Part]) -> Request:
    """All the parts, or none."""
    return Request("transact_write_items", {"TransactItems": [{"Put": part.put} for part in parts]})
