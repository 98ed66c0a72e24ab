"""Every writer is of DynamoDB's time, whatever its own clock says, and nothing relies on order."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

from ledger import InvalidRequest, Ledger, Misconfigured, Money, credit, debit, ids
from ledger.clock import Clock
from ledger.write import post
from tests.conftest import NewHouse
from tests.support.house import START, House

EUR = Money(100, "EUR")
LEGS = [debit("world:card", EUR), credit("user:42", EUR)]


class SkewedClock(Clock):
    """The engine's replies are dated by the set time; the process's clock is off by `skew` seconds."""

    def __init__(self, skew: float) -> None:
        self.skew = skew
        super().__init__(lambda: START + self.skew)

    def observe(self, sent: float, received: float, date: str | None) -> None:  # noqa: ARG002
        """Whatever date the engine sent, it was the set time."""
        super().observe(sent, received, formatdate(START, usegmt=True))


@pytest.mark.parametrize("skew", [-240.0, 240.0])
def test_fault_15_a_writer_four_minutes_off_mints_and_checks_by_dynamodbs_clock(
    new_house: NewHouse, skew: float
) -> None:
    """Its ids are of DynamoDB's time, and an id of its own wrong time is refused."""
    house = new_house(clock=SkewedClock(skew))
    receipt = house.ledger.post(LEGS, type="deposit")
    assert abs(ids.time_ms(receipt.id) / 1000 - START) <= 1.001
    assert abs(ids.time_ms(house.ledger.new_id()) / 1000 - START) <= 1.001
    ahead = ids.mint(int((START + 240) * 1000), b"0123456789")
    with pytest.raises(InvalidRequest, match="ahead of DynamoDB's clock"):
        house.ledger.post(LEGS, type="deposit", id=ahead)


def test_fault_15_the_engines_own_date_moves_the_clock(new_house: NewHouse) -> None:
    """With the real clock and the engine's real replies: four minutes off, right after one reply."""
    real = datetime.now(UTC).timestamp()
    clock = Clock(lambda: datetime.now(UTC).timestamp() - 240)
    house = new_house(clock=clock)
    receipt = house.ledger.post(LEGS, type="deposit")
    assert real - 2 <= ids.time_ms(receipt.id) / 1000 <= datetime.now(UTC).timestamp() + 2


@pytest.mark.parametrize("skew", [-600.0, 600.0])
def test_fault_15_more_than_five_minutes_off_nothing_is_written(
    new_house: NewHouse, skew: float
) -> None:
    """Every write says Misconfigured, with or without an id of the caller's, and writes nothing."""
    house = new_house(clock=SkewedClock(skew))
    id = ids.mint(int(START * 1000), b"0123456789")
    with pytest.raises(Misconfigured, match="clock is off"):
        house.ledger.post(LEGS, type="deposit")
    with pytest.raises(Misconfigured, match="clock is off"):
        house.ledger.post(LEGS, type="deposit", id=id, idempotency_key="k")
    with pytest.raises(Misconfigured, match="clock is off"):
        house.ledger.append(LEGS[1], type="deposit", id=id)
    with pytest.raises(Misconfigured, match="clock is off"):
        house.ledger.open_account("user:42")
    with pytest.raises(Misconfigured, match="clock is off"):
        house.ledger.new_id()
    assert house.items("events") == house.items("accounts") == house.items("idempotency") == []


def test_a_cold_process_mints_no_id_before_the_first_reply(new_house: NewHouse) -> None:
    """The first thing that new_id does is to ask; when nobody answers there is no id."""
    house = new_house(clock=SkewedClock(-240), attempts=2)
    house.clock.synchronised = False
    house.faults.heal()
    house.ledger.new_id()
    assert [operation for operation, _ in house.faults.calls] == ["get_item"]
    house.ledger.new_id()
    assert len(house.faults.calls) == 1, "a warm process asks no more"


def test_a_cold_process_reads_the_account_records_first(new_house: NewHouse) -> None:
    """The look at the accounts is the first reply: no request is spent on the clock."""
    house = new_house(clock=SkewedClock(240))
    house.clock.synchronised = False
    house.faults.heal()
    receipt = house.ledger.post(LEGS, type="deposit")
    assert [operation for operation, _ in house.faults.calls] == [
        "batch_get_item",
        "transact_write_items",
    ]
    assert abs(ids.time_ms(receipt.id) / 1000 - START) <= 1.001


