"""What each night found, kept in the exports' bucket, which no writer can write: `nights/<until>.json`.

A night begins where the last complete one ended, so there is neither gap nor overlap. A full
reconciliation stands among them as the night that vouches for all that came before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.errors import Misconfigured
from ledger.reconcile.export.bucket import Objects
from ledger.reconcile.grace import MAX_AHEAD_MS
from ledger.reconcile.report import Report

PREFIX = "nights/"
FINDINGS_KEPT = 100
"""Of a night with more, the others are counted: the log of the run has its verdict, repair its own run."""

SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(hours=24)
"""What DynamoDB exports as one window."""


def vouched(report: Report, began: datetime, grace_seconds: float) -> Report:
    """A full report, with the moment up to which it vouches for the log.

    What was written before its grace time began was no longer in flight for it, whatever the clock
    of its writer.
    """
    until = began - timedelta(seconds=grace_seconds, milliseconds=MAX_AHEAD_MS)
    return replace(report, window=("", until.replace(microsecond=0).isoformat()))


def keep(objects: Objects, report: Report) -> None:
    """Keep a report. A complete one is never replaced by one that is not."""
    until = datetime.fromisoformat(report.window[1])
    if report.verdict == "incomplete" and found(objects, until):
        return
    beyond = len(report.findings[FINDINGS_KEPT:])
    kept = replace(
        report, findings=report.findings[:FINDINGS_KEPT], omitted=report.omitted + beyond
    )
    objects.put(_key(until), json.dumps(kept.to_json(), indent=1).encode())


def found(objects: Objects, until: datetime) -> Mapping[str, Any] | None:
    """The complete night that ended at `until`, as it is kept."""
    return _complete(objects, _key(until)) if _key(until) in objects.names(_key(until)) else None


def last(objects: Objects) -> datetime | None:
    """Where the last complete night ended; None before the first."""
    for key in reversed(list(objects.names(PREFIX))):
        if night := _complete(objects, key):
            return datetime.fromisoformat(night["window"][1])
    return None


def next_window(
    ended: datetime | None, earliest: datetime, latest: datetime
) -> tuple[datetime, datetime] | None:
    """The window after the night that `ended`; None while it is too short yet.

    `earliest` and `latest` are what point-in-time recovery reaches. Ends lie on quarters of an hour,
    so that a start that comes twice asks for the same window. A gap of more than a day is caught up
    in several windows.

    Raises:
        Misconfigured: the gap begins before what can be exported.
    """
    end = latest.replace(minute=latest.minute // 15 * 15, second=0, microsecond=0)
    first = -(-earliest.timestamp() // 1)  # Exports know whole seconds.
    since = ended or max(end - LONGEST, datetime.fromtimestamp(first, UTC))
    if since < earliest:
        raise Misconfigured(
            f"the last night ended at {since:%FT%TZ}, and point-in-time recovery reaches back to "
            f"{earliest:%FT%TZ}: a full reconciliation is due, which closes the gap"
        )
    until = min(end, since + LONGEST)
    return (since, until) if until - since >= SHORTEST else None


def _complete(objects: Objects, key: str) -> Mapping[str, Any] | None:
    night: Mapping[str, Any] = json.loads(b"".join(objects.chunks(key)))
    return night if night["verdict"] != "incomplete" else None


def _key(until: datetime) -> str:
    return f"{PREFIX}{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}.json"
