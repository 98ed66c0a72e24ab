"""The reconciliation of one window: what was written in it, and the views that it touched.

The exports say what changed, by the time of the write. It is compared as a full reconciliation
compares, against the tables as they stand now: read-only, consistent, the view first. A page that
nothing touched is taken at its word, so the cost grows with the day and, by its pages alone, with
the history of the accounts that moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime

from ledger.errors import InvalidRequest, LedgerError
from ledger.reconcile import account
from ledger.reconcile.account import Checked
from ledger.reconcile.candidates import Confirmed, confirm, reading
from ledger.reconcile.counts import Counts
from ledger.reconcile.deadline import OutOfTime, Remaining, timed
from ledger.reconcile.deadline import check as check_time
from ledger.reconcile.export.bucket import Objects
from ledger.reconcile.export.changes import LogChanges, Views
from ledger.reconcile.export.files import SUMMARY, Change, Export, changes, export, files
from ledger.reconcile.grace import Grace
from ledger.reconcile.report import Report
from ledger.reconcile.run import Progress, reachable, summed_up
from ledger.reconcile.scans import without_record
from ledger.reconcile.scope import Scope
from ledger.runtime import Runtime

NAMES_AT_ONCE = 100
PLACES_AT_ONCE = 256
LINES_A_LOOK = 1000
"""After so many lines of an export, which ask DynamoDB nothing, the time that is left is looked at."""


def reconcile_window(
    rt: Runtime,
    objects: Objects,
    exports: Sequence[str],
    *,
    grace_seconds: float | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
    remaining: Remaining | None = None,
    parallel: int = 8,
) -> Report:
    """Verify what a window wrote, by the incremental exports of the log and of the balances.

    `exports` are their folders in the bucket, `…/AWSDynamoDB/<export>`, in either order. The run
    begins no sooner than `grace_seconds` after the window's end, so that nothing in it is in flight
    and the next window need not look back. `parallel` views are compared side by side. The other
    arguments are those of `reconcile`.

    Raises:
        InvalidRequest: they are no such exports, or not of this ledger's tables and one window.
        Misconfigured: no such tables, or no permission to read them at all.
    """
    wait = rt.settings.grace_seconds if grace_seconds is None else grace_seconds
    reachable(rt)
    try:
        pair = _pair(rt, [export(objects, _summary(key)) for key in exports])
    except InvalidRequest:
        raise
    except LedgerError as error:
        return Report(verdict="incomplete", unread=(f"the exports: {error}",), mode="window")
    rt = timed(rt, remaining)

    def wait_for(seconds: float) -> None:
        check_time(remaining, seconds)
        sleep(seconds)

    run = _Run(rt, objects, pair, progress, remaining, parallel)
    confirmed = Confirmed()
    try:
        run.changes()
        _let_settle(rt, pair.log.until, wait, wait_for)
        grace = Grace(rt.clock.time_ms() - int(wait * 1000), rt.clock.time_ms)
        run.compare(grace)
        confirmed = confirm(rt, run.counts.candidates, grace, wait, wait_for, run.scope)
    except OutOfTime:
        run.counts.out_of_time()
    window = tuple(at.isoformat() for at in (pair.log.since, pair.log.until))
    report = run.counts.report(confirmed, mode="window", window=window)
    summed_up(report)
    return report


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two exports of one window."""

    log: Export
    balances: Export


def _summary(key: str) -> str:
    return key if key.endswith(SUMMARY) else f"{key.rstrip('/')}/{SUMMARY}"


def _pair(rt: Runtime, found: Sequence[Export]) -> _Pair:
    by_table = {one.table: one for one in found}
    wanted = (rt.settings.events_table, rt.settings.balances_table)
    if len(found) != len(wanted) or by_table.keys() != set(wanted):
        raise InvalidRequest(
            f"exports of {', '.join(one.table for one in found) or 'nothing'}: expected one of "
            f"{wanted[0]} and one of {wanted[1]}, the ledger's tables"
        )
    log, balances = (by_table[table] for table in wanted)
    if (log.since, log.until) != (balances.since, balances.until):
        raise InvalidRequest(
            f"the exports are of two windows, {log.since:%FT%TZ} to {log.until:%FT%TZ} and "
            f"{balances.since:%FT%TZ} to {balances.until:%FT%TZ}: expected one"
        )
    return _Pair(log, balances)


def _let_settle(rt: Runtime, until: datetime, wait: float, sleep: Callable[[float], None]) -> None:
    """Wait until what was written last is older than the grace time."""
    left = until.timestamp() + wait - rt.clock.time()
    if left > 0:
        sleep(min(left, wait))


@dataclass(slots=True)
class _Run:
    """One run."""

    rt: Runtime
    objects: Objects
    pair: _Pair
    progress: Progress | None
    remaining: Remaining | None
    parallel: int
    counts: Counts = field(default_factory=Counts)
    views: Views = field(default_factory=Views)

    def changes(self) -> None:
        """Read both exports; the log's once more where headers and entries differ."""
        log = LogChanges(self.rt, self.counts, self.views)
        for change in self._changes(self.pair.log):
            log.see(change)
        log.finish()
        if buckets := log.buckets():
            log.narrow(self._changes(self.pair.log), buckets)
        for change in self._changes(self.pair.balances):
            self.views.see(change)

    def _changes(self, of: Export) -> Iterator[Change]:
        """All that an export has; a file that cannot be read makes the run incomplete."""
        with reading(f"the export of {of.table}", self.counts.unread):
            for file in files(self.objects, of):
                with reading("a file of the export", self.counts.unread):
                    for number, change in enumerate(changes(self.objects, file)):
                        if number % LINES_A_LOOK == 0:
                            check_time(self.remaining)
                        yield change

    def compare(self, grace: Grace) -> None:
        """The views that the window touched, and whether their accounts have records."""
        names = list(dict.fromkeys(name for name, _ in self.views))
        for start in range(0, len(names), NAMES_AT_ONCE):
            with reading("the accounts", self.counts.unread):
                for name in without_record(self.rt, names[start : start + NAMES_AT_ONCE]):
                    self.counts.candidates.account(name)
        for done, (place, checked) in enumerate(self._side_by_side(grace), 1):
            self.counts.unread += checked.unread
            self.counts.in_flight += checked.in_flight
            if checked.findings:
                self.counts.candidates.balance(*place)
            if self.progress is not None:
                self.progress(done, len(self.views))
        self.counts.accounts = len(names)

    def _side_by_side(self, grace: Grace) -> Iterator[tuple[tuple[str, str], Checked]]:
        """Most of the time of one account's comparison is spent waiting for DynamoDB."""
        places = list(self.views)
        with ThreadPoolExecutor(self.parallel) as pool:
            for start in range(0, len(places), PLACES_AT_ONCE):
                some = places[start : start + PLACES_AT_ONCE]
                # A thread has none of the caller's context, in which log lines say whose they are.
                contexts = [copy_context() for _ in some]
                found = pool.map(lambda c, place: c.run(self._check, *place, grace), contexts, some)
                yield from zip(some, found, strict=True)

    def _check(self, name: str, currency: str, grace: Grace) -> Checked:
        unread: list[str] = []
        with reading(f"account {name} in {currency}", unread):
            scope = self.scope(name, currency)
            return account.check(self.rt, name, currency, grace, scope=scope)
        return Checked(unread=unread)

    def scope(self, name: str, currency: str) -> Scope:
        """What is compared of an account and currency, at first and to confirm."""
        return self.views[name, currency].scope()
