"""The month's costs in docs/operations.md are those of the calculator, and its figures those of real requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import monthly
from benchmarks.monthly import BUSINESSES, Business, month
from ledger import Money, credit, debit
from ledger.metering import item_bytes
from tests.support.house import House

OPERATIONS = Path(__file__).parents[1] / "docs" / "operations.md"
ITEM_OVERHEAD_BYTES = 100
"""What AWS adds to each item when it counts storage."""


def test_the_table_in_the_documentation_is_what_the_command_prints() -> None:
    """`python -m benchmarks.monthly` prints the table that operations.md has."""
    assert monthly.table() in OPERATIONS.read_text("utf-8")


def test_units_and_bytes_are_those_of_a_real_posting(house: House) -> None:
    """A posting of two entries with a key, on accounts that exist."""
    # given
    house.ledger.open_account("world:card")
    house.ledger.open_account("user:00000042")
    meter = house.meter()
    # when
    house.ledger.post(
        [
            debit("world:card", Money(1250, "EUR")),
            credit("user:00000042", Money(1250, "EUR")),
        ],
        type="deposit",
        idempotency_key=f"payment-{42:032d}",
        metadata={"order": "000000000042", "channel": "web"},
    )
    # then
    assert meter.total.write_units == monthly.WRITE_UNITS_TO_POST
    settings = house.settings
    kept = [
        item
        for table in (settings.events_table, settings.idempotency_table)
        for item in house.faults.scan(TableName=table)["Items"]
    ]
    stored = sum(item_bytes(item) + ITEM_OVERHEAD_BYTES for item in kept)
    assert len(kept) == 4
    assert stored == pytest.approx(monthly.BYTES_KEPT, rel=0.1)


def test_a_month_grows_with_its_transactions_and_its_nights_with_the_history() -> None:
    """Twice the transactions write for twice the money; twice the months replay for twice the money."""
    one = month(Business("one", transactions=1_000_000, balances_read=1))
    two = month(Business("two", transactions=2_000_000, balances_read=1))
    old = month(Business("old", transactions=1_000_000, balances_read=1, months=24))
    assert two.writing == pytest.approx(2 * one.writing)
    assert old.writing == one.writing
    assert old.reconciling == pytest.approx(2 * one.reconciling)


def test_the_total_is_the_sum_of_its_parts() -> None:
    """Every line of the table is in the total."""
    for business in BUSINESSES:
        costs = month(business)
        parts = ("writing", "projecting", "reading", "reconciling", "keeping", "watching")
        assert costs.total == pytest.approx(sum(getattr(costs, part) for part in parts))
