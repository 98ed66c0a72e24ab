"""Night follows night without gap or overlap, whatever comes twice, too late, or in another order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Misconfigured, Money
from ledger.embedded.engine import Engine
from ledger.reconcile import Report, reconcile
from ledger.reconcile.export import exports, night, nights
from tests.conftest import NewHouse, Where
from tests.support.exports import Backups, Memory
from tests.support.house import House

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BEGAN = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
"""The houses' beginning."""


@pytest.fixture
def engine(session: boto3.Session, dynamodb_local: Engine) -> Where:
    """One engine: an export is read in this process, and what it is compared with is tested on both."""
    return Where("dynamodb-local", session, dynamodb_local.endpoint_url)


class Place:
    """A house whose tables are exported to a bucket."""

    def __init__(self, house: House, *, at_once: bool = True) -> None:
        self.house = house
        self.bucket = Memory()
        self.backups = Backups(house, self.bucket, at_once=at_once)
        self.house.runtime.store.client = self.backups

    def business(self, after: timedelta) -> None:
        """A deposit, projected, and then time passes."""
        self.house.ledger.transfer(
            source="world:card", destination="user:1", money=Money(1, "EUR"), type="deposit"
        )
        self.house.settle()
        self.house.clock.advance(after.total_seconds())

    def begin(self) -> Mapping[str, Any]:
        """The schedule's event."""
        return night.begin(self.house.runtime, self.bucket).answer

    def summaries(self) -> list[str]:
        """The exports that are there, in the order of their making."""
        return [key for key in self.bucket.objects if key.endswith("manifest-summary.md5")]

    def arrived(self, key: str) -> night.Night:
        """S3's event."""
        return night.compare(self.house.runtime, self.bucket, key, sleep=self.house.clock.advance)

    def kept(self) -> list[dict[str, Any]]:
        """The nights that are kept, in order."""
        keys = sorted(key for key in self.bucket.objects if key.startswith("nights/"))
        return [json.loads(self.bucket.objects[key]) for key in keys]


@pytest.fixture
def place(house: House) -> Place:
    """A ledger that is an hour old."""
    place = Place(house)
    place.business(after=HOUR)
    return place


def test_the_first_night_begins_where_recovery_does(place: Place) -> None:
    """At most a day ago; its end lies on a quarter of an hour that recovery has reached."""
    place.begin()

    window = place.backups.asked[0]["IncrementalExportSpecification"]
    assert window["ExportFromTime"] == BEGAN
    assert window["ExportToTime"] == datetime(2026, 9, 21, 15, 0, tzinfo=UTC)
    assert [asked["S3Prefix"] for asked in place.backups.asked] == [
        "exports/20260921T141320Z-20260921T150000Z/events",
        "exports/20260921T141320Z-20260921T150000Z/balances",
    ]


def test_a_night_is_compared_once_both_exports_are_there(house: House) -> None:
    """The first one waits for the second, in either order; what comes again changes nothing."""
    place = Place(house, at_once=False)
    place.business(after=HOUR)
    place.begin()
    place.backups.deliver()
    (first,) = place.summaries()
    assert place.arrived(first).answer == {"waiting": first.split("/events")[0]}
    place.backups.deliver()
    second = place.summaries()[1]

    done = place.arrived(second)

    assert done.report is not None
    assert (done.report.verdict, done.report.entries) == ("clean", 2)
    for key in (first, second):
        again = place.arrived(key)
        assert (again.report, again.ended) == (None, True)
        assert again.answer["kept"]["digest"] == done.report.digest
    assert len(place.kept()) == 1


def test_a_summary_without_its_checksum_is_not_there_yet(place: Place) -> None:
    """DynamoDB writes the checksum after it."""
    place.begin()
    key = place.summaries()[0]
    body = place.bucket.objects.pop(key)
    assert "waiting" in place.arrived(key).answer
    place.bucket.objects[key] = body
    assert place.arrived(key).ended


def test_the_next_night_begins_where_the_last_one_ended(place: Place) -> None:
    """Three nights, no gap and no overlap, and each entry in one of them."""
    for _ in range(3):
        place.begin()
        place.arrived(place.summaries()[-1])
        place.business(after=DAY)

    kept = place.kept()

    assert [n["verdict"] for n in kept] == ["clean"] * 3
    assert [n["window"][0] for n in kept[1:]] == [n["window"][1] for n in kept[:-1]]
    assert [n["entries"] for n in kept] == [2, 2, 2]


def test_a_start_that_comes_twice_starts_one_pair(place: Place) -> None:
    """Also some minutes later."""
    first = place.begin()
    place.house.clock.advance(300)
    assert place.begin() == first
    assert len(place.backups.asked) == 2


def test_too_early_is_no_night(place: Place) -> None:
    """DynamoDB exports no less than a quarter of an hour."""
    place.begin()
    place.arrived(place.summaries()[0])
    assert place.begin() == {"started": None}


def test_an_incomplete_night_is_done_again_with_the_next_one(place: Place) -> None:
    """It is kept, and the window begins where it began, so nothing is left out."""
    place.begin()
    lost = next(key for key in place.bucket.objects if key.endswith(".json.gz"))
    place.bucket.objects.pop(lost)
    done = place.arrived(place.summaries()[0])
    assert (done.report is not None, done.ended) == (True, False)
    assert place.kept()[0]["verdict"] == "incomplete"
    place.backups.exporter.before = {table: {} for table in ("events", "balances")}
    place.business(after=HOUR)

    place.begin()
    place.arrived(place.summaries()[-1])

    assert [n["verdict"] for n in place.kept()] == ["incomplete", "clean"]
    assert place.kept()[1]["window"][0] == BEGAN.isoformat()
    assert place.kept()[1]["entries"] == 4


