"""Two projectors on one account at once: whatever is between them, ids and sums agree."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.record import Record
from tests.conftest import NewHouse
from tests.support.house import House
from tests.support.model import Books
from tests.support.stage import NEXT, Lockstep, entries, interrupted, small_caps, write


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small_caps(monkeypatch)


def with_a_page(house: House, account: str) -> None:
    """The state from which `NEXT` starts."""
    house.project(write(house, entries(account, [-40, -30, -20, -10])))
    assert len(house.pages(account)) == 1


def whole_story(house: House, account: str, kind: str) -> list[Record]:
    """Records of an account with a page, which make the projector do what `kind` says."""
    with_a_page(house, account)
    return write(house, entries(account, NEXT[kind], signed=-11))


@pytest.mark.parametrize("kind", NEXT)
def test_30_another_projector_comes_in_between_any_two_calls(house: House, kind: str) -> None:
    """Its batch, another one or a part of the same, is applied wholly before the k-th call of ours."""
    for at in itertools.count():
        house.books = Books()
        account = f"a{at}"
        ours = whole_story(house, account, "all")
        theirs = write(house, entries(account, [s + 0.5 for s in NEXT[kind]], signed=7))
        run = partial(house.project, ours)
        other = partial(house.project, [*theirs, *ours[2:5]])
        if not interrupted(house, at, run, other):
            break
        house.assert_view_is_right()
    assert at > 8, "our batch no longer does all that can be interrupted"


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[int]]:
    """Two or three batches of one account's twelve next records, which overlap."""
    numbers = st.lists(st.integers(0, 11), min_size=1, max_size=8, unique=True)
    return draw(st.lists(numbers, min_size=2, max_size=3))


def endless(schedule: list[int]) -> Iterator[int]:
    """The schedule, and after it each run in turn."""
    return itertools.chain(schedule, itertools.cycle([0, 1, 2]))


@given(batches=deliveries(), schedule=st.lists(st.integers(0, 2), max_size=40))
def test_30_projectors_that_take_turns_at_every_call(
    new_house: NewHouse, batches: list[list[int]], schedule: list[int]
) -> None:
    """Two or three projectors, call by call in any order; what failed comes again."""
    house = new_house()
    with_a_page(house, "a")
    seconds = [-39, -37, -36, -34, -33, -25, -9, -8, -7, -6, -1, -0.5]
    records = write(house, entries("a", seconds, signed=5))
    wanted = [[records[number] for number in batch] for batch in batches]
    runs = [partial(house.project, batch) for batch in wanted]
    Lockstep(house, runs).play(endless(schedule))
    house.assert_view_is_sound()
    house.project(records)
    house.assert_view_is_right()