def id_at(seconds: float) -> str:
    """An id recorded that many seconds after the set clock's time."""
    return ids.mint(int((START + seconds) * 1000), b"0123456789")


@pytest.mark.parametrize("seconds", [6, 3600, 10**9])
def test_fault_15_an_id_of_the_future_is_never_new(house: House, seconds: int) -> None:
    """One writer's wrong clock must not push `through` ahead: historical does not help either."""
    for historical in (False, True):
        with pytest.raises(InvalidRequest, match="at most 5 s ahead") as refused:
            house.ledger.post(LEGS, type="t", id=id_at(seconds), historical=historical)
        assert refused.value.id == id_at(seconds)
        with pytest.raises(InvalidRequest, match="at most 5 s ahead"):
            house.ledger.append(LEGS[1], type="t", id=id_at(seconds), historical=historical)
    assert house.items("events") == house.items("accounts") == []


def test_fault_15_an_old_id_is_new_only_when_the_call_says_so(house: House) -> None:
    """A day and a second old: refused, unless historical=True says that it is meant."""
    old = id_at(-86_401)
    with pytest.raises(InvalidRequest, match="historical=True"):
        house.ledger.post(LEGS, type="t", id=old)
    with pytest.raises(InvalidRequest, match="historical=True"):
        house.ledger.append(LEGS[1], type="t", id=old)
    assert house.items("events") == []
    assert not house.ledger.post(LEGS, type="t", id=old, historical=True).replayed
    other = id_at(-(10**8))
    assert not house.ledger.append(LEGS[1], type="t", id=other, historical=True).replayed


@pytest.mark.parametrize("seconds", [-86_400, -1, 0, 5])
def test_an_id_of_now_is_taken(house: House, seconds: int) -> None:
    """Up to a day old and five seconds ahead: clocks differ, retries come late."""
    assert house.ledger.post(LEGS, type="t", id=id_at(seconds)).id == id_at(seconds)


def test_fault_15_an_id_that_stands_is_a_replay_whenever_it_is_of(house: House) -> None:
    """A retry after two days, or from a writer whose clock went back: the first result again."""
    posted = house.ledger.post(LEGS, type="t", id=house.ledger.new_id())
    appended = house.ledger.append(LEGS[1], type="t", id=house.ledger.new_id())
    for seconds in (2 * 86_400, -4 * 86_400):
        house.clock.advance(seconds)
        again = house.ledger.post(LEGS, type="t", id=posted.id)
        assert (again.replayed, again.entries) == (True, posted.entries)
        again = house.ledger.append(LEGS[1], type="t", id=appended.id)
        assert (again.replayed, again.entries) == (True, appended.entries)


def test_an_id_beyond_the_calendar_is_refused(house: House) -> None:
    """The largest ULID is of the year 10889: refused, by a message that can be written."""
    with pytest.raises(InvalidRequest, match="after the year 9999"):
        house.ledger.post(LEGS, type="t", id="7" + "Z" * 25)


def test_fault_15_without_the_check_an_id_of_the_future_goes_through(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken out: the future reaches `through`, and what is recorded now is late for ever."""
    monkeypatch.setattr(post, "MAX_AHEAD_SECONDS", 10**9)
    receipt = house.ledger.post(LEGS, type="t", id=id_at(10**8))
    assert receipt.recorded_at > datetime.fromtimestamp(START + 10**7, UTC)


def balances(ledger: Ledger) -> tuple[int, int]:
    """The two accounts' fresh balances."""
    return (
        ledger.balance("user:42", "EUR").posted.amount_minor,
        ledger.balance("world:card", "EUR").posted.amount_minor,
    )


@pytest.mark.parametrize("seed", range(2))
def test_fault_05_nothing_relies_on_order(house: House, seed: int) -> None:
    """A clock that steps back, ids of one millisecond, writers seconds apart: the sums are right."""
    chance = random.Random(seed)
    total = 0
    for _ in range(12):
        house.clock.now = START + chance.choice([0, 0, 0.0004, -3, 2, -86_000])
        amount = chance.randint(1, 1000)
        money = Money(amount, "EUR")
        receipt = house.ledger.post(
            [debit("world:card", money), credit("user:42", money)], type="deposit"
        )
        house.posted([receipt])
        total += amount
        if chance.random() < 0.4:
            house.settle()
        assert balances(house.ledger) == (total, -total)
    house.settle()
    house.assert_view_is_right()
    listed = house.ledger.entries("user:42", currency="EUR")
    assert [entry.id for entry in listed] == sorted(entry.id for entry in listed)
