"""Listing accounts by prefix, from the sparse index that is spread over sixteen partitions."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ledger import check, keys
from ledger.model import Page
from ledger.read import cursor as cursors
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.tables import LISTING_INDEX


def accounts(rt: Runtime, prefix: str, limit: int, cursor: str | None) -> Page[str]:
    """See `Ledger.accounts`."""
    check.limit(limit)
    if prefix != "":
        check.account(prefix)
    after = _after(cursor, prefix) if cursor is not None else ""
    found = tuple(islice(names(rt, prefix, after, limit), limit + 1))
    more = len(found) > limit
    position = cursors.encode(["accounts", prefix], [found[limit - 1]]) if more else None
    return Page(found[:limit], position)


def _after(cursor: str, prefix: str) -> str:
    (after,) = cursors.decode(cursor, ["accounts", prefix], parts=1)
    if not (check.ACCOUNT.fullmatch(after) and after.startswith(prefix)):
        raise cursors.no_cursor()
    return after


def names(rt: Runtime, prefix: str, after: str, page: int) -> Iterator[str]:
    """The names after `after` that begin with `prefix`, sorted, `page` at a time a partition."""
    streams = [_listed(rt, listing, prefix, after, page + 1) for listing in keys.listings()]
    return heapq.merge(*streams)


def _listed(rt: Runtime, listing: str, prefix: str, after: str, page: int) -> Iterator[str]:
    first = max(prefix, after) or " "
    for items in rt.store.pages(_request(rt, listing, first, prefix + keys.END, page)):
        for item in items:
            name = item["account"]["S"]
            if name > after:
                yield name


def _request(rt: Runtime, listing: str, first: str, last: str, page: int) -> Request:
    values: dict[str, Any] = {
        ":listing": {"S": listing},
        ":first": {"S": first},
        ":last": {"S": last},
    }
    return Request(
        "query",
        {
            "TableName": rt.settings.accounts_table,
            "IndexName": LISTING_INDEX,
            "KeyConditionExpression": "listing = :listing AND account BETWEEN :first AND :last",
            "ExpressionAttributeValues": values,
            "ProjectionExpression": "account",
            "Limit": page,
        },
    )
