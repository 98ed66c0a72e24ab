"""Lag: how far the view is behind the log, exactly, account by account, within bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, Money, NotFound, keys
from ledger.read import lag as lagging
from ledger.read.lag import Behind
from tests.conftest import NewHouse
from tests.support.command import Folio
from tests.support.house import House
from tests.support.stage import entry, small_caps, write


def deposit(house: House, account: str = "user:1", seconds: float = 0.0) -> None:
    """Money in, and `seconds` pass."""
    house.ledger.transfer(
        source="world:card", destination=account, money=Money(100, "EUR"), type="deposit"
    )
    house.advance(seconds)


def test_a_view_that_has_all_is_not_behind(house: House) -> None:
    """Nothing unapplied, oldest 0; what was looked at is told."""
    deposit(house)
    house.settle()
    found = house.ledger.lag()
    assert (found.behind, found.unapplied, found.oldest_seconds) == ((), 0, 0.0)
    assert (found.accounts, found.balances, found.whole) == (2, 2, True)


def test_what_is_unapplied_is_counted_and_the_oldest_dated(house: House) -> None:
    """By the ids' time and DynamoDB's clock; each currency by itself; the oldest first."""
    deposit(house)
    house.settle()
    deposit(house, "user:1", seconds=30)
    house.ledger.transfer(
        source="world:card", destination="user:2", money=Money(1, "USD"), type="deposit"
    )
    house.advance(12)

    found = house.ledger.lag(["user:1", "user:2"])

    told = [replace(one, oldest_seconds=round(one.oldest_seconds, 2)) for one in found.behind]
    assert told == [
        Behind("user:1", "EUR", 1, at_least=False, oldest_seconds=42.0),
        Behind("user:2", "USD", 1, at_least=False, oldest_seconds=12.0),
    ]
    assert (found.unapplied, found.accounts, found.balances) == (2, 2, 2)


@given(held=st.sets(st.integers(0, 11)))
def test_it_counts_what_was_withheld_and_nothing_else(new_house: NewHouse, held: set[int]) -> None:
    """Whatever records the projector lacks, in the middle or at the end; seals change nothing.

    What lies at or below `through` is late, and the reconciler's.
    """
    house = new_house()
    entries = [entry("user:1", float(number), 100, number=number) for number in range(12)]
    house.ledger.open_account("user:1")
    records = write(house, entries)
    house.project(r for number, r in enumerate(records) if number not in held)
    house.advance(100)

    found = house.ledger.lag(["user:1"])

    assert found.unapplied == len(held)
    oldest = 100 - min(held) if held else 0
    assert found.oldest_seconds == pytest.approx(oldest, abs=0.01)


def test_sealed_entries_are_not_behind(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in pages, at or below `through`."""
    small_caps(monkeypatch)
    entries = [entry("user:1", float(number), 100, number=number) for number in range(12)]
    house.ledger.open_account("user:1")
    house.advance(60)
    house.project(write(house, entries))
    assert house.pages("user:1")
    write(house, [entry("user:1", 50.0, 100)])
    assert house.ledger.lag(["user:1"]).unapplied == 1


def test_a_count_that_stops_says_at_least(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is hours behind costs a bounded read."""
    for _ in range(4):
        deposit(house)
    for limit, wanted in ((3, (3, True)), (4, (4, False)), (5, (4, False))):
        monkeypatch.setattr(lagging, "MAX_READ", limit)
        found = house.ledger.lag(["user:1"])
        assert (found.unapplied, found.at_least) == wanted


def test_an_account_at_rest_costs_four_reads(house: House) -> None:
    """The next currency, twice; the view; the log beyond it: none grows with the history."""
    for _ in range(5):
        deposit(house)
    house.settle()
    house.faults.heal()
    house.ledger.lag(["user:1"])
    assert [name for name, _ in house.faults.calls] == ["query", "query", "get_item", "query"]


def test_a_small_ledger_is_sampled_whole(house: House) -> None:
    """However its accounts fall among the partitions."""
    names = {f"user:{number}" for number in range(30)}
    for name in sorted(names):
        house.ledger.open_account(name)
    assert set(lagging.sampled(house.runtime, 30, lambda: True)) == names


def test_a_sample_is_even_bounded_and_the_same_every_time(house: House) -> None:
    """No more than asked for, from all partitions, and from both ends of the alphabet."""
    names = sorted(f"user:{number:03}" for number in range(120))
    for name in names:
        house.ledger.open_account(name)
    found = lagging.sampled(house.runtime, 32, lambda: True)
    assert len(found) == len(set(found)) == 32
    assert found == lagging.sampled(house.runtime, 32, lambda: True)
    partitions = {keys.listing(name) for name in names}
    assert {keys.listing(name) for name in found} == partitions
    assert {names[0], names[-1]} <= set(found)


def test_it_ends_when_there_is_no_more_time(house: House) -> None:
    """And says that it has not seen all."""
    deposit(house)
    left = [True] * 17  # one for each partition of the listing, and one for an account
    found = lagging.lag(house.runtime, within=lambda: bool(left and left.pop()))
    assert (found.accounts, found.whole) == (1, False)


def test_an_account_that_is_not_there_is_no_account_without_lag(house: House) -> None:
    """A name that was mistyped must not look healthy; one without entries does."""
    with pytest.raises(NotFound):
        house.ledger.lag(["user:nobody"])
    house.ledger.open_account("user:new")
    assert house.ledger.lag(["user:new"]).balances == 0


@pytest.mark.parametrize("sample", [0, -1, 10_001])
def test_a_sample_out_of_range_is_refused(house: House, sample: int) -> None:
    """Before any call."""
    house.faults.heal()
    with pytest.raises(InvalidRequest):
        house.ledger.lag(sample=sample)
    assert house.faults.calls == []


def test_the_command_ends_with_6_when_the_view_is_behind(folio: Folio) -> None:
    """People see who is behind, machines all; within the limit it ends with 0."""
    folio.deposit("user:1")
    behind = folio("lag", "--limit", "0")
    assert behind.code == 6
    assert "user:1" in behind.out
    assert "2 accounts, 2 balances: 2 unapplied" in behind.out
    told = folio("lag", "user:1", "--limit", "0", "--json")
    assert (told.code, told.json["exit_code"], told.json["unapplied"]) == (6, 6, 1)
    assert folio.answer("lag")["unapplied"] == 2  # some seconds old: within a minute
