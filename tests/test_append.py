"""append: one entry by itself in one conditional put, idempotent on its own id."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ledger import (
    IdempotencyConflict,
    Ledger,
    Money,
    NotFound,
    build,
    credit,
    debit,
    fingerprint,
)
from tests.support.faults import Fault, Killed
from tests.support.house import House
from tests.support.samples import deposit, eur, operations, unconditional, written

AT = datetime(2026, 9, 1, 12, tzinfo=UTC)
USER = credit("user:42", eur(1250))


def test_an_append_is_one_entry_with_all_that_was_given(house: House) -> None:
    """The receipt and the log have the caller's account, amount, texts and times, marked single."""
    receipt = house.ledger.append(USER, type="deposit", description="by card", effective_at=AT)
    (entry,) = receipt.entries
    assert entry.id == f"{receipt.id}#00"
    assert (entry.account, entry.money, entry.direction) == ("user:42", eur(1250), "credit")
    assert (entry.type, entry.description, entry.effective_at) == ("deposit", "by card", AT)
    assert (entry.single, entry.counterparties, entry.pending_minor) == (True, (), 0)
    assert (entry.origin, entry.version) == ("eu-west-1", 1)
    assert (receipt.replayed, receipt.idempotency_key) == (False, None)
    assert receipt.recorded_at == entry.recorded_at == house.clock.moment().replace(microsecond=0)
    assert house.ledger.entry("user:42", entry.id) == entry


def test_an_append_has_no_header(house: House) -> None:
    """`entry` finds it and `transaction` does not."""
    receipt = house.ledger.append(debit("user:42", eur(1)), type="fee")
    with pytest.raises(NotFound, match=r"ledger\.entry") as error:
        house.ledger.transaction(receipt.id)
    assert error.value.id == receipt.id
    assert len(house.items("events")) == 1


def test_an_append_on_a_known_account_is_one_request(house: House) -> None:
    """The first writes the account's record with it; from then on it is one put, no read."""
    house.faults.heal()
    house.ledger.append(USER, type="deposit")
    assert operations(house) == ["batch_get_item", "transact_write_items"]
    house.faults.heal()
    house.ledger.append(USER, type="deposit")
    house.ledger.append(USER, type="deposit", id=house.ledger.new_id())
    assert operations(house) == ["put_item", "put_item"]
    assert house.ledger.balance("user:42", "EUR").posted == eur(3 * 1250)


def test_the_same_append_again_is_a_replay(house: House) -> None:
    """The same id and content: the first receipt again, marked, and nothing more in the log."""
    id = house.ledger.new_id()
    first = house.ledger.append(USER, type="deposit", id=id, effective_at=AT)
    before = written(house)
    again = house.ledger.append(USER, type="deposit", id=id, effective_at=AT)
    assert (again.replayed, again.id, again.entries) == (True, first.id, first.entries)
    other_process = Ledger(house.new_runtime(region="us-east-1"))
    elsewhere = other_process.append(USER, type="deposit", id=id, effective_at=AT)
    assert (elsewhere.replayed, elsewhere.entries) == (True, first.entries)
    assert written(house) == before


FIELDS = [
    ({"type": "refund"}, ("type",)),
    ({"description": "other"}, ("description",)),
    ({"effective_at": AT}, ("effective_at",)),
    ({"type": "refund", "description": "x"}, ("type", "description")),
]


@pytest.mark.parametrize(("change", "fields"), FIELDS, ids=str)
def test_fault_02_another_append_under_an_id_is_a_conflict(
    house: House, change: dict[str, object], fields: tuple[str, ...]
) -> None:
    """The error names what differs and carries the id; nothing changes."""
    id = house.ledger.new_id()
    house.ledger.append(USER, type="deposit", id=id)
    before = written(house)
    with pytest.raises(IdempotencyConflict) as conflict:
        house.ledger.append(USER, **({"type": "deposit", "id": id} | change))  # type: ignore[arg-type]
    assert conflict.value.fields == fields
    assert (conflict.value.id, conflict.value.retryable) == (id, False)
    assert written(house) == before


@pytest.mark.parametrize(
    ("leg", "fields"),
    [
        (debit("user:42", eur(1250)), ("direction",)),
        (credit("user:42", eur(1251)), ("amount_minor",)),
        (debit("user:42", eur(1)), ("direction", "amount_minor")),
    ],
    ids=["direction", "amount", "both"],
)
def test_fault_02_another_leg_under_an_id_is_a_conflict(
    house: House, leg: object, fields: tuple[str, ...]
) -> None:
    """Direction and amount are named as fields."""
    id = house.ledger.new_id()
    house.ledger.append(USER, type="deposit", id=id)
    with pytest.raises(IdempotencyConflict) as conflict:
        house.ledger.append(leg, type="deposit", id=id)  # type: ignore[arg-type]
    assert conflict.value.fields == fields


def test_fault_02_an_appends_id_is_of_its_account_and_currency(house: House) -> None:
    """The same id on another account or in another currency is another entry."""
    id = house.ledger.new_id()
    legs = [USER, credit("user:43", eur(5)), credit("user:42", Money(7, "USD"))]
    for leg in legs:
        assert not house.ledger.append(leg, type="deposit", id=id).replayed
    assert house.ledger.balance("user:42", "EUR").posted == eur(1250)
    assert house.ledger.balance("user:42", "USD").posted == Money(7, "USD")
    assert house.ledger.balance("user:43", "EUR").posted == eur(5)


