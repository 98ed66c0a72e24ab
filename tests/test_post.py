"""post: the entries of a transaction commit together or not at all, and its receipt says what was written."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from ledger import (
    Ledger,
    Money,
    Transaction,
    credit,
    debit,
)
from ledger.errors import LedgerError
from tests.conftest import NewHouse
from tests.support.faults import EVERY_FAULT, Fault, Killed
from tests.support.house import House
from tests.support.samples import assert_whole, deposit, eur

AT = datetime(2026, 9, 1, 14, tzinfo=timezone(timedelta(hours=2)))
METADATA = {"order": "o-1", "lines": [1, None, True, {"name": "Käse"}], "none": {}}


def test_a_receipt_says_what_was_written(house: House) -> None:
    """Id, entries in the order given with their places, time, key; and that it was no replay."""
    receipt = house.ledger.post(
        [
            debit("world:card", eur(1250)),
            credit("user:42", eur(1200)),
            credit("fees", eur(50)),
        ],
        type="deposit",
        description="by card",
        metadata=METADATA,
        effective_at=AT,
        idempotency_key="k-1",
    )
    assert [e.id for e in receipt.entries] == [f"{receipt.id}#0{place}" for place in range(3)]
    legs = [(e.account, e.direction, e.money) for e in receipt.entries]
    assert legs == [
        ("world:card", "debit", eur(1250)),
        ("user:42", "credit", eur(1200)),
        ("fees", "credit", eur(50)),
    ]
    assert [e.counterparties for e in receipt.entries] == [
        ("user:42", "fees"),
        ("world:card",),
        ("world:card",),
    ]
    for entry in receipt.entries:
        assert (entry.transaction_id, entry.type) == (receipt.id, "deposit")
        assert (entry.description, entry.origin) == ("by card", "eu-west-1")
        assert entry.effective_at == AT
        assert not entry.single
        assert house.ledger.entry(entry.account, entry.id) == entry
    assert (receipt.replayed, receipt.idempotency_key) == (False, "k-1")
    assert receipt.recorded_at == house.clock.moment().replace(microsecond=0)


def test_a_transaction_carries_its_own_fields(house: House) -> None:
    """post takes a Transaction, and writes the same as with the fields passed by name."""
    given = Transaction(
        entries=deposit(),
        type="deposit",
        description="d",
        metadata=METADATA,
        id=house.ledger.new_id(),
    )
    receipt = house.ledger.post(given)
    again = house.ledger.post(
        deposit(), type="deposit", description="d", metadata=METADATA, id=given.id
    )
    assert (again.replayed, again.entries) == (True, receipt.entries)


def test_a_transfer_is_a_debit_and_a_credit(house: House) -> None:
    """The source's debit first, then the destination's credit; further fields as in post."""
    receipt = house.ledger.transfer(
        source="user:42", destination="shop:7", money=eur(990), type="purchase", idempotency_key="k"
    )
    legs = [(e.account, e.direction, e.money) for e in receipt.entries]
    assert legs == [("user:42", "debit", eur(990)), ("shop:7", "credit", eur(990))]
    assert receipt.idempotency_key == "k"
    assert house.ledger.transaction_by_key("k").entries == receipt.entries


def test_amounts_may_be_as_large_as_the_rules_say(house: House) -> None:
    """10**27 minor units go in and come back exactly, and so do sums of them."""
    for _ in range(3):
        house.ledger.post(deposit(10**27), type="deposit")
    house.settle()
    assert house.ledger.balance("user:42", "EUR").posted == eur(3 * 10**27)


def test_several_currencies_balance_each_by_itself(house: House) -> None:
    """An exchange: four legs, two currencies, each summing to zero."""
    dollars = Money(1300, "USD")
    house.ledger.post(
        [
            debit("user:42", eur(1000)),
            credit("fx", eur(1000)),
            debit("fx", dollars),
            credit("user:42", dollars),
        ],
        type="exchange",
    )
    assert house.ledger.balance("user:42", "EUR").posted == eur(-1000)
    assert house.ledger.balance("user:42", "USD").posted == dollars
    assert set(house.ledger.balances("fx")) == {"EUR", "USD"}


def test_one_account_may_have_several_entries(house: House) -> None:
    """Places tell them apart, and each counts."""
    legs = [credit("user:42", eur(5)), credit("user:42", eur(5)), debit("user:42", eur(10))]
    receipt = house.ledger.post(legs, type="correction")
    house.posted([receipt])
    house.settle()
    house.assert_view_is_right()
    balance = house.ledger.balance("user:42", "EUR")
    assert (balance.credits, balance.debits, balance.entry_count) == (eur(10), eur(10), 3)


def test_a_trace_is_not_stored(house: House) -> None:
    """It is for log lines: no item of any table has it, and a retry may bring another."""
    id = house.ledger.new_id()
    house.ledger.post(deposit(), type="deposit", id=id, trace={"request": "r-4711"})
    house.settle()
    everything = [house.items(table) for table in ("events", "balances", "accounts", "idempotency")]
    assert "r-4711" not in str(everything)
    again = house.ledger.post(deposit(), type="deposit", id=id, trace={"request": "r-4712"})
    assert again.replayed


def test_metadata_stands_on_the_header_alone(house: House) -> None:
    """It is written once, as canonical JSON, and comes back as it was given."""
    receipt = house.ledger.post(deposit(), type="deposit", metadata=METADATA)
    having = [item for item in house.items("events") if "metadata" in item]
    assert [item["SK"]["S"] for item in having] == ["TRANSACTION"]
    assert json.loads(having[0]["metadata"]["S"]) == METADATA
    assert house.ledger.transaction(receipt.id).metadata == METADATA


@pytest.mark.parametrize("fault", EVERY_FAULT)
def test_fault_06_a_transaction_is_never_half_written(new_house: NewHouse, fault: Fault) -> None:
    """Whatever becomes of its call: all its items are there or none is, and a retry ends it."""
    house = new_house(attempts=1)
    id = house.ledger.new_id()
    house.faults.always("transact_write_items", fault)
    with pytest.raises((LedgerError, Killed)):
        house.ledger.post(deposit(), type="deposit", id=id, idempotency_key="k")
    house.faults.heal()
    committed = fault in ("reply lost", "killed after")
    sizes = [len(house.items(table)) for table in ("events", "accounts", "idempotency")]
    assert sizes == ([3, 2, 1] if committed else [0, 0, 0])
    receipt = Ledger(house.new_runtime()).post(
        deposit(), type="deposit", id=id, idempotency_key="k"
    )
    assert receipt.replayed == committed
    assert_whole(house, [receipt])
    assert house.ledger.transaction(id).entries == receipt.entries


def test_fault_06_a_transaction_is_read_whole(house: House) -> None:
    """`transaction(id)` is one consistent read of one item, whatever the number of entries."""
    receipt = house.ledger.post(deposit() * 45, type="deposit")
    house.faults.heal()
    assert house.ledger.transaction(receipt.id).entries == receipt.entries
    ((operation, parameters),) = house.faults.calls
    assert (operation, parameters["ConsistentRead"]) == ("get_item", True)
