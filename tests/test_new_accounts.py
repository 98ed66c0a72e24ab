"""Accounts come to be with their first entry, whoever opens them at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger import (
    Contended,
    Ledger,
    OutcomeUnknown,
    Receipt,
    Transaction,
    Unavailable,
    credit,
    debit,
)
from ledger.write import accounts
from tests.conftest import NewHouse
from tests.support.faults import Fault
from tests.support.house import House
from tests.support.samples import assert_whole, deposit, eur, operations


def test_two_new_accounts_are_opened_in_the_same_call(house: House) -> None:
    """One look, one write; from then on the write alone."""
    house.faults.heal()
    house.ledger.post(deposit(), type="deposit")
    house.ledger.post(deposit(), type="deposit")
    assert operations(house) == ["batch_get_item", "transact_write_items", "transact_write_items"]
    sent = [len(p["TransactItems"]) for _, p in house.faults.calls[1:]]
    assert sent == [5, 3]


def legs_of(count: int) -> list[Any]:
    """That many legs on as many accounts."""
    legs: list[Any] = []
    for number in range(0, count, 2):
        legs += [debit(f"a:{number}", eur(1)), credit(f"a:{number + 1}", eur(1))]
    return legs


@pytest.mark.parametrize(
    ("new", "key", "calls"),
    [(9, None, 1), (10, None, 2), (8, "k", 1), (9, "k", 2), (90, None, 2)],
)
def test_accounts_that_do_not_fit_are_registered_in_a_call_before(
    house: House, new: int, key: str | None, calls: int
) -> None:
    """Ninety entries leave room for a header and nine items: what is beyond goes first."""
    legs = legs_of(90)
    accounts.register(house.runtime, [leg.account for leg in legs[new:]])
    house.faults.heal()
    receipt = house.ledger.post(legs, type="payout", idempotency_key=key)
    assert operations(house).count("transact_write_items") == calls
    assert len(house.items("accounts")) == 90
    assert_whole(house, [receipt])


@pytest.mark.parametrize("fault", ["throttled", "reply lost"])
def test_when_the_registering_fails_nothing_of_the_transaction_is_written(
    new_house: NewHouse, fault: Fault
) -> None:
    """The error carries the id, and a retry with it goes through."""
    house = new_house(attempts=1)
    house.faults.always("transact_write_items", fault)
    expected = Unavailable if fault == "throttled" else OutcomeUnknown
    with pytest.raises(expected) as error:
        house.ledger.post(legs_of(90), type="payout")
    house.faults.heal()
    assert house.items("events") == []
    assert not house.ledger.post(legs_of(90), type="payout", id=error.value.id).replayed


def opening(house: House, *names: str) -> Callable[[], None]:
    """Another process that opens accounts."""
    other = Ledger(house.new_runtime())

    def act() -> None:
        for name in names:
            other.open_account(name)

    return act


@pytest.mark.parametrize("count", [2, 90])
@pytest.mark.parametrize("raced", [1, 2])
def test_accounts_that_others_open_meanwhile_are_no_conflict(
    house: House, count: int, raced: int
) -> None:
    """Between the look and the write some accounts come to be: the rest is opened, the money moves."""
    names = ["a:0", "a:1"][:raced]
    house.faults.before("transact_write_items", opening(house, *names))
    receipt = house.ledger.post(legs_of(count), type="payout")
    assert not receipt.replayed
    assert len(house.items("accounts")) == count
    assert_whole(house, [receipt])


def test_when_others_opened_them_all_there_is_nothing_left_to_register(house: House) -> None:
    """Every account of the registering call came to be meanwhile: the money moves."""
    house.faults.before("transact_write_items", opening(house, "user:42", "world:card"))
    (receipt,) = house.ledger.post_many([Transaction(entries=deposit(), type="t")])
    assert isinstance(receipt, Receipt)
    assert_whole(house, [receipt])


def test_another_process_posts_the_same_first(house: House) -> None:
    """Same id, between the look and the write: a replay, and the accounts are no matter."""
    id = house.ledger.new_id()
    other = Ledger(house.new_runtime())
    house.faults.before(
        "transact_write_items", lambda: other.post(deposit(), type="deposit", id=id)
    )
    receipt = house.ledger.post(deposit(), type="deposit", id=id)
    assert receipt.replayed
    assert_whole(house, [receipt])


def test_others_that_keep_opening_accounts_are_contention_in_the_end(house: House) -> None:
    """Bounded: after five rounds it is the caller's turn, and nothing was written."""
    names = [f"a:{number}" for number in range(8)]
    left = iter(names)

    def plan(number: int, operation: str, parameters: dict[str, Any]) -> Fault:
        if operation == "transact_write_items":
            house.faults.plan = lambda *_: "none"
            opening(house, next(left))()
            house.faults.plan = plan
        return "none"

    house.faults.plan = plan
    with pytest.raises(Contended, match="nothing was written") as error:
        house.ledger.post(legs_of(8), type="payout")
    house.faults.heal()
    assert house.items("events") == []
    assert error.value.retryable
    assert not house.ledger.post(legs_of(8), type="payout", id=error.value.id).replayed
