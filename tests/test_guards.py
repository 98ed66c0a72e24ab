"""Each condition is needed: with it the view is right, without it the same story ends wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from tests.support.guards import take_out
from tests.support.house import House
from tests.support.rebuilt import rebuild
from tests.support.stage import entries, interrupted, small_caps, write

Story = Callable[[House], None]

BEFORE_THE_SEAL = 2  # apply, the entries of the log, the seal
BEFORE_THE_LATE_EVENT = 2  # apply, which is refused, the page, the late event
BEFORE_THE_SPLIT = 5  # … the late event, the page, the entries of its lower half, the split


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small_caps(monkeypatch)


def comes_again(house: House) -> None:
    """A record that is in `open` is delivered again (17)."""
    records = write(house, entries("a", [-2, -1]))
    house.project(records)
    house.project(records)
    house.assert_view_is_right()


def comes_again_after_its_seal(house: House) -> None:
    """A record whose page was sealed is delivered again (29)."""
    records = write(house, entries("a", [-40, -30, -20]))
    assert house.project(records).tally.seals == 1
    house.project(records)
    house.assert_view_is_right()


def applied_before_the_seal(house: House) -> None:
    """Between a projector's apply and its seal another one applies an event of that range."""
    records = write(house, entries("a", [-40, -30, -20]))
    other = write(house, entries("a", [-25], signed=7))
    unsealing = house.new_runtime(settling_seconds=3600)
    run = partial(house.project, records)
    assert interrupted(house, BEFORE_THE_SEAL, run, partial(house.project, other, unsealing))
    house.project([*records, *other])
    house.assert_view_is_right()


def sealed_before_the_seal(house: House) -> None:
    """Between a projector's apply and its seal another one seals further."""
    records = write(house, entries("a", [-40, -30, -20]))
    other = write(house, entries("a", [-10], signed=7))
    run = partial(house.project, records)
    assert interrupted(house, BEFORE_THE_SEAL, run, partial(house.project, other))
    house.project([*records, *other])
    house.assert_view_is_right()


def rebuilt_before_the_seal(house: House) -> None:
    """Between a projector's apply and its seal the view is rebuilt."""
    records = write(house, entries("a", [-40, -30, -20]))
    run = partial(house.project, records)
    assert interrupted(house, BEFORE_THE_SEAL, run, partial(rebuild, house, "a"))
    house.assert_view_is_right()


def with_a_page(house: House) -> None:
    """A page of four ids of at most six, ending at -10."""
    records = write(house, entries("a", [-40, -30, -20, -10]))
    assert house.project(records).tally.seals == 1


def split_before_the_late_event(house: House) -> None:
    """Between a projector's look at the page and its late event another one splits the page."""
    with_a_page(house)
    late, others = write(house, entries("a", [-35])), write(house, entries("a", [-15, -14, -13]))
    run = partial(house.project, late)
    assert interrupted(house, BEFORE_THE_LATE_EVENT, run, partial(house.project, others))
    assert len(house.pages("a")) == 2
    house.project([*late, *others])
    house.assert_view_is_right()


def late_before_the_late_event(house: House) -> None:
    """Between a projector's look at the page and its late event another one adds the same."""
    with_a_page(house)
    late = write(house, entries("a", [-35]))
    run = partial(house.project, late)
    assert interrupted(house, BEFORE_THE_LATE_EVENT, run, partial(house.project, late))
    house.assert_view_is_right()


def rebuilt_before_the_late_event(house: House) -> None:
    """Between a projector's look at the page and its late event the view is rebuilt."""
    with_a_page(house)
    late = write(house, entries("a", [-35]))
    run = partial(house.project, late)
    assert interrupted(house, BEFORE_THE_LATE_EVENT, run, partial(rebuild, house, "a"))
    house.assert_view_is_right()


def late_before_the_split(house: House) -> None:
    """Between a projector's look at the page and its split another one adds to the lower half."""
    with_a_page(house)
    late, other = write(house, entries("a", [-39, -38, -37])), write(house, entries("a", [-36]))
    run = partial(house.project, late)
    assert interrupted(house, BEFORE_THE_SPLIT, run, partial(house.project, other))
    house.project([*late, *other])
    house.assert_view_is_right()


@dataclass(frozen=True)
class Needed:
    """A story, the conditions (builder, pattern) without which it ends wrong, and how it does."""

    story: Story
    guards: list[tuple[str, str]]
    wrong: str


NEEDED = [
    Needed(comes_again, [("apply", r"NOT contains\(#open, :id\d+\)")], "sums of the balance"),
    Needed(comes_again_after_its_seal, [("apply", "through < :smallest")], "an id stands twice"),
    Needed(applied_before_the_seal, [("seal", "entries = :entries")], "an id stands twice"),
    Needed(
        # Whoever seals has applied first, so either of the two conditions finds that out.
        sealed_before_the_seal,
        [("seal", "entries = :entries"), ("seal", r"attribute_not_exists\(through\)")],
        "an id stands twice",
    ),
    Needed(rebuilt_before_the_seal, [("seal", "generation = :generation")], "sums of the balance"),
    Needed(split_before_the_late_event, [("late", "#from < :smallest")], "an id stands twice"),
    Needed(
        late_before_the_late_event,
        [("late", r"NOT contains\(ids, :id\d+\)")],
        "sums of the balance",
    ),
    Needed(
        rebuilt_before_the_late_event,
        [("late", "generation = :generation")],
        "sums of the balance",
    ),
    Needed(late_before_the_split, [("split", "ids = :read")], "an id stands twice"),
]
NAMES = [needed.story.__name__ for needed in NEEDED]


@pytest.mark.parametrize("needed", NEEDED, ids=NAMES)
def test_17_29_30_with_its_guards_the_story_ends_well(house: House, needed: Needed) -> None:
    """The view holds every event once."""
    needed.story(house)


@pytest.mark.parametrize("needed", NEEDED, ids=NAMES)
def test_without_its_guard_the_same_story_ends_wrong(
    house: House, monkeypatch: pytest.MonkeyPatch, needed: Needed
) -> None:
    """The condition is what prevents it: nothing else does."""
    for builder, guard in needed.guards:
        take_out(monkeypatch, builder, guard)
    with pytest.raises(AssertionError, match=needed.wrong):
        needed.story(house)
