"""Quarantine: what cannot be applied is kept whole, with the reason, and alarmed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.items import entry_item
from projector import quarantine
from projector.quarantine import MAX_RECORD_BYTES, kept
from projector.record import Quarantined, Record, from_lambda, from_stream
from projector.tally import Tally
from projector.wire import to_wire
from tests.support.house import House
from tests.support.stage import entry, record, write

GOOD = entry_item(entry("a", -4, 5))


def without(name: str) -> dict[str, Any]:
    """The good item without one attribute."""
    return {key: value for key, value in GOOD.items() if key != name}


POISON: dict[str, tuple[dict[str, Any], str]] = {
    "a schema version of the future": (GOOD | {"v": {"N": "2"}}, "upgrade"),
    "no schema version": (without("v"), "schema version"),
    "a version that is no number": (GOOD | {"v": {"S": "1"}}, "schema version"),
    "an attribute that is missing": (without("amount_minor"), "amount_minor"),
    "an attribute of another type": (GOOD | {"amount_minor": {"S": "5"}}, "bad item"),
    "an amount that is no integer": (GOOD | {"amount_minor": {"N": "5.5"}}, "bad item"),
    "a direction that is none": (GOOD | {"direction": {"S": "up"}}, "bad item"),
    "a transaction that is not the key's": (GOOD | {"transaction": {"S": "x"}}, "key"),
    "a place that is none": (GOOD | {"SK": {"S": GOOD["SK"]["S"][:-2] + "xx"}}, "bad item"),
    "another amount than was written": (GOOD | {"amount_minor": {"N": "6"}}, "fingerprint"),
    "another account than was written": (GOOD | {"PK": {"S": "ACCOUNT#b"}}, "fingerprint"),
    "a key without the account's prefix": (GOOD | {"PK": {"S": "a"}}, "foreign"),
    "a foreign sort key": (GOOD | {"SK": {"S": "NOTE#1"}}, "foreign"),
    "nothing of ours at all": ({"PK": {"S": "x"}, "SK": {"S": "y"}}, "foreign"),
}


@pytest.mark.parametrize("poison", POISON)
def test_22_28_a_poison_record_is_kept_whole_and_the_rest_goes_on(
    house: House, caplog: pytest.LogCaptureFixture, poison: str
) -> None:
    """With the reason, at its day, under its stream event's id; and with an alarm."""
    item, reason = POISON[poison]
    bad = record(item)
    good = write(house, [entry("beside", -4, 7)])

    result = house.project([bad, *good])

    assert result.failed_from is None
    assert result.tally == Tally(applied=1, quarantined=1)
    house.assert_view_is_right()
    assert not house.image("a").sums.entries
    (one,) = kept(house.runtime)
    assert one.record == bad
    assert reason in one.reason
    assert (one.day, one.event_id, one.tampering) == ("2026-09-21", bad.event_id, False)
    (alarm,) = [line for line in caplog.records if line.name == "projector.quarantine"]
    assert alarm.levelname == "ERROR"
    line = json.loads(alarm.getMessage())
    assert (line["event"], line["sequence_number"]) == ("quarantined", bad.sequence_number)


def test_22_a_poison_record_that_comes_again_is_the_same_item(house: House) -> None:
    """Redelivery fills nothing up."""
    bad = record({"PK": {"S": "x"}, "SK": {"S": "y"}})
    for _ in range(3):
        house.project([bad])
    assert len(house.items("quarantine")) == 1


def test_an_unknown_kind_of_record_is_quarantined(house: House) -> None:
    """An event name that Streams does not have today is not guessed at."""
    odd = replace(record(GOOD), name="UPSERT")
    assert house.project([odd]).tally == Tally(quarantined=1)
    (one,) = kept(house.runtime)
    assert "UPSERT" in one.reason


def test_headers_are_ignored(house: House) -> None:
    """The mapping filters them out; where it does not, they ask nothing of the view."""
    header = record({"PK": {"S": "TRANSACTION#1"}, "SK": {"S": "TRANSACTION"}})
    assert house.project([header]).tally == Tally()
    assert not house.items("quarantine")


def padded(bytes_: int) -> Record:
    """A foreign record whose JSON has this many bytes."""
    item: dict[str, Any] = {"PK": {"S": "x"}, "SK": {"S": "y"}, "pad": {"S": ""}}
    bare = replace(record(item), event_id="e" * 32)
    missing = bytes_ - len(text_of(bare).encode())
    return replace(bare, new=item | {"pad": {"S": "p" * missing}})


