"""A rebuild by hand: the same view under another generation, in one step, as others see it."""

from __future__ import annotations

from ledger import ids, keys
from ledger.request import Request
from tests.support.house import House


def rebuild(house: House, account: str, currency: str = "EUR") -> str:
    """Copy the pages under a new generation, then swap the balance item; the generation."""
    generation = ids.mint(house.clock.time_ms(), house.random.randbytes(ids.RANDOM_BYTES))
    prefix = keys.pages(currency, house.image(account, currency).generation)
    for item in house.items("balances"):
        if item["PK"]["S"] == keys.account(account) and item["SK"]["S"].startswith(prefix):
            through = keys.page_through(item["SK"]["S"])
            item["SK"] = {"S": keys.page(currency, generation, through)}
            put = {"TableName": house.settings.balances_table, "Item": item}
            house.runtime.store.send(Request("put_item", put))
    swap = {
        "TableName": house.settings.balances_table,
        "Key": {"PK": {"S": keys.account(account)}, "SK": {"S": keys.balance(currency)}},
        "UpdateExpression": "SET generation = :generation ADD lates :one",
        "ExpressionAttributeValues": {":generation": {"S": generation}, ":one": {"N": "1"}},
    }
    house.runtime.store.send(Request("update_item", swap))
    return generation
