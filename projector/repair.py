"""Repair: what a reconciliation found missing is applied from the log; the rest needs a rebuild."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ledger import fingerprint, ids, keys
from ledger.errors import LedgerError
from ledger.items import BadItem, entry_from
from ledger.model import Entry
from ledger.reconcile import Finding, Report
from ledger.runtime import Runtime
from projector.apply import apply
from projector.fold import parts
from projector.publish import Bus


@dataclass(frozen=True, slots=True)
class Plan:
    """What a repair would do: apply `missing` from the log. `rebuild` it leaves alone, and names."""

    missing: tuple[Finding, ...]
    rebuild: tuple[Finding, ...]


@dataclass(slots=True)
class Repaired:
    """What a repair did: `applied` entries; `already` were there by then; `failed` and why."""

    applied: int = 0
    already: int = 0
    failed: list[str] = field(default_factory=list)


def plan(report: Report) -> Plan:
    """Sort a report's findings by what can be done about them."""
    missing = tuple(f for f in report.findings if f.kind == "missing")
    return Plan(missing, tuple(f for f in report.findings if f.kind != "missing"))


def repair(rt: Runtime, plan: Plan, bus: Bus | None = None) -> Repaired:
    """Apply what is missing, through the projector's own apply: beside live projection, harmlessly."""
    done = Repaired()
    for (account, currency), findings in _by_balance(plan.missing).items():
        for part in parts(findings):
            _apply(rt, account, currency, [f.entry_id for f in part], done, bus)
    return done


def _by_balance(findings: Iterable[Finding]) -> dict[tuple[str, str], list[Finding]]:
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.account, finding.currency), []).append(finding)
    return grouped


def _apply(
    rt: Runtime,
    account: str,
    currency: str,
    entry_ids: Sequence[str],
    done: Repaired,
    bus: Bus | None,
) -> None:
    try:
        entries = {ids.pack(e.id): e for e in _sound(rt, account, currency, entry_ids)}
        if len(entries) < len(entry_ids):
            lacking = len(entry_ids) - len(entries)
            done.failed.append(
                f"{account} in {currency}: {lacking} entries are not sound in the log"
            )
        # Published first: once it is applied it is missing no more, and nothing brings it again.
        left = bus.publish(list(entries.values()), parallel=1) if bus is not None else {}
        for id, why in left.items():
            done.failed.append(
                f"{account} in {currency}: not published, so not applied: {why.reason}: mend "
                "that, or unset LEDGER_EVENT_BUS, and it is applied and never published"
            )
            del entries[ids.pack(id)]
        tally = apply(rt, account, currency, entries)
    except LedgerError as error:
        done.failed.append(f"{account} in {currency}: {type(error).__name__}: {error}")
        return
    done.applied += tally.applied
    done.already += tally.duplicates


def _sound(rt: Runtime, account: str, currency: str, entry_ids: Sequence[str]) -> Iterator[Entry]:
    """The entries as they stand in the log, if they are what they were written as."""
    places = [(keys.account(account), keys.event(currency, id)) for id in entry_ids]
    for item in rt.store.get_many(rt.settings.events_table, places):
        try:
            entry = entry_from(item)
        except BadItem:
            continue  # Counted as not sound by the caller.
        if fingerprint.of_entry(entry) == entry.fingerprint:
            yield entry
