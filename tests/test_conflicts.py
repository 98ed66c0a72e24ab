"""The same id with another request is a conflict that names what differs, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ledger import (
    IdempotencyConflict,
    Money,
    credit,
    debit,
)
from tests.conftest import NewHouse
from tests.support.house import House
from tests.support.samples import deposit, unconditional, written

AT = datetime(2026, 9, 1, 14, tzinfo=timezone(timedelta(hours=2)))


def a_request(**change: Any) -> dict[str, Any]:
    """What is posted first, with a change."""
    return {
        "entries": deposit(),
        "type": "deposit",
        "description": "by card",
        "metadata": {"a": 1},
        "effective_at": AT,
    } | change


DIFFERENT = [
    pytest.param({"type": "refund"}, ("type",), id="type"),
    pytest.param({"description": None}, ("description",), id="description"),
    pytest.param({"metadata": {"a": 2}}, ("metadata",), id="metadata"),
    pytest.param({"metadata": {"a": True}}, ("metadata",), id="metadata of another type"),
    pytest.param({"effective_at": AT.astimezone(UTC) + timedelta(seconds=1)}, ("effective_at",), id="time"),
    pytest.param({"entries": deposit(1251)}, ("entries[0].amount_minor", "entries[1].amount_minor"), id="amount"),
    pytest.param({"entries": deposit(account="user:43")}, ("entries[1].account",), id="account"),
    pytest.param(
        {"entries": deposit()[::-1]},
        (
            "entries[0].account",
            "entries[0].direction",
            "entries[1].account",
            "entries[1].direction",
        ),
        id="order",
    ),
    pytest.param({"entries": deposit() * 2}, ("entries",), id="more entries"),
    pytest.param(
        {"entries": [debit("world:card", Money(1250, "USD")), credit("user:42", Money(1250, "USD"))]},
        ("entries[0].currency", "entries[1].currency"),
        id="currency",
    ),
    pytest.param({"type": "refund", "metadata": None}, ("type", "metadata"), id="two fields"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fields"), DIFFERENT)
def test_fault_02_another_request_under_an_id_is_a_conflict_that_names_the_fields(
    house: House, change: dict[str, Any], fields: tuple[str, ...]
) -> None:
    """Each differing field is named, entries by their place, and not one table has changed."""
    id = house.ledger.new_id()
    house.ledger.post(**a_request(), id=id)
    before = written(house)
    with pytest.raises(IdempotencyConflict) as conflict:
        house.ledger.post(**a_request(**change), id=id)
    assert conflict.value.fields == fields
    assert (conflict.value.id, conflict.value.idempotency_key) == (id, None)
    assert not conflict.value.retryable
    assert "by card" not in str(conflict.value)
    assert written(house) == before


def test_fault_02_a_conflict_never_reaches_the_view(house: House) -> None:
    """What was cancelled is in no stream: the balances stay as they were."""
    first = house.ledger.post(deposit(), type="deposit", id=house.ledger.new_id())
    with pytest.raises(IdempotencyConflict):
        house.ledger.post(deposit(account="user:43"), type="deposit", id=first.id)
    house.posted([first])
    house.settle()
    house.assert_view_is_right()
    assert house.image("user:43").sums.entries == 0


def test_the_same_moment_in_another_zone_is_no_conflict(house: House) -> None:
    """A retry may say the same time in UTC."""
    id = house.ledger.new_id()
    house.ledger.post(**a_request(), id=id)
    assert house.ledger.post(**a_request(effective_at=AT.astimezone(UTC)), id=id).replayed


def test_fault_02_without_the_condition_another_request_overwrites_the_header(
    new_house: NewHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: the second request succeeds, and the header no longer tells the first."""
    house = new_house()
    unconditional(monkeypatch)
    id = house.ledger.new_id()
    first = house.ledger.post(deposit(), type="deposit", id=id)
    assert not house.ledger.post(deposit(account="user:43"), type="deposit", id=id).replayed
    assert house.ledger.transaction(id).entries != first.entries
    assert len(house.items("events")) == 4, "an entry without its header"
