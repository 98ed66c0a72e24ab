"""A reconciliation: every account's view against the log, then the log against itself.

Read-only, strongly consistent, in constant memory: accounts one at a time, the log's headers and
entries as digests in buckets, of which only those that differ are read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ledger import check, ids, keys
from ledger.errors import NotFound
from ledger.log import logger
from ledger.model import Entry
from ledger.reconcile import account
from ledger.reconcile.candidates import Confirmed, confirm, reading
from ledger.reconcile.counts import Counts
from ledger.reconcile.deadline import OutOfTime, Remaining, timed
from ledger.reconcile.deadline import check as check_time
from ledger.reconcile.grace import Grace
from ledger.reconcile.legs import NamedLegs, WholeLog
from ledger.reconcile.report import Report
from ledger.reconcile.scans import registered, unregistered
from ledger.runtime import Runtime

Progress = Callable[[int, int | None], None]
"""Told how many accounts are done, of how many where that is known."""

log = logger("ledger.reconcile")


def reconcile(
    rt: Runtime,
    accounts: Iterable[str] | None = None,
    *,
    grace_seconds: float | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
    remaining: Remaining | None = None,
) -> Report:
    """Replay the log and verify the views: of the whole ledger, or of the accounts named.

    `grace_seconds` (the settings' when None): younger entries may be in flight, and what looks
    wrong is looked at once more after it; a clean ledger is not waited for. `remaining`: how many
    seconds are left, where someone ends the process: the run then ends incomplete, half a minute before.

    Raises:
        InvalidRequest: an account's name is malformed.
        NotFound: an account that was named does not exist.
        Misconfigured: no such tables, or no permission to read them at all.
    """
    names = None if accounts is None else [check.account(name) for name in dict.fromkeys(accounts)]
    wait = rt.settings.grace_seconds if grace_seconds is None else grace_seconds
    reachable(rt)
    now_ms = rt.clock.time_ms()
    grace = Grace(now_ms - int(wait * 1000), rt.clock.time_ms)
    rt = timed(rt, remaining)

    def wait_for(seconds: float) -> None:
        check_time(remaining, seconds)
        sleep(seconds)

    run = _Run(rt, now_ms, grace, progress)
    confirmed = Confirmed()
    try:
        if names is None:
            run.whole()
        else:
            run.named(names)
        confirmed = confirm(rt, run.counts.candidates, grace, wait, wait_for)
    except OutOfTime:
        run.counts.out_of_time()
    report = run.counts.report(confirmed)
    summed_up(report)
    return report


def summed_up(report: Report) -> None:
    """The run's log line."""
    log.info(
        "reconciled",
        mode=report.mode,
        verdict=report.verdict,
        findings=len(report.findings) + report.omitted,
        unread=len(report.unread),
        accounts=report.accounts,
        entries=report.entries,
        in_flight=report.in_flight,
        digest=report.digest,
    )


def reachable(rt: Runtime) -> None:
    """Fail at once where nothing can be read at all: that is no incomplete run."""
    settings = rt.settings
    for table in (settings.events_table, settings.balances_table, settings.accounts_table):
        rt.store.get(table, "PROBE", "PROBE", consistent=False)
    rt.store.get(settings.idempotency_table, "PROBE", consistent=False)


@dataclass(slots=True)
class _Run:
    """One run."""

    rt: Runtime
    start_ms: int
    grace: Grace
    progress: Progress | None
    counts: Counts = field(default_factory=Counts)

    def whole(self) -> None:
        """Every account that has a record or a balance, then the log as a whole."""
        whole = WholeLog(self.rt, self.grace, self.counts.candidates, self.counts.unread)
        with reading("the accounts", self.counts.unread):
            for name in registered(self.rt):
                self._account(name, whole.queried)
        with reading("the balances", self.counts.unread):
            for name in unregistered(self.rt):
                self.counts.candidates.account(name)
                self._account(name, whole.queried)
        with reading("the log", self.counts.unread):
            whole.compare()
            for name in whole.unlisted:
                self.counts.candidates.account(name)
                self._account(name, None)
        with reading("the idempotency keys", self.counts.unread):
            whole.compare_keys()
        self.counts.transactions, self.counts.digest = whole.transactions, whole.hexdigest()

    def named(self, names: Sequence[str]) -> None:
        """The accounts named, and the headers of their entries."""
        legs = NamedLegs(self.rt, self.counts.candidates)
        for name in names:
            if not self._account(name, legs.see):
                raise NotFound(f"account {name} has no record, no entries and no balance")
        with reading("the headers", self.counts.unread):
            legs.flush()
        self.counts.transactions, self.counts.digest = legs.transactions, legs.hexdigest()

    def _account(self, name: str, observe: Callable[[Entry], None] | None) -> bool:
        """Compare one account. False if there is no trace of it."""
        found: list[str] = []
        with reading(f"account {name}", self.counts.unread):
            found = account.currencies(self.rt, name)
        for currency in found:
            with reading(f"account {name} in {currency}", self.counts.unread):
                self._balance(name, currency, observe)
        self.counts.accounts += 1
        if self.progress is not None:
            self.progress(self.counts.accounts, None)
        return bool(found or self.counts.unread) or self._has_record(name)

    def _has_record(self, name: str) -> bool:
        place = (keys.account(name), keys.RECORD)
        return self.rt.store.get(self.rt.settings.accounts_table, *place) is not None

    def _balance(self, name: str, currency: str, observe: Callable[[Entry], None] | None) -> None:
        def seen(entry: Entry) -> None:
            # The other side of a younger one may lie in an account that was read before.
            if ids.time_ms(entry.transaction_id) < self.start_ms:
                self.counts.add(entry)
            if observe is not None:
                observe(entry)

        checked = account.check(self.rt, name, currency, self.grace, seen)
        self.counts.unread += checked.unread
        self.counts.entries += checked.entries
        self.counts.in_flight += checked.in_flight
        if checked.findings:
            self.counts.candidates.balance(name, currency)