def text_of(one: Record) -> str:
    """The record as it is kept."""
    return json.dumps(to_wire(one), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("over", [0, 1])
def test_22_a_record_too_large_for_an_item_is_kept_by_its_keys(house: House, over: int) -> None:
    """Up to the limit whole; above it keys, sequence number and SHA-256, from which it can be found."""
    large = padded(MAX_RECORD_BYTES + over)
    assert house.project([large]).failed_from is None
    (one,) = kept(house.runtime)
    assert one.record == (None if over else large)
    assert one.keys == large.keys
    (item,) = house.items("quarantine")
    assert item["sequence_number"] == {"S": large.sequence_number}
    assert item["sha256"] == {"S": hashlib.sha256(text_of(large).encode()).hexdigest()}


def test_the_alarm_names_the_key_and_nothing_of_the_content(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Descriptions and metadata stay out of the logs."""
    house.project([record(GOOD | {"description": {"S": "private"}})])
    assert "ACCOUNT#a" in caplog.text
    assert "private" not in caplog.text


@pytest.fixture
def far_east() -> Iterator[None]:
    """A machine whose local time is far from UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_the_day_is_utc_however_the_record_came() -> None:
    """boto3 gives local times: Lambda and the poller keep one record at one place nevertheless."""
    at = 1_790_000_000
    change: dict[str, Any] = {"SequenceNumber": "1" * 21, "Keys": {}}
    raw: dict[str, Any] = {"eventID": "1", "eventName": "INSERT"}
    lambdas = change | {"ApproximateCreationDateTime": at}
    boto3s = change | {"ApproximateCreationDateTime": datetime.fromtimestamp(at).astimezone()}
    polled = from_stream(raw | {"dynamodb": boto3s})
    delivered = from_lambda(raw | {"dynamodb": lambdas})
    assert polled == delivered
    assert polled.created_at.tzinfo is UTC
    items = [quarantine.item(Quarantined(one, "why")) for one in (polled, delivered)]
    assert items[0] == items[1]
    assert items[0]["PK"] == {"S": "2026-09-21"}


scalars = st.one_of(
    st.builds(lambda v: {"S": v}, st.text(max_size=20)),
    st.builds(lambda v: {"N": str(v)}, st.integers(-(10**37), 10**37)),
    st.builds(lambda v: {"B": v}, st.binary(max_size=20)),
    st.builds(lambda v: {"BOOL": v}, st.booleans()),
    st.just({"NULL": True}),
)
sets = st.one_of(
    st.builds(lambda v: {"BS": sorted(v)}, st.sets(st.binary(min_size=1, max_size=5), min_size=1)),
    st.builds(lambda v: {"SS": sorted(v)}, st.sets(st.text(min_size=1, max_size=5), min_size=1)),
    st.builds(lambda v: {"NS": sorted(map(str, v))}, st.sets(st.integers(), min_size=1)),
)
values = st.recursive(
    scalars | sets,
    lambda inner: st.one_of(
        st.builds(lambda v: {"L": v}, st.lists(inner, max_size=3)),
        st.builds(lambda v: {"M": v}, st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    ),
    max_leaves=8,
)
images = st.none() | st.dictionaries(st.text(min_size=1, max_size=8), values, max_size=4)


@given(new=images, old=images, second=st.integers(0, 4 * 10**9))
def test_whatever_a_record_holds_comes_back_from_quarantine(
    new: dict[str, Any] | None, old: dict[str, Any] | None, second: int
) -> None:
    """Every type of DynamoDB, binaries too: kept as Lambda's JSON has it, and read as that."""
    one = replace(record(GOOD), new=new, old=old, created_at=datetime.fromtimestamp(second, UTC))
    back = from_lambda(json.loads(json.dumps(to_wire(one))))
    assert sorted_sets(back.new) == sorted_sets(one.new)
    assert sorted_sets(back.old) == sorted_sets(one.old)
    assert replace(back, new=None, old=None) == replace(one, new=None, old=None)


def sorted_sets(value: Any) -> Any:
    """The same with its sets in one order, which they have none of."""
    if isinstance(value, dict):
        return {name: sorted(v) if name == "BS" else sorted_sets(v) for name, v in value.items()}
    return [sorted_sets(v) for v in value] if isinstance(value, list) else value
