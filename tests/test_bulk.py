"""post_many: for each transaction its own true outcome, in the order given."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import (
    IdempotencyConflict,
    InvalidRequest,
    Ledger,
    LedgerError,
    NotFound,
    NotHome,
    OutcomeUnknown,
    Receipt,
    Transaction,
    credit,
    debit,
)
from tests.conftest import NewHouse
from tests.support.bulk import kinds, many, of, receipts
from tests.support.faults import Fault, error
from tests.support.house import House
from tests.support.samples import assert_whole, deposit, eur, id_at, operations, written


def test_fault_14_each_has_its_own_true_outcome(warm: House) -> None:
    """A replay, a conflict by key, a conflict by id, bad ones and good ones in one call."""
    first = warm.ledger.post(of(1, idempotency_key="k-1"))
    second = warm.ledger.post(of(2, id=warm.ledger.new_id()))
    warm.faults.heal()
    outcomes = warm.ledger.post_many(
        [
            of(10),
            of(1, idempotency_key="k-1"),
            of(99, idempotency_key="k-1"),
            of(2, id=second.id),
            of(99, id=second.id),
            Transaction(entries=deposit()[:1], type="deposit", idempotency_key="k-2"),
            of(11, id=id_at(3600)),
            of(12),
        ]
    )
    assert kinds(outcomes) == [
        "posted",
        "replayed",
        "IdempotencyConflict",
        "replayed",
        "IdempotencyConflict",
        "InvalidRequest",
        "InvalidRequest",
        "posted",
    ]
    assert isinstance(outcomes[1], Receipt)
    assert (outcomes[1].id, outcomes[1].entries) == (first.id, first.entries)
    conflicts = [outcome for outcome in outcomes if isinstance(outcome, IdempotencyConflict)]
    assert [(c.id, c.idempotency_key) for c in conflicts] == [(first.id, "k-1"), (second.id, None)]
    assert all("entries[0].amount_minor" in conflict.fields for conflict in conflicts)
    invalid = [outcome for outcome in outcomes if isinstance(outcome, InvalidRequest)]
    assert [(i.id, i.idempotency_key) for i in invalid] == [(None, "k-2"), (id_at(3600), None)]
    assert_whole(warm, [first, second, *(outcomes[place] for place in (0, 7))])  # type: ignore[list-item]
    assert warm.ledger.balance("user:42", "EUR").posted == eur(1 + 2 + 10 + 12)


def test_an_account_that_is_not_declared_is_its_transactions_own_error(new_house: NewHouse) -> None:
    """The others go in; nothing is opened for the one that is refused."""
    house = new_house(accounts="declared")
    for account in ("user:42", "world:card"):
        house.ledger.open_account(account)
    outcomes = house.ledger.post_many(
        [of(1), of(2, "user:typo", idempotency_key="k", id=id_at()), of(3)]
    )
    assert kinds(outcomes) == ["posted", "NotFound", "posted"]
    refused = outcomes[1]
    assert isinstance(refused, NotFound)
    assert (refused.id, refused.idempotency_key) == (id_at(), "k")
    assert len(house.items("accounts")) == 2


def test_another_home_is_its_transactions_own_error(new_house: NewHouse) -> None:
    """A key away from home is refused, the rest of the call is not."""
    house = new_house(homes={"us:": "us-east-1"})
    abroad = Transaction(
        entries=[debit("us:1", eur(1)), credit("user:42", eur(1))], type="t", idempotency_key="k"
    )
    outcomes = house.ledger.post_many([of(1), abroad])
    assert kinds(outcomes) == ["posted", "NotHome"]
    assert isinstance(outcomes[1], NotHome)
    assert outcomes[1].idempotency_key == "k"


@pytest.mark.parametrize("fault", ["reply lost", "time-out", "reset", "server error"])
def test_fault_14_a_lost_reply_is_retried_with_the_same_ids(
    warm: House, small_calls: None, fault: Fault
) -> None:
    """One call of three loses its reply: every outcome is known, every transaction is there once."""
    warm.faults.once("transact_write_items", fault, skip=1)
    outcomes = receipts(warm.ledger.post_many(many(10)))
    assert operations(warm) == ["transact_write_items"] * 4
    assert_whole(warm, outcomes)


def test_fault_14_unknown_is_said_of_those_of_the_lost_call_alone(
    new_house: NewHouse, small_calls: None
) -> None:
    """Each of them carries its own id and key, with which a retry ends it."""
    house = new_house(attempts=1)
    wanted = [of(number, idempotency_key=f"k-{number}") for number in range(1, 9)]
    for account in ("user:42", "world:card"):
        house.ledger.open_account(account)
    house.faults.once("transact_write_items", "reply lost", skip=1)
    outcomes = house.ledger.post_many(wanted)
    assert kinds(outcomes) == ["posted"] * 3 + ["OutcomeUnknown"] * 3 + ["posted"] * 2
    unknown = [outcome for outcome in outcomes if isinstance(outcome, OutcomeUnknown)]
    assert [u.idempotency_key for u in unknown] == [f"k-{number}" for number in range(4, 7)]
    assert len({u.id for u in unknown}) == 3
    house.faults.heal()
    again = receipts(Ledger(house.new_runtime()).post_many(wanted))
    assert kinds(list(again)) == ["replayed"] * 8
    assert [r.id for r in again[3:6]] == [u.id for u in unknown]
    assert_whole(house, again)


@pytest.mark.parametrize(
    ("fault", "kind"), [("throttled", "Unavailable"), ("conflict", "Contended")]
)
def test_fault_09_what_was_not_written_is_said_of_each(
    new_house: NewHouse, small_calls: None, fault: Fault, kind: str
) -> None:
    """The second call is throttled to the end: its transactions can be tried again with their ids."""
    house = new_house(attempts=2)
    for account in ("user:42", "world:card"):
        house.ledger.open_account(account)
    house.faults.script("transact_write_items", "none", fault, fault)
    outcomes = house.ledger.post_many(many(6))
    assert kinds(outcomes) == ["posted"] * 4 + [kind] * 2
    assert len(house.items("events")) == 12
    failed = [outcome for outcome in outcomes if isinstance(outcome, LedgerError)]
    assert len({outcome.id for outcome in failed}) == 2
    assert all(outcome.retryable for outcome in failed)


@pytest.mark.parametrize(
    ("operation", "fault", "kind"),
    [
        ("batch_get_item", "throttled", "Unavailable"),
        ("batch_get_item", "time-out", "Unavailable"),
        ("transact_write_items", "throttled", "Unavailable"),
        ("transact_write_items", "time-out", "OutcomeUnknown"),
    ],
)
def test_when_the_accounts_cannot_be_opened_each_hears_of_it(
    new_house: NewHouse, operation: str, fault: Fault, kind: str
) -> None:
    """The look or the registering fails: an error for each that got that far, its own for the rest."""
    house = new_house(attempts=1)
    wanted = [
        of(1, id=id_at(), idempotency_key="k"),
        Transaction(entries=deposit()[:1], type="deposit"),
        of(2),
    ]
    house.faults.always(operation, fault)
    outcomes = house.ledger.post_many(wanted)
    assert kinds(outcomes) == [kind, "InvalidRequest", kind]
    first, _, third = outcomes
    assert isinstance(first, LedgerError)
    assert isinstance(third, LedgerError)
    assert first is not third
    assert (first.id, first.idempotency_key) == (id_at(), "k")
    if isinstance(third, OutcomeUnknown):
        assert third.id not in (None, first.id)
    house.faults.heal()
    assert house.items("events") == []


def test_fault_14_one_that_dynamodb_refuses_does_not_sink_the_others(warm: House) -> None:
    """A call that is refused as a whole is taken apart, and only the one at fault hears of it."""

    def refusing(number: int, operation: str, parameters: dict[str, Any]) -> Fault:
        if operation == "transact_write_items" and "666" in str(parameters):
            invalid = error("throttled", operation)
            invalid.response["Error"]["Code"] = "ValidationException"
            raise invalid
        return "none"

    warm.faults.plan = refusing
    outcomes = warm.ledger.post_many([*many(3), of(666, idempotency_key="k"), *many(3)])
    assert kinds(outcomes) == ["posted"] * 3 + ["InvalidRequest"] + ["posted"] * 3
    refused = outcomes[3]
    assert isinstance(refused, InvalidRequest)
    assert refused.id is not None
    assert refused.idempotency_key == "k"
    warm.faults.heal()
    assert len(warm.items("events")) == 18


def test_a_missing_table_is_said_of_each(new_house: NewHouse) -> None:
    """The operator's errors are outcomes too: post_many returns, whatever happened."""
    house = new_house()
    nowhere = Ledger(house.new_runtime(events_table="no-such-table"))
    outcomes = nowhere.post_many(many(2))
    assert kinds(outcomes) == ["Misconfigured"] * 2


def test_an_old_id_is_looked_up_in_bulk_too(warm: House) -> None:
    """What stands is a replay, a historical one is written, another is refused."""
    standing = warm.ledger.post(of(1, id=warm.ledger.new_id()))
    warm.clock.advance(2 * 86_400)
    outcomes = warm.ledger.post_many(
        [
            of(1, id=standing.id),
            of(2, id=id_at(-86_400), historical=True),
            of(3, id=id_at(-86_401)),
            of(4, id=standing.id),
        ]
    )
    assert kinds(outcomes) == ["replayed", "posted", "InvalidRequest", "IdempotencyConflict"]


def test_a_conflict_changes_nothing_in_bulk(warm: House) -> None:
    """Only conflicts and replays: the tables are as before."""
    keys = [of(number, idempotency_key=f"k-{number}") for number in range(1, 5)]
    warm.ledger.post_many(keys)
    before = written(warm)
    others = [of(number + 100, idempotency_key=f"k-{number}") for number in range(1, 3)]
    assert kinds(warm.ledger.post_many([*others, *keys[2:]])) == [
        "IdempotencyConflict",
        "IdempotencyConflict",
        "replayed",
        "replayed",
    ]
    assert written(warm) == before
