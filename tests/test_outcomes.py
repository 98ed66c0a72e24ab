"""A write that may have happened is never called failed, and one that is called unwritten never happened."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ledger import (
    Contended,
    Ledger,
    LedgerError,
    Misconfigured,
    OutcomeUnknown,
    Receipt,
    Transaction,
    Unavailable,
    credit,
    store,
)
from tests.conftest import NewHouse
from tests.support.faults import EVERY_FAULT, Fault, Killed
from tests.support.house import House
from tests.support.samples import deposit, eur, operations, written

Write = Callable[[Ledger, str | None], Receipt]


def append(ledger: Ledger, id: str | None) -> Receipt:
    """One entry by itself."""
    return ledger.append(credit("user:42", eur(1250)), type="deposit", id=id)


def post(ledger: Ledger, id: str | None) -> Receipt:
    """A transaction with a key."""
    return ledger.post(deposit(), type="deposit", id=id, idempotency_key="k")


WRITES = [
    pytest.param(append, "put_item", id="append"),
    pytest.param(post, "transact_write_items", id="post"),
]


def silent(number: int, operation: str, parameters: dict[str, Any]) -> Fault:
    """A plan: every condition fails, and the engine does not say what stands there."""
    response: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}
    if operation == "transact_write_items":
        response["Error"]["Code"] = "TransactionCanceledException"
        reasons = [{"Code": "ConditionalCheckFailed"} for _ in parameters["TransactItems"]]
        response["CancellationReasons"] = reasons
    if operation in ("put_item", "transact_write_items"):
        raise ClientError(response, operation)
    return "none"


@pytest.mark.parametrize("accounts", [True, False], ids=["known accounts", "new accounts"])
def test_an_engine_that_does_not_say_what_stands_there_calls_the_operator(
    new_house: NewHouse, accounts: bool
) -> None:
    """Without the item nothing can be judged: no replay, no conflict, and no endless loop."""
    house = known(new_house) if accounts else new_house()
    house.faults.plan = silent
    writes: list[Callable[[], object]] = [
        lambda: append(house.ledger, None),
        lambda: post(house.ledger, None),
        lambda: house.ledger.open_account("another"),
    ]
    for write in writes:
        with pytest.raises(Misconfigured, match="the engine misbehaves"):
            write()
    (outcome,) = house.ledger.post_many([Transaction(entries=deposit(), type="t")])
    assert isinstance(outcome, Misconfigured)


def known(new_house: NewHouse, **settings: Any) -> House:
    """A house whose accounts are known."""
    house = new_house(**settings)
    for account in ("user:42", "world:card"):
        house.ledger.open_account(account)
    house.faults.heal()
    return house


@pytest.mark.parametrize("fault", ["reply lost", "time-out", "reset", "server error"])
@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_fault_03_when_every_attempt_is_lost_the_outcome_is_unknown(
    new_house: NewHouse, write: Write, operation: str, fault: Fault
) -> None:
    """The error carries id and key, and a retry with them ends it: one result, whatever had landed."""
    house = known(new_house, attempts=1)
    house.faults.always(operation, fault)
    with pytest.raises(OutcomeUnknown, match="may or may not") as unknown:
        write(house.ledger, None)
    assert unknown.value.retryable
    assert unknown.value.idempotency_key == ("k" if write is post else None)
    assert unknown.value.id
    house.faults.heal()
    landed = bool(house.items("events"))
    assert landed == (fault == "reply lost")
    receipt = write(Ledger(house.new_runtime()), unknown.value.id)
    assert (receipt.id, receipt.replayed) == (unknown.value.id, landed)
    assert house.ledger.balance("user:42", "EUR").posted == eur(1250)


@pytest.mark.parametrize("then", ["throttled", "conflict"])
@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_fault_03_lost_and_then_throttled_is_unknown(
    new_house: NewHouse, write: Write, operation: str, then: Fault
) -> None:
    """The first attempt may still have landed, however clear the later answers are."""
    house = known(new_house, attempts=3)
    house.faults.script(operation, "time-out", then, then)
    with pytest.raises(OutcomeUnknown):
        write(house.ledger, None)


@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_fault_09_throttled_to_the_end_nothing_was_written(
    new_house: NewHouse, write: Write, operation: str
) -> None:
    """Unavailable, retryable, with the id; the tables are as before; later it goes through."""
    house = known(new_house, attempts=4)
    before = written(house)
    house.faults.heal()
    house.faults.always(operation, "throttled")
    with pytest.raises(Unavailable, match=f"{operation} failed 4 times") as error:
        write(house.ledger, None)
    assert operations(house) == [operation] * 4
    assert error.value.retryable
    house.faults.heal()
    assert written(house) == before
    assert not write(house.ledger, error.value.id).replayed


@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_fault_07_a_conflict_is_retried_in_place_and_then_a_clear_error(
    new_house: NewHouse, write: Write, operation: str
) -> None:
    """Others change the same items: a few tries in one call, then Contended, nothing written."""
    house = known(new_house, attempts=3)
    before = written(house)
    house.faults.heal()
    house.faults.always(operation, "conflict")
    id = house.ledger.new_id()
    with pytest.raises(Contended, match="nothing was written") as error:
        write(house.ledger, id)
    assert (error.value.id, error.value.retryable) == (id, True)
    assert operations(house) == [operation] * 3
    house.faults.heal()
    assert written(house) == before
    house.faults.script(operation, "conflict", "conflict")
    assert not write(house.ledger, id).replayed


@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_fault_09_no_name_and_no_connection_write_nothing(
    new_house: NewHouse, write: Write, operation: str
) -> None:
    """A DNS failure or a refused connection: the request was never sent, and that is what is said."""
    house = known(new_house, attempts=3)

    def unreachable(number: int, name: str, parameters: dict[str, Any]) -> Fault:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.nowhere")

    house.faults.plan = unreachable
    with pytest.raises(Unavailable, match="nothing was written"):
        write(house.ledger, None)
    house.faults.heal()
    assert house.items("events") == []
    assert not write(house.ledger, None).replayed


@pytest.mark.parametrize("fault", ["throttled", "time-out", "server error"])
@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_fault_09_what_fails_before_the_write_wrote_nothing(
    new_house: NewHouse, write: Write, operation: str, fault: Fault
) -> None:
    """The look at the accounts got no answer: Unavailable, not unknown, for nothing was sent."""
    house = new_house(attempts=2)
    house.faults.heal()
    house.faults.always("batch_get_item", fault)
    with pytest.raises(Unavailable):
        write(house.ledger, None)
    assert operations(house) == ["batch_get_item"] * 2
    house.faults.heal()
    assert written(house) == []


@pytest.mark.parametrize("fault", ["throttled", "time-out", "server error", "reset"])
def test_fault_09_reads_are_tried_again_and_never_unknown(house: House, fault: Fault) -> None:
    """One failure is not heard of; failing for ever is Unavailable."""
    receipt = post(house.ledger, None)
    reads: list[tuple[str, Callable[[], object]]] = [
        ("get_item", lambda: house.ledger.transaction(receipt.id)),
        ("get_item", lambda: house.ledger.transaction_by_key("k")),
        ("get_item", lambda: house.ledger.balance("user:42", "EUR")),
        ("query", lambda: house.ledger.entries("user:42", currency="EUR")),
        ("query", house.ledger.accounts),
        (
            "batch_get_item",
            lambda: house.ledger.entry("user:42", f"{receipt.id}#01", currency="EUR"),
        ),
    ]
    for operation, read in reads:
        house.faults.heal()
        expected = read()
        house.faults.once(operation, fault)
        assert read() == expected
        house.faults.always(operation, fault)
        with pytest.raises(Unavailable):
            read()


SUFFERED: list[Fault] = ["none", "none", *EVERY_FAULT]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_fails_a_retry_with_the_id_ends_in_exactly_one_transaction(
    new_house: NewHouse, seed: int
) -> None:
    """Any faults at any calls, each write retried until its outcome is known: the books are right."""
    house = new_house(attempts=2, seed=seed)
    chance = random.Random(seed)
    receipts = [until_known(house, chance, _a_write(house, chance)) for _ in range(10)]
    assert log_of(house) == {(e.account, e.id) for receipt in receipts for e in receipt.entries}
    house.posted(receipts)
    house.settle()
    house.assert_view_is_right()


def until_known(house: House, chance: random.Random, write: Write) -> Receipt:
    """Retry under faults until there is a receipt; what was called unwritten must not be there."""
    id, ledger, unsure = house.ledger.new_id(), house.ledger, False
    while True:
        house.faults.plan = lambda *_: chance.choice(SUFFERED)
        try:
            return write(ledger, id)
        except OutcomeUnknown:
            unsure = True
        except (Unavailable, Contended):
            house.faults.heal()
            assert unsure or not any(id in entry for _, entry in log_of(house))
        except Killed:
            ledger, unsure = Ledger(house.new_runtime()), True
        finally:
            house.faults.heal()


def _a_write(house: House, chance: random.Random) -> Write:
    """An append, a post or a post_many of one, with an account and amount by chance."""
    account, amount = f"user:{chance.randint(1, 3)}", chance.randint(1, 1000)

    def many(ledger: Ledger, id: str | None) -> Receipt:
        wanted = Transaction(
            entries=deposit(amount, account), type="deposit", id=id, idempotency_key=id
        )
        (outcome,) = ledger.post_many([wanted])
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    return chance.choice(
        [
            lambda ledger, id: ledger.append(credit(account, eur(amount)), type="deposit", id=id),
            lambda ledger, id: ledger.post(deposit(amount, account), type="deposit", id=id),
            many,
        ]
    )


def log_of(house: House) -> set[tuple[str, str]]:
    """Every entry of the log: its account and id."""
    entries = [item for item in house.items("events") if item["SK"]["S"] != "TRANSACTION"]
    return {(i["PK"]["S"][8:], i["SK"]["S"].split("#", 2)[2]) for i in entries}


def test_fault_03_without_the_memory_of_lost_replies_a_landed_write_is_called_unwritten(
    new_house: NewHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: "nothing was written", and there it stands."""
    house = known(new_house, attempts=1)
    monkeypatch.setattr(store, "READS", store.READS | {"put_item"})
    house.faults.once("put_item", "reply lost")
    with pytest.raises(Unavailable, match="nothing was written"):
        append(house.ledger, None)
    assert len(house.items("events")) == 1


def test_fault_04_without_its_id_a_retry_is_a_second_transaction(new_house: NewHouse) -> None:
    """Why the id must be kept: who retries without it, and without a key, pays twice."""
    house = known(new_house, attempts=1)
    house.faults.once("put_item", "reply lost")
    with pytest.raises(OutcomeUnknown):
        append(house.ledger, None)
    append(house.ledger, None)
    assert house.ledger.balance("user:42", "EUR").posted == eur(2 * 1250)
