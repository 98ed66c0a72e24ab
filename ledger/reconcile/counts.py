"""What a run has counted, what it could not read, and what looked wrong: its report comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ledger.model import Entry
from ledger.reconcile.candidates import Candidates, Confirmed
from ledger.reconcile.report import MAX_FINDINGS, Report, Totals, Verdict


@dataclass(slots=True)
class Counts:
    """The figures of a run, under the names that the report has."""

    candidates: Candidates = field(default_factory=Candidates)
    unread: list[str] = field(default_factory=list)
    totals: dict[str, Totals] = field(default_factory=dict)
    accounts: int = 0
    entries: int = 0
    singles: int = 0
    transactions: int = 0
    in_flight: int = 0
    digest: str = ""

    def add(self, entry: Entry, sign: int = 1) -> None:
        """Add an entry to the trial balance; with a sign of -1, take it out again."""
        total = self.totals.get(entry.currency, Totals())
        name = ("single_" if entry.single else "") + f"{entry.direction}s"
        self.totals[entry.currency] = replace(
            total, **{name: getattr(total, name) + sign * entry.amount_minor}
        )
        self.singles += sign * entry.single

    def out_of_time(self) -> None:
        """The rest was not read; what looked wrong by then was not looked at again."""
        self.unread.append(
            f"out of time, after {self.accounts} accounts and {self.entries} entries; "
            f"{self.candidates.count} places that looked wrong were not looked at again: give the "
            "function more time or memory, or run `folio reconcile` where nothing ends it"
        )

    def report(self, confirmed: Confirmed, **more: Any) -> Report:
        """The verdict: never clean where something was not read. `more` are fields of the report."""
        unread = tuple(dict.fromkeys([*self.unread, *confirmed.unread]))
        beyond = max(0, len(confirmed.findings) - MAX_FINDINGS)
        omitted = beyond + confirmed.omitted + self.candidates.omitted
        verdict: Verdict = "drift" if confirmed.findings else "clean"
        if unread or (omitted and not confirmed.findings):
            verdict = "incomplete"  # What was not looked at again is neither clean nor drift.
        return Report(
            verdict=verdict,
            findings=tuple(confirmed.findings[:MAX_FINDINGS]),
            omitted=omitted,
            unread=unread,
            accounts=self.accounts,
            entries=self.entries,
            transactions=self.transactions,
            singles=self.singles,
            in_flight=self.in_flight,
            totals=dict(sorted(self.totals.items())),
            digest=self.digest,
            **more,
        )
