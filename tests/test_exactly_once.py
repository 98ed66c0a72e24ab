"""Every event counts exactly once, whatever the stream repeats, reorders or a crash cuts off."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model import Entry
from projector.record import Record
from projector.tally import Tally
from tests.conftest import NewHouse
from tests.support.faults import EVERY_FAULT, Fault, Killed
from tests.support.house import House
from tests.support.model import Books
from tests.support.stage import entries, entry, small_caps, write

A_DAY = 86_400.0


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small_caps(monkeypatch)


@dataclass(frozen=True)
class Story:
    """What is written, and in which batches, with how much time between them, it is delivered."""

    written: Sequence[Entry]
    batches: Sequence[Sequence[int]]
    waits: Sequence[float]
    faults: dict[int, Fault]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    amounts = st.integers(-1000, 1000).filter(bool)
    # Two places are enough to go wrong, and one of them gets most of what happens.
    places = st.sampled_from([("a", "EUR"), ("a", "EUR"), ("a", "EUR"), ("a", "USD"), ("b", "EUR")])
    size = draw(st.integers(4, 40))
    written = [
        entry(account, second, amount, number=number, currency=currency)
        for number, ((account, currency), second, amount) in enumerate(
            draw(
                st.lists(
                    st.tuples(places, st.integers(-20, 0), amounts), min_size=size, max_size=size
                )
            )
        )
    ]
    arrivals = draw(st.permutations(range(size)))
    repeated = draw(st.lists(st.integers(0, size - 1), max_size=10))
    arrivals = draw(st.permutations([*arrivals, *repeated]))
    cuts = sorted(draw(st.sets(st.integers(1, len(arrivals)), max_size=8)) | {0, len(arrivals)})
    batches = [arrivals[start:end] for start, end in itertools.pairwise(cuts)]
    waits = draw(
        st.lists(
            st.sampled_from([0.0, 1.0, 6.0, 30.0]), min_size=len(batches), max_size=len(batches)
        )
    )
    faults = draw(
        st.dictionaries(st.integers(0, 40), st.sampled_from(EVERY_FAULT), min_size=4, max_size=16)
    )
    return Story(written, batches, waits, faults)


def deliver(house: House, batch: Sequence[Record]) -> bool:
    """One invocation: whether Lambda would take it for a success."""
    try:
        return house.project(batch).failed_from is None
    except Killed:
        return False


@given(story=stories())
def test_17_18_19_24_25_the_view_is_right_after_any_story(
    new_house: NewHouse, story: Story
) -> None:
    """Duplicates, any order, kills, lost replies, throttling: in the end the view has each event once.

    And at any time on the way it is a set of events with its sum.
    """
    house = new_house(attempts=2)
    records = write(house, story.written)
    house.faults.plan = lambda number, _operation, _parameters: story.faults.get(number, "none")
    for batch, wait in zip(story.batches, story.waits, strict=True):
        house.advance(wait)
        while not deliver(house, [records[number] for number in batch]):
            with house.faults.calm():
                house.assert_view_is_sound()
            # Lambda delivers it again.
    house.faults.heal()
    house.assert_view_is_right()

    house.advance(A_DAY)
    house.project(reversed(records))
    house.assert_view_is_right()
    for account, currency in house.books.places():
        credits_, debits, count = house.books.sums(account, currency)
        balance = house.ledger.balance(account, currency)
        assert balance.posted.amount_minor == credits_ - debits
        assert balance.entry_count == count


def history(house: House, account: str) -> list[list[Record]]:
    """Three batches that make the projector do all it can: apply, seal, add late events, split."""
    settled = entries(account, [-40, -30, -20, -10])
    late = entries(account, [-35, -25, -15, -12], signed=-7)
    new = entries(account, [-3], signed=10**20)
    records = write(house, [*settled, *late, *new])
    return [records[:4], [*records[2:4], *records[4:8]], records[8:]]


def play(house: House, batches: Sequence[Sequence[Record]], fault: Fault, at: int) -> bool:
    """Deliver the batches, the call numbered `at` failing; whether there was such a call."""
    house.faults.heal()
    house.faults.plan = lambda number, _operation, _parameters: fault if number == at else "none"
    for batch in batches:
        while not deliver(house, batch):
            pass
    happened = len(house.faults.calls) > at
    house.faults.heal()
    return happened


@pytest.mark.parametrize("fault", ["killed before", "killed after", "reply lost"])
def test_18_24_the_projector_dies_at_every_single_call(house: House, fault: Fault) -> None:
    """Wherever in apply, seal, late and split it ends, the batch that comes again puts it right."""
    for at in itertools.count():
        house.books = Books()
        if not play(house, history(house, f"a{at}"), fault, at):
            break
        house.assert_view_is_right()
    assert at > 12, "the history no longer does all that can be cut off"


def test_18_everything_it_does_is_in_that_history(house: House) -> None:
    """The projector that is killed there applies, seals, adds late events and splits."""
    total = sum((house.project(batch).tally for batch in history(house, "a")), Tally())
    assert (total.applied, total.duplicates, total.late) == (9, 2, 4)
    assert total.seals
    assert total.splits
