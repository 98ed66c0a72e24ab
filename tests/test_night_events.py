"""The nightly job by the day: the schedule and S3 call it, and it answers as any other night."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from ledger import Misconfigured, Money
from ledger.reconcile import handler as job
from ledger.reconcile.export import Bucket
from tests.support.exports import Backups, Memory
from tests.support.house import House


@pytest.fixture
def bucket() -> Memory:
    """Where the exports lie."""
    return Memory()


@pytest.fixture
def backups(house: House, bucket: Memory) -> Backups:
    """The house's tables have point-in-time recovery."""
    backups = house.runtime.store.client = Backups(house, bucket)
    return backups


@pytest.fixture
def nightly(
    house: House, backups: Backups, bucket: Memory, monkeypatch: pytest.MonkeyPatch
) -> House:
    """The job on the house's tables and the bucket."""
    monkeypatch.setattr(job, "parts", lambda: job.Parts(house.runtime, nullcontext))
    monkeypatch.setattr(Bucket, "connect", lambda _name, _rt: bucket)
    house.ledger.transfer(
        source="world:card", destination="user:1", money=Money(1, "EUR"), type="deposit"
    )
    house.clock.advance(600)
    return house


def arrived(key: str) -> dict[str, Any]:
    """What EventBridge hands over when an object was made."""
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "exports"}, "object": {"key": key}},
    }


def test_a_night_by_the_day(
    nightly: House, bucket: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    """The schedule has the window exported; its last object makes the verdict, which is kept.

    What has nothing to say has no metrics: a night that only began is no night.
    """
    nightly.settle()
    nightly.clock.advance(3600)

    started = job.handler({"bucket": "exports", "export": "start"}, None)

    assert len(started["started"]["exports"]) == 2
    assert "Clean" not in capsys.readouterr().out
    summaries = [key for key in bucket.objects if key.endswith("manifest-summary.md5")]
    answer = job.handler(arrived(summaries[0]), None)
    assert (answer["verdict"], answer["mode"], answer["entries"]) == ("clean", "window", 2)
    assert '"Clean":[1.0]' in capsys.readouterr().out.replace(" ", "")
    again = job.handler(arrived(summaries[1]), None)
    assert again["kept"]["digest"] == answer["digest"]
    assert "Clean" not in capsys.readouterr().out


def test_a_full_night_that_is_kept_is_where_the_next_window_begins(
    nightly: House, backups: Backups
) -> None:
    """It vouches for all that was no longer in flight when it began."""
    nightly.settle()
    began = nightly.clock.moment()

    assert job.handler({"bucket": "exports"}, None)["verdict"] == "clean"
    nightly.clock.advance(3600)
    job.handler({"bucket": "exports", "export": "start"}, None)

    window = backups.asked[0]["IncrementalExportSpecification"]
    assert window["ExportFromTime"] == began - timedelta(seconds=60 + 60)


def test_a_night_that_cannot_begin_is_incomplete(
    nightly: House, backups: Backups, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without recovery there is no export: Lambda counts an error, and the metrics say incomplete."""
    backups.enabled = False

    with pytest.raises(Misconfigured, match="point-in-time recovery"):
        job.handler({"bucket": "exports", "export": "start"}, None)

    assert '"Incomplete":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_a_night_that_is_far_behind_is_followed_by_the_next_window_at_once(
    nightly: House, backups: Backups, bucket: Memory
) -> None:
    """The job was off for three days: one start, and each window that is done begins the next."""
    nightly.settle()
    job.handler({"bucket": "exports"}, None)
    nightly.clock.advance(3 * 86_400)
    job.handler({"bucket": "exports", "export": "start"}, None)

    for done in range(1, 5):
        newest = [key for key in bucket.objects if key.endswith("manifest-summary.md5")][-1]
        job.handler(arrived(newest), None)
        assert len([key for key in bucket.objects if key.startswith("nights/")]) == 1 + min(done, 3)

    windows = [asked["IncrementalExportSpecification"] for asked in backups.asked[::2]]
    assert len(windows) == 3
    assert windows[-1]["ExportToTime"] > nightly.clock.moment() - timedelta(hours=2)
