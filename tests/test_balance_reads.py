"""Balances: fresh at two requests, by the view at one, and with one's own writes when that is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger import Balance, Contended, InvalidRequest, Money, Receipt, credit, debit, ids
from ledger.read import balance as balance_
from ledger.runtime import Runtime
from projector.record import Record
from tests.conftest import NewHouse
from tests.support.house import House
from tests.support.samples import deposit, eur, id_at, operations
from tests.support.stage import small_caps


def posted(house: House, **how: object) -> Money:
    """What user:42 has in euros."""
    return house.ledger.balance("user:42", "EUR", **how).posted  # type: ignore[arg-type]


def give(house: House, amount: int, seconds: float | None = None, number: int = 1) -> Receipt:
    """An append, of now or of that many seconds after the set clock's beginning."""
    id = None if seconds is None else id_at(seconds, number)
    return house.ledger.append(credit("user:42", eur(amount)), type="t", id=id)


@pytest.fixture
def sealing(new_house: NewHouse, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house that seals three ids into a page as soon as they are applied."""
    small_caps(monkeypatch)
    return new_house(settling_seconds=0)


def sealed(house: House) -> int:
    """Seal some entries of user:42 into a page; what they add up to."""
    for number in range(6):
        give(house, 100, 1 + number / 10)
        house.clock.advance(2)
        house.settle()
    assert house.pages("user:42")
    assert house.image("user:42").through > bytes(17)
    return 600


# What a balance is


def test_a_balance_has_credits_debits_and_their_difference(house: House) -> None:
    """Signs never change with the kind of account; pending sums are there, zero until there are holds."""
    house.ledger.post(deposit(1000), type="t")
    house.ledger.post([debit("user:42", eur(300)), credit("shop:7", eur(300))], type="t")
    house.ledger.append(debit("user:42", eur(900)), type="t")
    found = house.ledger.balance("user:42", "EUR")
    assert found == Balance(
        account="user:42",
        currency="EUR",
        credits=eur(1000),
        debits=eur(1200),
        pending_credits=eur(0),
        pending_debits=eur(0),
        entry_count=3,
    )
    assert (found.posted, found.available) == (eur(-200), eur(-200))
    assert replace(found, pending_debits=eur(50)).available == eur(-250)
    assert replace(found, pending_credits=eur(50)).available == eur(-200)


def test_balances_are_of_every_currency_that_has_entries(house: House) -> None:
    """By currency, each as `balance` gives it, projected or not."""
    house.ledger.post(deposit(5), type="t")
    house.ledger.append(credit("user:42", Money(7, "JPY")), type="t")
    found = house.ledger.balances("user:42")
    assert {code: value.posted for code, value in found.items()} == {
        "EUR": eur(5),
        "JPY": Money(7, "JPY"),
    }
    assert found["EUR"] == house.ledger.balance("user:42", "EUR")
    stale = house.ledger.balances("user:42", consistency="view")
    assert {code: value.entry_count for code, value in stale.items()} == {"EUR": 0, "JPY": 0}
    house.settle()
    assert house.ledger.balances("user:42", consistency="view") == found


# Fresh and view


def test_a_fresh_balance_needs_no_projector(house: House) -> None:
    """What a write has answered is in the next fresh balance; the view follows when it is projected."""
    give(house, 5)
    assert (posted(house), posted(house, consistency="view")) == (eur(5), eur(0))
    house.settle()
    give(house, 7)
    assert (posted(house), posted(house, consistency="view")) == (eur(12), eur(5))
    house.settle()
    assert posted(house) == posted(house, consistency="view") == eur(12)


def test_a_view_is_one_read_and_a_fresh_balance_two(sealing: House) -> None:
    """Whatever the account's history: one eventually consistent get, or a consistent get and a query."""
    for history in (lambda: None, lambda: sealed(sealing)):
        history()
        sealing.faults.heal()
        posted(sealing, consistency="view")
        assert operations(sealing) == ["get_item"]
        assert not sealing.faults.calls[0][1]["ConsistentRead"]
        sealing.faults.heal()
        posted(sealing)
        assert operations(sealing) == ["get_item", "query"]
        assert all(parameters["ConsistentRead"] for _, parameters in sealing.faults.calls)


@pytest.mark.parametrize("seed", range(2))
def test_a_fresh_balance_lacks_only_what_is_late(sealing: House, seed: int) -> None:
    """Any writes, any part of them projected, in any order: the sum of all but late unapplied ones."""
    chance = random.Random(seed)
    amounts: dict[str, int] = {}
    held: list[Record] = []
    late = 0
    for number in range(12):
        amount = chance.randint(1, 1000)
        receipt = give(sealing, amount, chance.uniform(-60, 4), number)
        sealing.posted([receipt])
        amounts[receipt.entries[0].id] = amount
        held += sealing.new_records()
        chance.shuffle(held)
        ready = chance.randint(0, 3)
        now, held = held[:ready], held[ready:]
        sealing.project(now)
        sealing.clock.advance(1)
        late += _assert_fresh(sealing, amounts)
    assert late, "this seed never had a late entry"
    sealing.project(held)
    sealing.assert_view_is_right()
    assert posted(sealing) == posted(sealing, consistency="view") == eur(sum(amounts.values()))


def _assert_fresh(house: House, amounts: dict[str, int]) -> int:
    seen, pages = house.image("user:42"), house.pages("user:42")
    applied = {*seen.open, *(id for page in pages for id in page.ids)}
    late = {id for id in amounts if ids.pack(id) <= seen.through and ids.pack(id) not in applied}
    assert posted(house) == eur(sum(a for id, a in amounts.items() if id not in late))
    for id in late:
        entry = house.ledger.entry("user:42", id)
        own = Receipt(id=entry.transaction_id, entries=(entry,))
        expected = sum(a for i, a in amounts.items() if i not in late or i == id)
        assert posted(house, including=own) == eur(expected)
    return len(late)


# Including


def test_an_own_write_is_included_wherever_it_is(sealing: House) -> None:
    """Not yet projected, open, or sealed: it counts exactly once, whatever the consistency says."""
    receipt = give(sealing, 5)
    assert posted(sealing, including=receipt) == eur(5)
    assert posted(sealing, including=receipt, consistency="view") == eur(5)
    sealing.settle()
    assert posted(sealing, including=receipt) == eur(5)
    total = 5 + sealed(sealing)
    assert posted(sealing, including=receipt) == eur(total)


def test_a_late_own_write_is_included_once(sealing: House) -> None:
    """Below `through` and not applied, the fresh balance lacks it; including has it, once, for ever."""
    total = sealed(sealing)
    late = give(sealing, 7, -50)
    records = sealing.new_records()
    assert posted(sealing) == eur(total)
    assert posted(sealing, including=late) == eur(total + 7)
    sealing.project(records)
    assert sealing.image("user:42").lates > 0
    assert posted(sealing) == eur(total + 7)
    assert posted(sealing, including=late) == eur(total + 7)


def test_fault_31_a_late_own_write_that_is_applied_meanwhile_counts_once(sealing: House) -> None:
    """The projector adds it to its page between the reads of the balance and of the page."""
    total = sealed(sealing)
    late = give(sealing, 7, -50)
    records = sealing.new_records()
    sealing.faults.before("query", lambda: sealing.project(records))
    assert posted(sealing, including=late) == eur(total + 7)


def test_fault_31_without_the_second_look_it_is_missed(
    sealing: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: the page has it, the older balance has not, and nobody adds it."""

    def once(rt: Runtime, account: str, currency: str, read: Callable[[Any], Any]) -> Any:
        seen = balance_.image(rt, account, currency)
        return seen, read(seen)

    monkeypatch.setattr(balance_, "with_pages", once)
    total = sealed(sealing)
    late = give(sealing, 7, -50)
    records = sealing.new_records()
    sealing.faults.before("query", lambda: sealing.project(records))
    assert posted(sealing, including=late) == eur(total)


def test_without_the_open_ids_a_fresh_balance_counts_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: what is applied and not sealed is in the view and in the log."""
    give(house, 5)
    house.settle()
    real = balance_.image
    monkeypatch.setattr(balance_, "image", lambda *a, **k: replace(real(*a, **k), open=frozenset()))
    assert posted(house) == eur(10)


def test_late_events_without_end_are_contention(sealing: House) -> None:
    """Bounded: after five looks at pages that keep changing it is the caller's turn."""
    sealed(sealing)
    late = give(sealing, 7, -50)
    others = [give(sealing, 1, -40 - number, number) for number in range(6)]
    records = sealing.new_records()
    left = [
        r
        for r in records
        if r.keys["SK"]["S"].endswith(tuple(e.id for o in others for e in o.entries))
    ]

    def plan(number: int, operation: str, parameters: dict[str, object]) -> str:
        if operation == "query" and left:
            sealing.faults.plan = lambda *_: "none"
            sealing.project([left.pop()])
            sealing.faults.plan = plan  # type: ignore[assignment]
        return "none"

    sealing.faults.plan = plan  # type: ignore[assignment]
    with pytest.raises(Contended, match="kept changing"):
        posted(sealing, including=late)


def test_a_receipt_of_another_account_or_currency_is_refused(house: House) -> None:
    """It would promise what it does not hold."""
    receipt = house.ledger.post(deposit(), type="t")
    with pytest.raises(InvalidRequest, match="no entry on shop:7 in EUR"):
        house.ledger.balance("shop:7", "EUR", including=receipt)
    with pytest.raises(InvalidRequest, match="no entry on user:42 in USD"):
        house.ledger.balance("user:42", "USD", including=receipt)


def test_a_transaction_of_several_own_entries_is_included_whole(sealing: House) -> None:
    """Both legs on one account count, late or not."""
    total = sealed(sealing)
    receipt = sealing.ledger.post(
        [credit("user:42", eur(5)), credit("user:42", eur(6)), debit("world:card", eur(11))],
        type="t",
        id=id_at(-50),
    )
    assert posted(sealing) == eur(total)
    assert posted(sealing, including=receipt) == eur(total + 11)
