"""transaction: a transaction as a whole, exactly as it was posted, by its id or its key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Ledger, Money, NotFound, credit, debit
from tests.support.house import House
from tests.support.samples import deposit, eur, id_at

AT = datetime(2026, 9, 1, 14, tzinfo=timezone(timedelta(hours=2)))


def test_a_transaction_is_read_as_it_was_posted(house: House) -> None:
    """All its fields, its entries as their receipt has them, times in UTC; by another process too."""
    metadata = {"order": "o-1", "lines": [{"sku": "ß", "n": 2}], "gift": False, "none": None}
    receipt = house.ledger.post(
        [
            debit("a", eur(5)),
            credit("b", eur(5)),
            debit("a", Money(1, "USD")),
            credit("c", Money(1, "USD")),
        ],
        type="exchange",
        description="zwölf ✓",
        metadata=metadata,
        effective_at=AT,
        idempotency_key="k",
    )
    for found in (
        house.ledger.transaction(receipt.id),
        Ledger(house.new_runtime()).transaction_by_key("k"),
    ):
        assert (found.id, found.type, found.description) == (receipt.id, "exchange", "zwölf ✓")
        assert found.entries == receipt.entries
        assert found.metadata == metadata
        assert found.effective_at == AT
        assert found.effective_at is not None
        assert found.effective_at.utcoffset() == timedelta(0)
        assert (found.recorded_at, found.origin) == (receipt.recorded_at, "eu-west-1")
        assert found.recorded_at.tzinfo == UTC
        assert found.idempotency_key == "k"


def test_what_was_not_given_is_absent(house: House) -> None:
    """No metadata, description, effective time or key: None, not an empty one, nor another time."""
    receipt = house.ledger.post(deposit(), type="deposit", metadata={})
    found = house.ledger.transaction(receipt.id)
    assert (found.metadata, found.description) == (None, None)
    assert (found.effective_at, found.idempotency_key) == (None, None)


def test_an_unknown_transaction_is_not_found(house: House) -> None:
    """The error carries the id that was asked for."""
    with pytest.raises(NotFound) as error:
        house.ledger.transaction(id_at())
    assert (error.value.id, error.value.retryable) == (id_at(), False)


def test_two_reads_with_a_key(house: House) -> None:
    """The key, then the header: both consistent."""
    house.ledger.post(deposit(), type="deposit", idempotency_key="k")
    house.faults.heal()
    house.ledger.transaction_by_key("k")
    tables = [parameters["TableName"] for _, parameters in house.faults.calls]
    assert tables == [house.settings.idempotency_table, house.settings.events_table]
    assert all(parameters["ConsistentRead"] for _, parameters in house.faults.calls)


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**1000), 2**1000) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=10)
@given(metadata=st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=3))
def test_metadata_comes_back_as_it_was_given(house: House, metadata: dict[str, Any]) -> None:
    """Whatever JSON without floats: text of any script, ints of any size that is let through."""
    receipt = house.ledger.post(deposit(1), type="deposit", metadata=metadata)
    assert house.ledger.transaction(receipt.id).metadata == metadata


def test_a_missing_header_of_a_key_is_not_found(house: House) -> None:
    """Who only reads hears that there is no such transaction."""
    receipt = house.ledger.post(deposit(), type="deposit", idempotency_key="k")
    key = {"PK": {"S": f"TRANSACTION#{receipt.id}"}, "SK": {"S": "TRANSACTION"}}
    house.faults.delete_item(TableName=house.settings.events_table, Key=key)
    with pytest.raises(NotFound) as error:
        house.ledger.transaction_by_key("k")
    assert error.value.id == receipt.id
