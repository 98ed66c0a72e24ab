"""The requests that write the view, built from values. Their conditions are what exactly-once rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ledger import ids, keys
from ledger.items import Item
from ledger.request import Request
from ledger.settings import Settings
from ledger.view import SUM_FIELDS, BalanceImage, PageImage, Sums

ADD_SUMS = ", ".join(f"{name} :{name}" for name in SUM_FIELDS)


def apply(
    settings: Settings,
    account: str,
    currency: str,
    new: Collection[bytes],
    sums: Sums,
    generation: str,
) -> Request:
    """Add entries to a balance, on condition that none of them is in the view.

    An id above `through` is in no page, so it is in the view only if `open` has it.
    """
    wanted = sorted(new)
    absent, values = _none_of("#open", wanted)
    condition = f"(attribute_not_exists(through) OR through < :smallest) AND {absent}"
    values |= _sum_values(sums) | {
        ":smallest": {"B": wanted[0]},
        ":ids": {"BS": wanted},
        ":generation": {"S": generation},
    }
    return Request(
        "update_item",
        {
            **_balance(settings, account, currency),
            "UpdateExpression": f"ADD {ADD_SUMS}, #open :ids "
            "SET generation = if_not_exists(generation, :generation)",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#open": "open"},
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def seal(
    settings: Settings, account: str, currency: str, image: BalanceImage, page: PageImage
) -> Request:
    """Move ids out of `open` into a new page, on condition that the balance is still `image`."""
    first = image.through == ids.FIRST
    unmoved = "attribute_not_exists(through)" if first else "through = :old"
    values: Item = {
        ":through": {"B": page.through},
        ":ids": {"BS": sorted(page.ids)},
        ":entries": {"N": str(image.sums.entries)},
        ":generation": {"S": image.generation},
    }
    balance = {
        **_balance(settings, account, currency),
        "UpdateExpression": "SET through = :through DELETE #open :ids",
        "ConditionExpression": f"{unmoved} AND entries = :entries AND generation = :generation",
        "ExpressionAttributeNames": {"#open": "open"},
        "ExpressionAttributeValues": values | ({} if first else {":old": {"B": image.through}}),
    }
    put = _put_page(settings, account, currency, page)
    return _transact({"Put": put}, {"Update": balance})


def late(
    settings: Settings,
    account: str,
    currency: str,
    page: PageImage,
    new: Collection[bytes],
    sums: Sums,
) -> Request:
    """Add late entries to the page that covers them, and to the balance, each or neither."""
    wanted = sorted(new)
    absent, values = _none_of("ids", wanted)
    values |= _sum_values(sums) | {":smallest": {"B": wanted[0]}, ":ids": {"BS": wanted}}
    into_page = {
        **_page(settings, account, currency, page),
        "UpdateExpression": f"ADD {ADD_SUMS}, ids :ids",
        "ConditionExpression": f"#from < :smallest AND {absent}",
        "ExpressionAttributeNames": {"#from": "from"},
        "ExpressionAttributeValues": values,
    }
    balance = _of_generation(settings, account, currency, page)
    balance["UpdateExpression"] = f"ADD {ADD_SUMS}, lates :one"
    balance["ExpressionAttributeValues"] |= _sum_values(sums)
    return _transact({"Update": into_page}, {"Update": balance})


def split(
    settings: Settings,
    account: str,
    currency: str,
    page: PageImage,
    low: PageImage,
    high: PageImage,
) -> Request:
    """Part a page in two: `low` becomes a new page, the old one becomes `high`."""
    gone = sorted(page.ids - high.ids)
    put = _put_page(settings, account, currency, low)
    values: Item = _sum_values(-low.sums) | {
        ":read": {"BS": sorted(page.ids)},
        ":gone": {"BS": gone},
        ":start": {"B": high.start},
    }
    deleted = "ids :gone"
    if suspects := sorted(page.suspects - high.suspects):
        deleted += ", suspect :suspects"
        values[":suspects"] = {"BS": suspects}
    keep = {
        **_page(settings, account, currency, page),
        "UpdateExpression": f"SET #from = :start DELETE {deleted} ADD {ADD_SUMS}",
        "ConditionExpression": "ids = :read",
        "ExpressionAttributeNames": {"#from": "from"},
        "ExpressionAttributeValues": values,
    }
    balance = _of_generation(settings, account, currency, page)
    balance["UpdateExpression"] = "ADD lates :one"
    return _transact({"Put": put}, {"Update": keep}, {"Update": balance})


def _of_generation(
    settings: Settings, account: str, currency: str, page: PageImage
) -> dict[str, Any]:
    """An update of the balance, on condition that the page is of its generation."""
    return {
        **_balance(settings, account, currency),
        "ConditionExpression": "generation = :generation",
        "ExpressionAttributeValues": {
            ":generation": {"S": page.generation},
            ":one": {"N": "1"},
        },
    }


def _none_of(attribute: str, wanted: Iterable[bytes]) -> tuple[str, Item]:
    values: Item = {f":id{place}": {"B": id} for place, id in enumerate(wanted)}
    return " AND ".join(f"NOT contains({attribute}, {name})" for name in values), values


def _sum_values(sums: Sums) -> Item:
    return {f":{name}": {"N": str(getattr(sums, name))} for name in SUM_FIELDS}


def _balance(settings: Settings, account: str, currency: str) -> dict[str, Any]:
    return _at(settings, account, keys.balance(currency))


def _page(settings: Settings, account: str, currency: str, page: PageImage) -> dict[str, Any]:
    return _at(settings, account, keys.page(currency, page.generation, ids.unpack(page.through)))


def _at(settings: Settings, account: str, sort: str) -> dict[str, Any]:
    return {
        "TableName": settings.balances_table,
        "Key": {"PK": {"S": keys.account(account)}, "SK": {"S": sort}},
    }


def _put_page(settings: Settings, account: str, currency: str, page: PageImage) -> dict[str, Any]:
    at = _page(settings, account, currency, page)
    item: Item = {
        **at["Key"],
        "from": {"B": page.start},
        "ids": {"BS": sorted(page.ids)},
        **{name: {"N": str(getattr(page.sums, name))} for name in SUM_FIELDS},
    }
    if page.suspects:
        item["suspect"] = {"BS": sorted(page.suspects)}
    return {
        "TableName": at["TableName"],
        "Item": item,
        "ConditionExpression": "attribute_not_exists(PK)",
    }


def _transact(*operations: dict[str, Any]) -> Request:
    return Request("transact_write_items", {"TransactItems": list(operations)})
