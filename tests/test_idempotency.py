"""An idempotency key moves the money once: it stands or falls with the entries, and decides before the id."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import (
    IdempotencyConflict,
    InvalidRequest,
    Ledger,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Receipt,
)
from ledger.errors import LedgerError
from ledger.items import EXPIRES_AT
from ledger.write import post, requests
from tests.conftest import NewHouse
from tests.support.faults import Fault, Killed
from tests.support.house import START, House
from tests.support.samples import assert_whole, deposit, id_at, operations, written

TTL = 3600


def put(house: House, key: str | None = "k", **fields: Any) -> Receipt:
    """A deposit of 12.50 euros under a key."""
    given: dict[str, Any] = {"entries": deposit(), "type": "deposit"} | fields
    return house.ledger.post(**given, idempotency_key=key)


@pytest.fixture
def expiring(new_house: NewHouse) -> House:
    """A house whose keys live for an hour."""
    return new_house(idempotency_ttl_seconds=TTL)


def test_the_same_key_and_request_give_the_first_result_again(house: House) -> None:
    """Whatever the process, the id is the first's, and the money has moved once."""
    first = put(house)
    before = written(house)
    again = put(house)
    elsewhere = Ledger(house.new_runtime()).post(deposit(), type="deposit", idempotency_key="k")
    for receipt in (again, elsewhere):
        assert (receipt.id, receipt.entries) == (first.id, first.entries)
        assert (receipt.replayed, receipt.idempotency_key) == (True, "k")
        assert receipt.recorded_at == first.recorded_at
    assert written(house) == before


def test_fault_02_the_same_key_and_another_request_conflict(house: House) -> None:
    """The fields that differ, the id that stands and the key are in the error; nothing changes."""
    first = put(house)
    before = written(house)
    with pytest.raises(IdempotencyConflict, match="idempotency key stands") as conflict:
        put(house, entries=deposit(9900), description="other")
    assert conflict.value.fields == (
        "description",
        "entries[0].amount_minor",
        "entries[1].amount_minor",
    )
    assert (conflict.value.id, conflict.value.idempotency_key) == (first.id, "k")
    assert written(house) == before


def test_a_key_is_any_text(house: House) -> None:
    """Separators, spaces and all of Unicode: whatever an HTTP header or a queue's message id has."""
    keys = ["#", "~", "KEY#k", "a b\n", "Bestellung №42 ✓", "k" * 1024, "null", "01M3250V00"]
    first = {key: put(house, key) for key in keys}
    assert len({receipt.id for receipt in first.values()}) == len(keys)
    for key, receipt in first.items():
        assert put(house, key).id == receipt.id
        assert house.ledger.transaction_by_key(key).id == receipt.id


def test_keys_are_case_sensitive_and_never_folded(house: House) -> None:
    """Two texts that look alike are two keys."""
    ids = {put(house, key).id for key in ("key", "KEY", "é", "e\u0301")}
    assert len(ids) == 4


def test_two_requests_without_a_key_are_two(house: House) -> None:
    """Without a key and an id every call is a transaction of its own."""
    assert put(house, None).id != put(house, None).id


def test_a_key_and_a_new_id_go_together(house: House) -> None:
    """The first call may bring both: the transaction has that id and that key."""
    id = house.ledger.new_id()
    assert put(house, id=id).id == id
    assert house.ledger.transaction(id).idempotency_key == "k"
    assert put(house).id == put(house, id=id).id == id


def test_fault_13_the_key_decides_before_the_id(house: House) -> None:
    """The same key and request give the first result, whatever id the call brings."""
    first = put(house)
    other = house.ledger.new_id()
    standing = house.ledger.post(deposit(1), type="deposit", id=house.ledger.new_id())
    for id in (other, standing.id):
        receipt = put(house, id=id)
        assert (receipt.id, receipt.replayed) == (first.id, True)
    with pytest.raises(NotFound):
        house.ledger.transaction(other)
    with pytest.raises(IdempotencyConflict) as conflict:
        put(house, id=standing.id, entries=deposit(1))
    assert conflict.value.id == first.id, "the key's transaction, not the id's"


def test_fault_13_an_id_that_stands_under_another_key_or_none_conflicts(house: House) -> None:
    """A new key cannot take over a transaction that was posted without it."""
    bare = put(house, None, id=house.ledger.new_id())
    keyed = put(house, "k-1", id=house.ledger.new_id())
    before = written(house)
    for standing in (bare, keyed):
        with pytest.raises(IdempotencyConflict, match="idempotency_key differ") as conflict:
            put(house, "k-2", id=standing.id)
        assert conflict.value.fields == ("idempotency_key",)
        assert (conflict.value.id, conflict.value.idempotency_key) == (standing.id, "k-2")
    assert written(house) == before