def test_fault_02_an_append_under_a_transactions_id_is_a_conflict(house: House) -> None:
    """What stands there is an entry of several, however alike: `single` and counterparties differ."""
    receipt = house.ledger.post([USER, debit("world:card", eur(1250))], type="deposit")
    with pytest.raises(IdempotencyConflict) as conflict:
        house.ledger.append(USER, type="deposit", id=receipt.id)
    assert conflict.value.fields == ("single", "counterparties")


def test_fault_02_a_transaction_under_an_appends_id_is_a_conflict(house: House) -> None:
    """And the other way round: neither header nor any entry of it is written."""
    receipt = house.ledger.append(credit("world:card", eur(1250)), type="deposit")
    before = written(house)
    with pytest.raises(IdempotencyConflict, match="appended by itself") as conflict:
        house.ledger.post(deposit(), type="deposit", id=receipt.id, idempotency_key="k")
    assert (conflict.value.id, conflict.value.idempotency_key) == (receipt.id, "k")
    assert conflict.value.fields == ("entries",)
    assert written(house) == before


LOST: list[Fault] = ["reply lost", "time-out", "reset", "server error", "throttled", "conflict"]


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("known", [True, False], ids=["known account", "new account"])
def test_fault_01_whatever_happens_to_the_first_attempt_there_is_one_entry(
    house: House, fault: Fault, known: bool
) -> None:
    """A lost reply, a time-out, a throttle: tried again in place, one entry, one receipt."""
    if known:
        house.ledger.open_account("user:42")
    house.faults.once("put_item" if known else "transact_write_items", fault)
    receipt = house.ledger.append(USER, type="deposit")
    assert [e["SK"]["S"] for e in house.items("events")] == [f"EVENT#EUR#{receipt.id}#00"]
    if known:
        assert receipt.replayed == (fault == "reply lost")
    assert house.ledger.balance("user:42", "EUR").posted == eur(1250)


@pytest.mark.parametrize("fault", ["killed before", "killed after"])
@pytest.mark.parametrize("known", [True, False], ids=["known account", "new account"])
def test_fault_04_a_restart_with_the_same_id_makes_no_second_entry(
    house: House, fault: Fault, known: bool
) -> None:
    """The process dies before or after its put, and another does the same again."""
    if known:
        house.ledger.open_account("user:42")
    id = house.ledger.new_id()
    house.faults.once("put_item" if known else "transact_write_items", fault)
    with pytest.raises(Killed):
        house.ledger.append(USER, type="deposit", id=id)
    receipt = Ledger(house.new_runtime()).append(USER, type="deposit", id=id)
    assert receipt.replayed == (fault == "killed after")
    assert len(house.items("events")) == len(house.items("accounts")) == 1


def test_another_process_opens_the_account_first(house: House) -> None:
    """The account was new at the look and is not at the write: the entry goes in by itself."""
    other = Ledger(house.new_runtime())
    house.faults.before("transact_write_items", lambda: other.append(USER, type="deposit"))
    receipt = house.ledger.append(USER, type="deposit")
    assert not receipt.replayed
    assert house.ledger.balance("user:42", "EUR").entry_count == 2
    assert len(house.items("accounts")) == 1


def test_another_process_appends_the_same_first(house: House) -> None:
    """Both the account and the entry stand when this one writes: a replay."""
    id = house.ledger.new_id()
    other = Ledger(house.new_runtime())
    house.faults.before("transact_write_items", lambda: other.append(USER, type="deposit", id=id))
    assert house.ledger.append(USER, type="deposit", id=id).replayed
    assert house.ledger.balance("user:42", "EUR").entry_count == 1


def test_an_entry_written_under_another_version_is_still_a_replay(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade a retry is compared under the version that stands, not under today's."""
    id = house.ledger.new_id()
    house.ledger.append(USER, type="deposit", id=id)
    newer = {**fingerprint.ENTRY_FORMS, 2: lambda entry: ["entry/2", entry.account]}
    monkeypatch.setattr(fingerprint, "ENTRY_FORMS", newer)
    original = build.single
    monkeypatch.setattr(
        build, "single", lambda *a, **k: build._signed(replace(original(*a, **k), version=2))
    )
    assert house.ledger.append(USER, type="deposit", id=id).replayed


def test_fault_02_without_the_condition_another_append_overwrites_the_log(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: the second append succeeds, and the first entry is gone."""
    unconditional(monkeypatch)
    id = house.ledger.new_id()
    house.ledger.append(USER, type="deposit", id=id)
    assert not house.ledger.append(credit("user:42", eur(1)), type="deposit", id=id).replayed
    assert house.ledger.balance("user:42", "EUR").posted == eur(1)


def test_fault_02_without_the_fingerprint_another_append_passes_for_a_replay(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: the caller hears success of an amount that was never written."""
    id = house.ledger.new_id()
    house.ledger.append(USER, type="deposit", id=id)
    standing = house.ledger.entry("user:42", f"{id}#00")
    monkeypatch.setattr(fingerprint, "of_entry", lambda _: standing.fingerprint)
    assert house.ledger.append(credit("user:42", eur(1)), type="deposit", id=id).replayed
