"""The tables, as an engine is asked to create them. On AWS the stack creates them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def misshapen(wanted: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    """How a table that is there differs from its definition: keys, key types, indexes."""
    if _keys(wanted) != _keys(table):
        yield f"keys {_keys(table)}, expected {_keys(wanted)}"
    types = _types(table)
    for name, type in _types(wanted).items():
        if types.get(name, type) != type:
            yield f"{name} is of type {types[name]}, expected {type}"
    indexes = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", ())}
    for index in wanted.get("GlobalSecondaryIndexes", ()):
        yield from _of_index(index, indexes.get(index["IndexName"]))


def _of_index(wanted: Mapping[str, Any], index: Mapping[str, Any] | None) -> Iterator[str]:
    name = wanted["IndexName"]
    if index is None:
        yield f"no index {name}"
        return
    if _keys(index) != _keys(wanted):
        yield f"index {name} has keys {_keys(index)}, expected {_keys(wanted)}"
    if index.get("IndexStatus", "ACTIVE") != "ACTIVE":
        yield f"index {name} is {index['IndexStatus']}"


def _keys(schema: Mapping[str, Any]) -> str:
    ordered = sorted(schema["KeySchema"], key=lambda key: str(key["KeyType"]))
    return ", ".join(key["AttributeName"] for key in ordered)


def _types(schema: Mapping[str, Any]) -> dict[str, str]:
    return {a["AttributeName"]: a["AttributeType"] for a in schema["AttributeDefinitions"]}