def test_an_id_without_its_key_is_a_replay(house: House) -> None:
    """Who retries by the id alone has the first result, and its key with it."""
    first = put(house)
    again = put(house, None, id=first.id)
    assert (again.id, again.replayed, again.idempotency_key) == (first.id, True, "k")


# Keys that expire


def test_a_key_lives_for_ever_unless_the_settings_give_it_a_time(house: House) -> None:
    """No expiry is written, so that TTL removes nothing, and years later it is a replay."""
    first = put(house)
    assert EXPIRES_AT not in house.items("idempotency")[0]
    house.clock.advance(10**9)
    assert put(house).id == first.id


@pytest.mark.parametrize(("after", "gone"), [(TTL - 1, False), (TTL, True), (10**6, True)])
def test_fault_13_an_expired_key_that_ttl_has_not_removed_counts_as_gone(
    expiring: House, after: int, gone: bool
) -> None:
    """By DynamoDB's clock, to the second: TTL removes within days, the promise is of an hour."""
    first = put(expiring)
    assert expiring.items("idempotency")[0][EXPIRES_AT] == {"N": str(int(START) + TTL)}
    expiring.clock.advance(after)
    if gone:
        with pytest.raises(NotFound) as error:
            expiring.ledger.transaction_by_key("k")
        assert error.value.idempotency_key == "k"
    else:
        assert expiring.ledger.transaction_by_key("k").id == first.id
    second = put(expiring)
    assert (second.id != first.id, second.replayed) == (gone, not gone)
    assert expiring.ledger.transaction_by_key("k").id == second.id
    assert_whole(expiring, [first, second] if gone else [first])
    assert len(expiring.items("idempotency")) == 1


def test_fault_13_an_expired_key_may_stand_for_another_request(expiring: House) -> None:
    """Gone is gone: the key can be used again for anything, and lives anew."""
    put(expiring)
    expiring.clock.advance(TTL)
    other = put(expiring, entries=deposit(1))
    expiring.clock.advance(TTL - 1)
    assert put(expiring, entries=deposit(1)).id == other.id


@pytest.mark.parametrize("removed", [False, True], ids=["not yet removed", "removed by TTL"])
@pytest.mark.parametrize("after", [TTL, 2 * 86_400], ids=["within a day", "after two days"])
def test_fault_13_a_header_that_names_the_key_stands_after_the_key_expired(
    expiring: House, removed: bool, after: int
) -> None:
    """The same id, key and request are a replay; another request is a conflict; nothing is written."""
    first = put(expiring, id=expiring.ledger.new_id())
    expiring.clock.advance(after)
    if removed:
        key = {"PK": {"S": "KEY#k"}}
        expiring.faults.delete_item(TableName=expiring.settings.idempotency_table, Key=key)
    before = written(expiring)
    again = put(expiring, id=first.id)
    assert (again.id, again.replayed) == (first.id, True)
    with pytest.raises(IdempotencyConflict) as conflict:
        put(expiring, id=first.id, type="refund")
    assert conflict.value.fields == ("type",)
    with pytest.raises(IdempotencyConflict) as conflict:
        put(expiring, "another", id=first.id)
    assert conflict.value.fields == ("idempotency_key",)
    assert written(expiring) == before


def test_fault_13_after_its_expiry_the_key_names_the_newer_transaction(expiring: House) -> None:
    """The key was used again: it decides first, so the old id with it gives the newer result."""
    first = put(expiring, id=expiring.ledger.new_id())
    expiring.clock.advance(TTL)
    second = put(expiring)
    assert put(expiring, id=first.id).id == second.id
    assert put(expiring, None, id=first.id).id == first.id


def test_an_old_id_with_a_key_that_stands_is_a_replay(house: House) -> None:
    """The key decides first here too; an old id of no transaction under a new key is refused."""
    first = put(house)
    old = id_at(-3 * 86_400)
    assert put(house, id=old).id == first.id
    with pytest.raises(InvalidRequest, match="at most a day old") as error:
        put(house, "k-2", id=old)
    assert (error.value.id, error.value.idempotency_key) == (old, "k-2")
    with pytest.raises(IdempotencyConflict):
        put(house, id=old, type="refund")


def test_a_new_setting_does_not_shorten_the_life_of_old_keys(house: House) -> None:
    """A key that was written for ever stays for ever, whatever the settings say later."""
    first = put(house)
    later = Ledger(house.new_runtime(idempotency_ttl_seconds=TTL))
    house.clock.advance(10 * TTL)
    assert later.post(deposit(), type="deposit", idempotency_key="k").id == first.id


