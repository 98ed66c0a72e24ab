"""The tables, as an engine is asked to create them. On AWS the stack creates them."""

from __future__ import annotations

from typing import Any

from ledger.settings import Settings

LISTING_INDEX = "listing"


def definitions(settings: Settings) -> list[dict[str, Any]]:
    """The parameters of `CreateTable` for each table."""
    events = _table(settings.events_table)
    events["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    accounts = _table(settings.accounts_table)
    accounts["AttributeDefinitions"] += [_string("listing"), _string("account")]
    accounts["GlobalSecondaryIndexes"] = [
        {
            "IndexName": LISTING_INDEX,
            "KeySchema": [
                {"AttributeName": "listing", "KeyType": "HASH"},
                {"AttributeName": "account", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    idempotency = _table(settings.idempotency_table, sort=False)
    quarantine = _table(settings.quarantine_table)
    return [events, _table(settings.balances_table), accounts, idempotency, quarantine]


def _string(name: str) -> dict[str, str]:
    return {"AttributeName": name, "AttributeType": "S"}


def _table(name: str, *, sort: bool = True) -> dict[str, Any]:
    keys = [{"AttributeName": "PK", "KeyType": "HASH"}]
    keys += [{"AttributeName": "SK", "KeyType": "RANGE"}] if sort else []
    return {
        "TableName": name,
        "KeySchema": keys,
        "AttributeDefinitions": [_string(key["AttributeName"]) for key in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }
