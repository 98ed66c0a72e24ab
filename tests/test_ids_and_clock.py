"""Ids sort by time and have one form; the clock is DynamoDB's, moved by the least that agrees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ulid import ULID

from ledger import InvalidRequest, Misconfigured, ids
from ledger.clock import MAX_SKEW_SECONDS, Clock, correction
from tests.support.examples import many
from tests.support.house import START

MS = st.integers(0, ids.LAST_MS)
NONCES = st.binary(min_size=10, max_size=10).filter(any)
PLACES = st.integers(0, 99)


# Ids


@many
@given(milliseconds=MS, randomness=NONCES)
def test_an_id_has_the_time_that_it_was_made_of(milliseconds: int, randomness: bytes) -> None:
    """mint and time_ms are each other's inverse, and what is minted is canonical."""
    id = ids.mint(milliseconds, randomness)
    assert ids.check_id(id) == id
    assert ids.time_ms(id) == milliseconds


@many
@given(a=MS, b=MS, one=NONCES, other=NONCES, here=PLACES, there=PLACES)
def test_ids_sort_by_time_in_every_form(
    a: int, b: int, one: bytes, other: bytes, here: int, there: int
) -> None:
    """Times, texts and the view's bytes have one order: a range of one is a range of the others."""
    first, second = ids.mint(a, one), ids.mint(b, other)
    if a != b:
        assert (first < second) == (a < b)
    texts = ids.entry_id(first, here), ids.entry_id(second, there)
    packed = ids.pack(texts[0]), ids.pack(texts[1])
    assert (texts[0] < texts[1]) == (packed[0] < packed[1])
    assert (texts[0] == texts[1]) == (packed[0] == packed[1])


@many
@given(milliseconds=MS, randomness=NONCES, place=PLACES)
def test_an_entrys_id_is_seventeen_bytes_and_back(
    milliseconds: int, randomness: bytes, place: int
) -> None:
    """pack and unpack are each other's inverse, and split undoes what entry_id made."""
    id = ids.mint(milliseconds, randomness)
    entry_id = ids.entry_id(id, place)
    packed = ids.pack(entry_id)
    assert len(packed) == 17
    assert ids.unpack(packed) == entry_id
    assert ids.packed_time_ms(packed) == milliseconds
    assert ids.split_entry_id(entry_id) == (id, place)
    assert packed > ids.FIRST


@many
@given(text=st.text(max_size=30) | st.from_regex(r"[0-9A-Za-z]{25,27}", fullmatch=True))
def test_fault_46_two_texts_are_never_one_id(text: str) -> None:
    """What is accepted is exactly what the id would be written as; all else is refused."""
    try:
        ids.check_id(text)
    except InvalidRequest:
        return
    assert str(ULID.from_str(text)) == text


@many
@given(
    at=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis adds the zone
    step=st.integers(-3, 3),
    randomness=NONCES,
)
def test_a_range_of_time_is_a_range_of_ids(at: datetime, step: int, randomness: bytes) -> None:
    """An id lies at or above first_id_of(t) exactly if it was recorded at or after t, to the microsecond."""
    milliseconds = (at - ids.EPOCH) // timedelta(milliseconds=1) + step
    assume(milliseconds >= 0)
    id = ids.mint(milliseconds, randomness)
    assume(ids.EPOCH + timedelta(milliseconds=milliseconds) < datetime.max.replace(tzinfo=UTC))
    assert (id >= ids.first_id_of(at)) == (ids.recorded_at(id) >= at)


def test_times_before_1970_begin_at_the_first_id() -> None:
    """A range may begin before there were ids."""
    assert ids.first_id_of(datetime(1969, 7, 20, tzinfo=UTC)) == ids.NIL


# The clock

TIMES = st.floats(1_700_000_000, 1_900_000_000)
SKEWS = st.floats(-1000, 1000)
SPANS = st.floats(0, 10)


@many
@given(true=TIMES, skew=SKEWS, there=SPANS, back=SPANS)
def test_the_corrected_clock_agrees_with_the_reply(
    true: float, skew: float, there: float, back: float
) -> None:
    """Moved, DynamoDB's time can have lain in Date … Date + 1 s between send and receipt."""
    sent, received = true + skew - there, true + skew + back
    date = float(int(true))
    moved = correction(sent, received, date)
    assert received + moved >= date - 1e-6
    assert sent + moved <= date + 1 + 1e-6


@many
@given(true=TIMES, skew=SKEWS, there=SPANS, back=SPANS, share=st.floats(0, 0.999))
def test_the_clock_is_moved_by_the_least_that_agrees(
    true: float, skew: float, there: float, back: float, share: float
) -> None:
    """Any smaller move (none, above all) would contradict the reply, and it never overshoots zero."""
    sent, received = true + skew - there, true + skew + back
    date = float(int(true))
    moved = correction(sent, received, date)
    if moved:
        smaller = moved * share
        assume(abs(moved - smaller) > 1e-3)
        assert received + smaller < date or sent + smaller > date + 1
        assert abs(moved) <= abs(skew) + 1e-6


@many
@given(true=TIMES, skew=st.floats(-0.5, 0.5), there=SPANS, back=SPANS)
def test_a_good_clock_is_left_alone(true: float, skew: float, there: float, back: float) -> None:
    """A clock whose own time fits the reply is not moved at all."""
    sent, received = true + skew - there, true + skew + back
    date = float(int(true))
    assume(received >= date)
    assume(sent <= date + 1)
    assert correction(sent, received, date) == 0.0


@many
@given(true=TIMES, skew=st.floats(-MAX_SKEW_SECONDS + 20, MAX_SKEW_SECONDS - 20), wait=SPANS)
def test_fault_15_a_corrected_time_is_right_to_the_second_and_the_round_trip(
    true: float, skew: float, wait: float
) -> None:
    """However wrong the process's clock: after one reply its time is off by 1 s and the round trip."""
    clock = Clock(lambda: true + skew)
    clock.observe(true - wait + skew, true + skew, formatdate(true - wait / 2, usegmt=True))
    assert abs(clock.time() - true) <= 1 + wait + 1e-3


def test_a_reply_without_a_date_leaves_the_process_clock() -> None:
    """Some engines send none: then the machine's own clock stands, and ids can be minted."""
    clock = Clock(lambda: START)
    assert not clock.synchronised
    clock.observe(START, START, None)
    assert clock.synchronised
    assert clock.time() == START
    assert clock.time_ms() == int(START * 1000)
    assert clock.moment() == datetime.fromtimestamp(START, UTC)


@pytest.mark.parametrize("off_seconds", [-301.0, 302.0, 86_400.0])
def test_fault_15_a_clock_that_is_far_off_stops_writing(off_seconds: float) -> None:
    """Beyond five minutes AWS refuses the signature; where an engine does not, the clock does."""
    clock = Clock(lambda: START + off_seconds)
    clock.observe(START + off_seconds, START + off_seconds, formatdate(START, usegmt=True))
    with pytest.raises(Misconfigured, match=r"off by [-+]"):
        clock.time_ms()