# The key and the money are one


@pytest.mark.parametrize("fault", ["killed before", "killed after", "reply lost", "time-out"])
def test_fault_04_at_no_moment_is_the_key_claimed_and_the_money_not_moved(
    new_house: NewHouse, fault: Fault
) -> None:
    """Whenever the process dies: a retry by the key alone makes exactly one transaction."""
    house = new_house(attempts=1)
    house.faults.once("transact_write_items", fault)
    with pytest.raises((Killed, OutcomeUnknown)):
        put(house)
    landed = house.items("events")
    assert (
        bool(landed)
        == bool(house.items("idempotency"))
        == (fault in ("killed after", "reply lost"))
    )
    receipt = Ledger(house.new_runtime()).post(deposit(), type="deposit", idempotency_key="k")
    assert receipt.replayed == bool(landed)
    assert_whole(house, [receipt])


def test_fault_01_a_lost_reply_is_retried_in_place(house: House) -> None:
    """One call, one result, one transaction, though its first reply never came."""
    house.faults.once("transact_write_items", "reply lost")
    receipt = put(house)
    assert operations(house).count("transact_write_items") == 2
    assert_whole(house, [receipt])
    assert house.ledger.transaction_by_key("k").id == receipt.id


def test_two_processes_with_one_key_make_one_transaction(house: House) -> None:
    """The other's call lands between the look and the write: both hear of the same transaction."""
    other = Ledger(house.new_runtime())
    theirs: list[Receipt] = []
    house.faults.before(
        "transact_write_items",
        lambda: theirs.append(other.post(deposit(), type="deposit", idempotency_key="k")),
    )
    ours = put(house)
    assert (ours.id, ours.replayed) == (theirs[0].id, True)
    assert_whole(house, [ours])


@pytest.mark.parametrize("fault", ["throttled", "conflict", "time-out"])
def test_fault_03_a_key_that_stands_and_cannot_be_read_is_unknown(
    house: House, fault: Fault
) -> None:
    """The key's condition failed, so something stands; until its header is read nobody knows what."""
    first = put(house)
    house.faults.always("get_item", fault)
    with pytest.raises(OutcomeUnknown, match="the key stands") as unknown:
        put(house, id=house.ledger.new_id())
    assert unknown.value.idempotency_key == "k"
    assert unknown.value.id is not None
    house.faults.heal()
    assert put(house, id=unknown.value.id).id == first.id


def test_a_key_without_its_transaction_calls_the_operator(house: House) -> None:
    """Somebody removed the header behind the ledger's back: neither replay nor new transaction."""
    first = put(house)
    key = {"PK": {"S": f"TRANSACTION#{first.id}"}, "SK": {"S": "TRANSACTION"}}
    house.faults.delete_item(TableName=house.settings.events_table, Key=key)
    with pytest.raises(Misconfigured, match="folio reconcile") as error:
        put(house)
    assert (error.value.id, error.value.idempotency_key) == (first.id, "k")


def test_transaction_by_key_without_one_is_not_found(house: House) -> None:
    """The key is in the error's field, not in its message."""
    with pytest.raises(NotFound) as error:
        house.ledger.transaction_by_key("secret-key")
    assert error.value.idempotency_key == "secret-key"
    assert "secret-key" not in str(error.value)


# The guards


def test_fault_13_without_its_condition_a_key_moves_the_money_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: two transactions under one key."""
    monkeypatch.setattr(requests, "NEW_OR_EXPIRED", "attribute_not_exists(absent) OR :now > :now")
    receipts = [put(house), put(house)]
    assert receipts[0].id != receipts[1].id
    assert_whole(house, receipts)


def test_fault_13_without_the_expiry_an_expired_key_stands(
    expiring: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: until TTL comes round, a key outlives its promise."""
    monkeypatch.setattr(requests, "NEW_OR_EXPIRED", "attribute_not_exists(PK) OR :now > :now")
    first = put(expiring)
    expiring.clock.advance(TTL)
    assert put(expiring).id == first.id


def test_fault_13_without_the_order_the_id_decides(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: with the header looked at first, the key's first result is not found."""
    first = put(house)
    standing = house.ledger.post(deposit(1), type="deposit", id=house.ledger.new_id())
    real = post.earlier
    monkeypatch.setattr(
        post,
        "earlier",
        lambda rt, header, failed: real(rt, header, [f for f in failed if f[0].kind != "key"]),
    )
    with pytest.raises(LedgerError) as conflict:
        put(house, id=standing.id)
    assert conflict.value.id != first.id