def test_an_export_whose_summary_cannot_be_read_is_kept_as_incomplete(place: Place) -> None:
    """There is a document of that night all the same, and nothing follows from it."""
    place.begin()
    summary = place.summaries()[0]
    place.bucket.objects[summary] = b"garbage"
    assert not place.arrived(summary).ended
    assert [n["verdict"] for n in place.kept()] == ["incomplete"]


def test_a_night_that_was_complete_is_never_replaced_by_one_that_was_not(place: Place) -> None:
    """Two runs of one window race, and one of them fails."""
    place.begin()
    place.arrived(place.summaries()[0])
    (kept,) = place.kept()
    nights.keep(place.bucket, Report(verdict="incomplete", window=tuple(kept["window"])))
    assert place.kept() == [kept]


def test_a_long_gap_is_caught_up_window_after_window(place: Place) -> None:
    """Each follows the one before at once, until the nights are less than two hours behind."""
    place.begin()
    place.arrived(place.summaries()[-1])
    place.business(after=2 * DAY + 5 * HOUR)
    place.begin()
    for _ in range(5):
        assert place.arrived(place.summaries()[-1]).ended
        night.follow(place.house.runtime, place.bucket)

    kept = place.kept()

    assert [n["window"][0] for n in kept[1:]] == [n["window"][1] for n in kept[:-1]]
    assert len(kept) == 4
    assert datetime.fromisoformat(kept[-1]["window"][1]) > place.house.clock.moment() - HOUR


def test_a_gap_that_recovery_does_not_reach_needs_a_full_run(place: Place) -> None:
    """The job was off for longer than recovery reaches: it says so, and a full run closes the gap."""
    place.begin()
    place.arrived(place.summaries()[-1])
    place.business(after=40 * DAY)
    place.backups.earliest = place.house.clock.moment() - 35 * DAY
    with pytest.raises(Misconfigured, match="a full reconciliation is due"):
        place.begin()
    began = place.house.clock.moment()
    report = reconcile(place.house.runtime)

    nights.keep(place.bucket, nights.vouched(report, began, 60))

    place.business(after=HOUR)
    place.begin()
    window = place.backups.asked[-1]["IncrementalExportSpecification"]
    assert window["ExportFromTime"] == began - timedelta(seconds=120)
    assert place.arrived(place.summaries()[-1]).ended


def test_a_window_that_leaves_a_gap_behind_it_is_incomplete(place: Place) -> None:
    """Somebody exported by hand and left hours out."""
    place.begin()
    place.arrived(place.summaries()[-1])
    ended = nights.last(place.bucket)
    assert ended is not None
    place.business(after=DAY)
    exports.start(place.house.runtime, "exports", ended + HOUR, ended + 2 * HOUR)

    done = place.arrived(place.summaries()[-1])

    assert done.report is not None
    assert done.report.verdict == "incomplete"
    assert "nothing vouches for the time from" in done.report.unread[0]
    assert nights.last(place.bucket) == ended


def test_without_recovery_there_is_no_export(place: Place) -> None:
    """It is a matter of the deployment."""
    place.backups.enabled = False
    with pytest.raises(Misconfigured, match="no point-in-time recovery"):
        place.begin()


def test_what_is_no_part_of_an_export_is_left_alone(place: Place) -> None:
    """The nights lie in the same bucket."""
    assert place.arrived("nights/2026-09-21T15:00:00Z.json").answer == {"waiting": None}


def test_a_night_keeps_a_hundred_findings(place: Place) -> None:
    """The others are counted."""
    place.begin()
    place.arrived(place.summaries()[-1])
    for _ in range(60):
        place.house.ledger.transfer(
            source="world:card", destination="user:1", money=Money(1, "EUR"), type="deposit"
        )
    place.house.new_records()  # and trimmed
    place.house.clock.advance(3600)
    place.begin()

    done = place.arrived(place.summaries()[-1])

    assert done.report is not None
    assert len(done.report.findings) == 120
    last = place.kept()[-1]
    assert (len(last["findings"]), last["omitted"]) == (100, 20)
    assert done.ended, "drift is a verdict: the next night goes on"


@given(
    ended=st.none() | st.integers(0, 40 * 86_400),
    earliest=st.integers(0, 40 * 86_400),
    latest=st.integers(0, 40 * 86_400),
)
def test_a_window_is_what_dynamodb_exports(ended: int | None, earliest: int, latest: int) -> None:
    """Within what recovery reaches, a quarter of an hour to a day, and where the last one ended."""
    at = [None if s is None else BEGAN + timedelta(seconds=s) for s in (ended, earliest, latest)]
    try:
        window = nights.next_window(*at)  # type: ignore[arg-type]  # the last two are given
    except Misconfigured:
        assert ended is not None
        assert ended < earliest
        return
    if window is not None:
        since, until = window
        assert BEGAN + timedelta(seconds=earliest) <= since
        assert until <= BEGAN + timedelta(seconds=latest)
        assert timedelta(minutes=15) <= until - since <= DAY
        assert ended is None or since == BEGAN + timedelta(seconds=ended)


def test_a_house_of_its_own_has_its_own_nights(new_house: NewHouse) -> None:
    """Before the first night there is none."""
    assert nights.last(Place(new_house()).bucket) is None


def test_a_night_that_is_not_far_behind_is_not_followed_at_once(place: Place) -> None:
    """The next one is the schedule's: else every night would be cut into quarters of an hour."""
    place.begin()
    place.arrived(place.summaries()[-1])
    place.house.clock.advance(3600)
    asked = len(place.backups.asked)

    assert night.follow(place.house.runtime, place.bucket) is None

    assert len(place.backups.asked) == asked
    assert place.begin()["started"]
