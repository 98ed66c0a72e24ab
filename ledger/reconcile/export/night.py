"""One night: start the exports of the window that is next; once both are there, compare and keep it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ledger.log import logger
from ledger.reconcile.deadline import Remaining
from ledger.reconcile.export import exports, nights
from ledger.reconcile.export.bucket import Objects
from ledger.reconcile.export.window import reconcile_window
from ledger.reconcile.report import Report
from ledger.runtime import Runtime

BEHIND = timedelta(hours=2)
"""While the nights are further behind than this, the next window follows at once."""

log = logger("ledger.reconcile")


@dataclass(frozen=True, slots=True)
class Night:
    """What came of an event. `report` is None where there was nothing to compare yet, or no more.

    `ended`: whether a window is verified, now or before, so that the next one may follow.
    """

    answer: Mapping[str, Any]
    report: Report | None = None
    ended: bool = False


def begin(rt: Runtime, bucket: Objects) -> Night:
    """Start the exports of the next window, if there is one yet.

    Raises:
        Misconfigured: no point-in-time recovery, or a gap that it does not reach; no permission.
        Unavailable: AWS does not answer.
    """
    window = nights.next_window(nights.last(bucket), *exports.reach(rt))
    if window is None:
        return Night({"started": None})
    started = exports.start(rt, bucket.name, *window)
    told = {
        "since": started.since.isoformat(),
        "until": started.until.isoformat(),
        "exports": list(started.arns),
    }
    log.info("exports started", **told)
    return Night({"started": told})


def compare(
    rt: Runtime,
    bucket: Objects,
    key: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    remaining: Remaining | None = None,
) -> Night:
    """Reconcile the window that the object `key` is of, once all of it is there, and keep the night.

    Called again, or for both exports at once, it changes nothing.
    """
    folder = exports.folder_of(key)
    ready = exports.ready(bucket, folder) if folder else None
    if ready is None:
        return Night({"waiting": folder})
    until = _until(folder or "")
    if kept := nights.found(bucket, until):
        return Night({"kept": dict(kept)}, ended=True)
    report = reconcile_window(rt, bucket, ready, sleep=sleep, remaining=remaining)
    report = _following(report, nights.last(bucket), until)
    nights.keep(bucket, report)
    return Night(report.to_json(), report, ended=report.verdict != "incomplete")


def _until(folder: str) -> datetime:
    return datetime.strptime(folder.rpartition("-")[2] + "+0000", "%Y%m%dT%H%M%SZ%z")


def _following(report: Report, ended: datetime | None, until: datetime) -> Report:
    """A night that leaves a gap behind it proves nothing; one of exports that cannot be read has no window."""
    if not report.window:
        return replace(report, window=("", until.isoformat()))
    since = datetime.fromisoformat(report.window[0])
    if ended is None or since <= ended:
        return report
    gap = f"nothing vouches for the time from {ended.isoformat()} to {since.isoformat()}"
    return replace(report, verdict="incomplete", unread=(*report.unread, gap))


def follow(rt: Runtime, bucket: Objects) -> Night | None:
    """Start the next window at once, where the nights are far behind. Raises as `begin` does."""
    ended = nights.last(bucket)
    if ended is None or exports.reach(rt)[1] - ended <= BEHIND:
        return None
    return begin(rt, bucket)
