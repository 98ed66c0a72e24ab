"""A refusal is a result: what stands as REFUSED is heard again by whoever asks or tries again.

Refusals are written from limits on; here the test writes them as the items module has them.
"""

from __future__ import annotations

from typing import Any

import pytest

from ledger import (
    AccountClosed,
    AccountFrozen,
    CeilingExceeded,
    HoldResolved,
    IdempotencyConflict,
    InsufficientFunds,
    Ledger,
    LedgerError,
    NotFound,
    Receipt,
    Transaction,
    VersionConflict,
    build,
)
from ledger.errors import REFUSALS
from ledger.items import BadItem, header_item
from ledger.model import Header, Refusal
from ledger.write import requests
from tests.support.house import House
from tests.support.samples import deposit, written

KINDS = [
    InsufficientFunds,
    CeilingExceeded,
    AccountFrozen,
    AccountClosed,
    HoldResolved,
    VersionConflict,
]
MESSAGE = "user:42 has 3.00 EUR above its floor, 12.50 EUR are wanted"


def refuse(house: House, error: str = "InsufficientFunds", key: str | None = "k") -> Header:
    """A deposit that was refused, as the header (and its key) say."""
    wanted = Transaction(entries=deposit(), type="deposit", idempotency_key=key)
    posted = build.header(wanted, id=house.ledger.new_id(), origin="eu-west-1")
    header = Header(
        **{
            name: getattr(posted, name) for name in Header.__dataclass_fields__ if name != "refusal"
        },
        refusal=Refusal(error=error, message=MESSAGE),
    )
    parts = [
        part for part in requests.post_parts(house.settings, header, 0) if part.kind != "entry"
    ]
    house.runtime.store.send(requests.transact(parts))
    return header


def test_every_outcome_of_limits_and_holds_can_stand_in_a_header() -> None:
    """What a header may name is exactly what refuses."""
    assert set(REFUSALS.values()) == set(KINDS)
    assert all(not kind.retryable for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_is_raised_again_by_all_who_ask(house: House, kind: type[LedgerError]) -> None:
    """By the read, by the same id, by the same key: the same class, message, id and key."""
    header = refuse(house, kind.__name__)
    before = written(house)
    calls: list[Any] = [
        lambda: house.ledger.transaction(header.id),
        lambda: house.ledger.transaction_by_key("k"),
        lambda: house.ledger.post(deposit(), type="deposit", id=header.id),
        lambda: house.ledger.post(deposit(), type="deposit", idempotency_key="k"),
        lambda: house.ledger.post(deposit(), type="deposit", id=header.id, idempotency_key="k"),
    ]
    for call in calls:
        with pytest.raises(kind) as refused:
            call()
        assert type(refused.value) is kind
        assert str(refused.value) == MESSAGE
        assert (refused.value.id, refused.value.idempotency_key) == (header.id, "k")
    assert written(house) == before, "a refusal has no entries, and none came by"


def test_a_refusal_is_the_outcome_of_its_own_transaction_in_bulk(house: House) -> None:
    """The others of the call go in."""
    refuse(house)
    refused, posted = house.ledger.post_many(
        [
            Transaction(entries=deposit(), type="deposit", idempotency_key="k"),
            Transaction(entries=deposit(7), type="deposit"),
        ]
    )
    assert isinstance(refused, InsufficientFunds)
    assert isinstance(posted, Receipt)


def test_another_request_under_a_refused_id_is_a_conflict(house: House) -> None:
    """The id and the key are taken by the refused request, and by no other."""
    header = refuse(house)
    for given in ({"id": header.id}, {"idempotency_key": "k"}):
        with pytest.raises(IdempotencyConflict) as conflict:
            house.ledger.post(deposit(1), type="deposit", **given)  # type: ignore[arg-type]
        assert conflict.value.id == header.id


def test_a_refusal_stands_a_day_later(house: House) -> None:
    """An old id that was refused is refused again, not called too old."""
    header = refuse(house)
    house.clock.advance(3 * 86_400)
    with pytest.raises(InsufficientFunds):
        house.ledger.post(deposit(), type="deposit", id=header.id)


def test_a_refused_transaction_has_no_entries(house: House) -> None:
    """Its accounts hold nothing, and no entry of it is found."""
    header = refuse(house)
    assert house.ledger.balances("user:42") == {}
    with pytest.raises(NotFound):
        house.ledger.entry("user:42", f"{header.id}#01")


def test_another_try_takes_another_key(house: House) -> None:
    """After a top-up the same request goes in under a new key."""
    refuse(house)
    receipt = house.ledger.post(deposit(), type="deposit", idempotency_key="k-2")
    assert not receipt.replayed


def test_a_refusal_of_a_class_that_this_version_does_not_know_is_still_a_refusal(
    house: House,
) -> None:
    """A newer version may refuse for a reason of its own: never success, never a second try."""
    header = refuse(house, "MoonInTheWrongPhase")
    with pytest.raises(LedgerError, match="above its floor") as refused:
        Ledger(house.new_runtime()).post(deposit(), type="deposit", id=header.id)
    assert type(refused.value) is LedgerError


def broken(house: House, change: dict[str, Any]) -> str:
    """A header that was changed by hand; its id."""
    receipt = house.ledger.post(deposit(), type="deposit")
    wanted = Transaction(entries=deposit(), type="deposit")
    item = header_item(build.header(wanted, id=receipt.id, origin="eu-west-1"))
    changed = {name: value for name, value in (item | change).items() if value is not None}
    house.faults.put_item(TableName=house.settings.events_table, Item=changed)
    return receipt.id


BROKEN = [
    pytest.param({"v": None}, "bad item", id="no version"),
    pytest.param({"v": {"N": "1.5"}}, "bad item", id="half a version"),
    pytest.param({"v": {"N": "99"}}, "unknown version", id="a version to come"),
    pytest.param({"status": None}, "bad item", id="no status"),
    pytest.param({"status": {"S": "REFUSED"}}, "bad item", id="refused without a refusal"),
    pytest.param({"entries": None}, "bad item", id="no entries"),
    pytest.param({"entries": {"L": [{"M": {}}]}}, "bad item", id="an empty entry"),
    pytest.param({"type": {"N": "1"}}, "bad item", id="another kind of value"),
    pytest.param({"fingerprint": None}, "bad item", id="no fingerprint"),
    pytest.param({"effective_at": {"S": "yesterday"}}, "bad item", id="no time"),
]


@pytest.mark.parametrize(("change", "reason"), BROKEN)
def test_a_header_that_cannot_be_understood_calls_the_operator(
    house: House, change: dict[str, Any], reason: str
) -> None:
    """Neither a result nor a conflict is made up: the error says what is wrong, with the id."""
    id = broken(house, change)
    with pytest.raises(BadItem, match=reason):
        house.ledger.transaction(id)
    with pytest.raises(BadItem, match=reason) as bad:
        house.ledger.post(deposit(), type="deposit", id=id)
    assert bad.value.id == id
    (outcome,) = house.ledger.post_many([Transaction(entries=deposit(), type="deposit", id=id)])
    assert isinstance(outcome, BadItem)
