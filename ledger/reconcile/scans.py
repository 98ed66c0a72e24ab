"""Which accounts there are: by their records, and by balances without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger import keys
from ledger.request import Request
from ledger.runtime import Runtime


def scan(table: str, **parameters: Any) -> Request:
    """A consistent scan of a whole table."""
    return Request("scan", {"TableName": table, "ConsistentRead": True, **parameters})


def registered(rt: Runtime) -> Iterator[str]:
    """Every account that has a record."""
    request = scan(
        rt.settings.accounts_table,
        FilterExpression="SK = :record",
        ExpressionAttributeValues={":record": {"S": keys.RECORD}},
        ProjectionExpression="PK",
    )
    for items in rt.store.pages(request):
        yield from (keys.account_name(item["PK"]["S"]) for item in items)


def unregistered(rt: Runtime) -> Iterator[str]:
    """Accounts that have a balance and no record."""
    request = scan(
        rt.settings.balances_table,
        FilterExpression="begins_with(SK, :balance)",
        ExpressionAttributeValues={":balance": {"S": keys.BALANCE}},
        ProjectionExpression="PK",
    )
    for items in rt.store.pages(request):
        yield from without_record(rt, [keys.account_name(item["PK"]["S"]) for item in items])


def without_record(rt: Runtime, names: list[str]) -> list[str]:
    """Those of `names`, once each, that have no record."""
    wanted = list(dict.fromkeys(names))
    places = [(keys.account(name), keys.RECORD) for name in wanted]
    records = rt.store.get_many(rt.settings.accounts_table, places)
    known = {keys.account_name(record["PK"]["S"]) for record in records}
    return [name for name in wanted if name not in known]
