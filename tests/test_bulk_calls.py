"""post_many packs independent transactions into few calls, in any of which each is whole."""

from __future__ import annotations

import pytest

from ledger import (
    Money,
    Transaction,
    credit,
    debit,
)
from ledger.write import bulk
from tests.conftest import NewHouse
from tests.support.bulk import kinds, many, of, receipts
from tests.support.house import House
from tests.support.samples import assert_whole, deposit, eur, operations


@pytest.mark.parametrize(("count", "calls"), [(1, [3]), (33, [99]), (34, [99, 3])])
def test_transactions_are_packed_a_hundred_items_a_call(
    warm: House, count: int, calls: list[int]
) -> None:
    """Thirty-three two-legged ones fit one call; the outcomes come in the order given."""
    outcomes = receipts(warm.ledger.post_many(many(count)))
    assert [len(p["TransactItems"]) for _, p in warm.faults.calls] == calls
    assert [receipt.entries[1].amount_minor for receipt in outcomes] == list(range(1, count + 1))
    assert not any(receipt.replayed for receipt in outcomes)
    assert_whole(warm, outcomes)


def test_a_transaction_is_never_split_between_calls(warm: House) -> None:
    """Sixty entries and forty do not fit one call together with their headers: two calls."""
    legs = deposit(1) * 30, deposit(1) * 20
    warm.ledger.post_many([Transaction(entries=entries, type="t") for entries in legs])
    assert [len(p["TransactItems"]) for _, p in warm.faults.calls] == [61, 41]


def test_new_accounts_are_opened_first_and_once(house: House) -> None:
    """Two transactions that share a new account need not wait for each other."""
    house.faults.heal()
    outcomes = house.ledger.post_many([of(1, f"user:{number % 3}") for number in range(9)])
    assert kinds(outcomes) == ["posted"] * 9
    assert operations(house) == ["batch_get_item", "transact_write_items", "transact_write_items"]
    assert [len(p["TransactItems"]) for _, p in house.faults.calls[1:]] == [4, 27]
    house.ledger.post_many(many(2))
    assert len(house.items("accounts")) == 5


def test_more_new_accounts_than_fit_a_call_take_more_calls(house: House, small_calls: None) -> None:
    """They are registered as many at a time as a call takes."""
    house.faults.heal()
    outcomes = house.ledger.post_many([of(1, f"user:{number}") for number in range(13)])
    assert kinds(outcomes) == ["posted"] * 13
    sent = [len(p["TransactItems"]) for o, p in house.faults.calls if o.startswith("transact")]
    assert sent == [12, 2, 12, 12, 12, 3]
    assert len(house.items("accounts")) == 14


def test_several_calls_in_flight_keep_the_order(new_house: NewHouse, small_calls: None) -> None:
    """With four calls side by side the outcomes are still those of their places."""
    house = new_house(bulk_calls=4)
    outcomes = receipts(house.ledger.post_many(many(40)))
    assert [receipt.entries[1].amount_minor for receipt in outcomes] == list(range(1, 41))
    assert_whole(house, outcomes)


def test_one_key_in_two_calls_in_flight_moves_the_money_once(new_house: NewHouse) -> None:
    """Whichever call commits first, the other hears of it."""
    house = new_house(bulk_calls=4)
    outcomes = house.ledger.post_many([of(1, idempotency_key="k"), of(1, idempotency_key="k")])
    one, other = receipts(outcomes)
    assert one.id == other.id
    assert sorted(kinds(outcomes)) == ["posted", "replayed"]
    assert_whole(house, [one])


def test_fault_14_what_failed_leaves_and_the_rest_is_packed_again(warm: House) -> None:
    """One of seven is a replay: a second call for the six, and no third."""
    keyed = of(5, idempotency_key="k")
    first = warm.ledger.post(keyed)
    warm.faults.heal()
    outcomes = warm.ledger.post_many([*many(3), keyed, *many(3)])
    assert kinds(outcomes) == ["posted"] * 3 + ["replayed"] + ["posted"] * 3
    writes = [p for o, p in warm.faults.calls if o == "transact_write_items"]
    assert [len(p["TransactItems"]) for p in writes] == [22, 18]
    assert writes[0]["ClientRequestToken"] != writes[1]["ClientRequestToken"]
    assert_whole(warm, [first, *(o for o in receipts(outcomes) if not o.replayed)])


def test_one_key_twice_in_a_call_moves_the_money_once(warm: House) -> None:
    """The same request twice is posted and replayed; another under the same key conflicts."""
    outcomes = warm.ledger.post_many(
        [of(1, idempotency_key="k"), of(1, idempotency_key="k"), of(2, idempotency_key="k")]
    )
    assert kinds(outcomes) == ["posted", "replayed", "IdempotencyConflict"]
    assert_whole(warm, [outcomes[0]])  # type: ignore[list-item]


def test_one_id_twice_in_a_call_is_one_transaction(warm: House) -> None:
    """As with a key: never two puts of one item in one call, which DynamoDB would refuse."""
    id = warm.ledger.new_id()
    outcomes = warm.ledger.post_many([of(1, id=id), of(5), of(1, id=id), of(2, id=id)])
    assert kinds(outcomes) == ["posted", "posted", "replayed", "IdempotencyConflict"]
    assert warm.ledger.balance("user:42", "EUR").posted == eur(6)


@pytest.mark.parametrize("guarded", [True, False], ids=["as it is", "the guard taken out"])
def test_one_call_never_has_two_operations_on_one_item(
    warm: House, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """AWS refuses such a call as a whole (engines differ); without the marks one would be sent."""
    if not guarded:
        monkeypatch.setattr(bulk, "_packs", lambda ready: iter([list(ready)]))
    warm.ledger.post_many([of(1, idempotency_key="k"), of(1, idempotency_key="k")])
    alike = False
    for operation, parameters in warm.faults.calls:
        if operation == "transact_write_items":
            puts = [item["Put"] for item in parameters["TransactItems"]]
            keys = [
                (put["TableName"], str(put["Item"]["PK"]), str(put["Item"].get("SK")))
                for put in puts
            ]
            alike = alike or len(keys) > len(set(keys))
    assert alike != guarded


def test_several_currencies_and_accounts_go_together(warm: House) -> None:
    """Independent is all that they need to be."""
    dollars = Money(5, "USD")
    outcomes = warm.ledger.post_many(
        [
            of(1),
            Transaction(
                entries=[debit("world:card", dollars), credit("user:7", dollars)], type="deposit"
            ),
        ]
    )
    assert kinds(outcomes) == ["posted", "posted"]
    assert warm.ledger.balance("user:7", "USD").posted == dollars
