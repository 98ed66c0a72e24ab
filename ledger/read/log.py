"""Reading the log of one account and currency, in the order of ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger import ids, keys
from ledger.items import entry_from
from ledger.model import Entry
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.settings import Settings


def events(
    settings: Settings,
    account: str,
    currency: str,
    *,
    above: str = "",
    below: str = keys.END,
    newest_first: bool = False,
    limit: int | None = None,
) -> Request:
    """The entries whose id lies in (`above`, `below`): consistent, at most `limit` of them.

    The bounds are entry ids, or the beginnings of such; `""` and `"~"` leave a side open.
    """
    parameters: dict[str, Any] = {
        "TableName": settings.events_table,
        "ConsistentRead": True,
        "KeyConditionExpression": "PK = :account AND SK BETWEEN :above AND :below",
        "ExpressionAttributeValues": {
            ":account": {"S": keys.account(account)},
            ":above": {"S": keys.event(currency, above)},
            ":below": {"S": keys.event(currency, below)},
        },
        "ScanIndexForward": not newest_first,
    }
    return Request("query", parameters | ({"Limit": limit} if limit else {}))


def entries_between(
    rt: Runtime, account: str, currency: str, after: bytes, upto: bytes | None = None
) -> Iterator[Entry]:
    """The entries with ids in (`after`, `upto`], from the log, reply by reply."""
    request = events(
        rt.settings,
        account,
        currency,
        above=ids.unpack(after),
        below=ids.unpack(upto) if upto is not None else keys.END,
    )
    for items in rt.store.pages(request):
        for item in items:
            entry = entry_from(item)
            if ids.pack(entry.id) > after:
                yield entry


def currencies(rt: Runtime, account: str) -> list[str]:
    """The currencies in which an account has entries: one small read for each, and one more."""
    found: list[str] = []
    after = keys.EVENT
    while items := rt.store.send(_first_after(rt.settings, account, after))["Items"]:
        currency, _ = keys.split_event(items[0]["SK"]["S"])
        found.append(currency)
        after = keys.after_currency(currency)
    return found


def _first_after(settings: Settings, account: str, sort: str) -> Request:
    return Request(
        "query",
        {
            "TableName": settings.events_table,
            "ConsistentRead": True,
            "KeyConditionExpression": "PK = :account AND SK BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":account": {"S": keys.account(account)},
                ":first": {"S": sort},
                ":last": {"S": keys.EVENT + keys.END},
            },
            "ProjectionExpression": "SK",
            "Limit": 1,
        },
    )
