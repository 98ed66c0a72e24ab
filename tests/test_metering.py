"""The meter: AWS's documented sizes and roundings, applied to what was really sent."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ledger.metered import MeteredClient
from ledger.metering import (
    Cost,
    Index,
    get_units,
    index_write_units,
    item_bytes,
    query_units,
    write_units,
)
from tests.support.house import House

PLACE = {"PK": {"S": "p"}, "SK": {"S": "s"}}
LISTED = Index("accounts", ("listing", "account"))


def sized(size_bytes: int) -> dict[str, Any]:
    """An item of that size: its keys are 6 bytes, the name of the rest is one."""
    return {**PLACE, "x": {"B": bytes(size_bytes - 7)}}


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [
        ({"S": "müde"}, 5),
        ({"S": ""}, 0),
        ({"N": "0"}, 1),
        ({"N": "7"}, 2),
        ({"N": "1250"}, 3),  # the trailing zero is trimmed
        ({"N": "12345"}, 4),
        ({"N": "-12345"}, 5),
        ({"N": "0.05"}, 2),
        ({"N": "9" * 38}, 20),
        ({"B": bytes(17)}, 17),
        ({"BS": [bytes(17), bytes(17)]}, 34),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "100"]}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + 2 + 2 + 1),
        ({"M": {}}, 3),
        ({"M": {"name": {"S": "ab"}}}, 3 + 1 + 4 + 2),
    ],
)
def test_an_attribute_is_its_name_and_its_value(value: dict[str, Any], size_bytes: int) -> None:
    """Sizes are those of the Developer Guide's rules, worked out by hand."""
    assert item_bytes({"ä": value}) == 2 + size_bytes


@pytest.mark.parametrize(
    ("before_bytes", "after_bytes", "units"),
    [(0, 7, 1), (0, 1024, 1), (0, 1025, 2), (1025, 7, 2), (3000, 2000, 3), (2049, 0, 3)],
)
def test_a_write_costs_the_larger_image(before_bytes: int, after_bytes: int, units: int) -> None:
    """A unit for each KB begun of what stood there or stands there now; twice in a transaction."""
    before, after = (sized(n) if n else None for n in (before_bytes, after_bytes))
    assert write_units(before, after) == units
    assert write_units(before, after, transactional=True) == 2 * units


def test_reads_round_up_to_four_kilobytes() -> None:
    """A get is rounded item by item, a query by its sum; nothing found costs as a small item."""
    items = [sized(1500), sized(4097)]
    assert get_units(items, "strong") == 3
    assert get_units([*items, None], "eventual") == 2
    assert get_units([sized(7)], "transactional") == 2
    assert query_units(items, "strong") == 2
    assert query_units([], "strong") == 1


def test_an_index_of_keys_costs_what_changes_in_it() -> None:
    """An entry put or deleted is one write, one that moves is two, one that stays is none."""
    listed = {**PLACE, "listing": {"S": "0"}, "account": {"S": "a"}}
    moved = {**listed, "listing": {"S": "1"}}
    assert index_write_units(LISTED, None, listed) == 1
    assert index_write_units(LISTED, listed, None) == 1
    assert index_write_units(LISTED, listed, moved) == 2
    assert index_write_units(LISTED, listed, {**listed, "note": {"S": "n"}}) == 0
    assert index_write_units(LISTED, None, PLACE) == 0


def test_dollars_are_of_units() -> None:
    """A million units of each kind, on demand."""
    cost = Cost(write_units=1_000_000) + Cost(read_units=1_000_000)
    assert cost.dollars == pytest.approx(0.75)


@pytest.fixture
def meter(house: House) -> MeteredClient:
    """A metered client of the house's tables."""
    return house.meter()


def test_an_update_is_metered_by_the_larger_image(house: House, meter: MeteredClient) -> None:
    """An update that shrinks an item costs what stood there, one that lets it grow what stands."""
    at = {"TableName": house.settings.balances_table, "Key": PLACE}
    meter.put_item(TableName=at["TableName"], Item=sized(2500))
    assert meter.total == Cost(1, write_units=3)
    meter.update_item(**at, UpdateExpression="REMOVE x")
    assert meter.costs["update_item"] == Cost(1, write_units=3)
    grown = {":x": {"B": bytes(5000)}}
    meter.update_item(**at, UpdateExpression="SET x = :x", ExpressionAttributeValues=grown)
    assert meter.costs["update_item"] == Cost(2, write_units=3 + 5)
    meter.delete_item(**at)
    assert meter.costs["delete_item"] == Cost(1, write_units=5)


def test_a_failed_condition_costs_the_same(house: House, meter: MeteredClient) -> None:
    """A conditional put over a large item pays for it; so does a whole cancelled transaction."""
    put = {
        "TableName": house.settings.balances_table,
        "Item": sized(100),
        "ConditionExpression": "attribute_not_exists(PK)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    meter.put_item(**put | {"Item": sized(2500)})
    spent = meter.total
    with pytest.raises(ClientError):
        meter.put_item(**put)
    assert meter.total - spent == Cost(1, write_units=3)
    other = put | {"Item": {**sized(100), "SK": {"S": "t"}}}
    with pytest.raises(ClientError):
        meter.transact_write_items(TransactItems=[{"Put": put}, {"Put": other}])
    assert meter.costs["transact_write_items"] == Cost(1, write_units=6 + 2)


def test_a_refused_request_costs_nothing(house: House, meter: MeteredClient) -> None:
    """What DynamoDB finds invalid was not done."""
    with pytest.raises(ClientError):
        meter.put_item(TableName=house.settings.balances_table, Item={"PK": {"S": "p"}})
    assert meter.total == Cost()


def test_a_repeated_token_only_reads(house: House, meter: MeteredClient) -> None:
    """A transaction sent again under its token costs reads, as AWS documents."""
    put = {"TableName": house.settings.balances_table, "Item": sized(100)}
    for _ in range(2):
        meter.transact_write_items(TransactItems=[{"Put": put}], ClientRequestToken="t")
    assert meter.total == Cost(2, write_units=2, read_units=2)


def test_a_projection_does_not_lower_the_price(house: House, meter: MeteredClient) -> None:
    """What a query, a get or a filter leaves out was read nevertheless."""
    table = house.settings.balances_table
    meter.put_item(TableName=table, Item=sized(5000))
    spent = meter.total
    reply = meter.query(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk",
        FilterExpression="#x = :none",
        ProjectionExpression="SK",
        ExpressionAttributeNames={"#x": "x"},
        ExpressionAttributeValues={":pk": {"S": "p"}, ":none": {"S": "none"}},
    )
    assert reply["Items"] == []
    keys = {"Keys": [PLACE, {**PLACE, "SK": {"S": "none"}}], "ProjectionExpression": "SK"}
    meter.batch_get_item(RequestItems={table: keys})
    assert meter.total - spent == Cost(2, read_units=2 + 1.5)
