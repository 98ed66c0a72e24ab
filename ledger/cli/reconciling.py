"""`reconcile` and `repair`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import RenderableType

from ledger.cli import codes, windows
from ledger.cli.output import printable, table, text
from ledger.cli.progress import steps
from ledger.cli.redriving import bus_of
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from ledger.money import Money
from ledger.reconcile import Finding, Report, reconcile
from projector.repair import Plan, Repaired, plan, repair

STYLES = {"clean": "green", "drift": "red", "incomplete": "yellow"}

Accounts = Annotated[
    list[str] | None,
    typer.Argument(help="These alone; else the whole ledger.", metavar="ACCOUNT..."),
]
Grace = Annotated[
    float | None,
    typer.Option(
        help="Younger entries may be in flight (default: the settings').", metavar="SECONDS"
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def reconcile_(
    session: Session,
    accounts: Accounts = None,
    grace: Grace = None,
    export: windows.Exports = None,
    nights: windows.Nights = None,
) -> int:
    """Replay the log and name what the view misses, has twice or has wrong. It changes nothing.

    It ends clean (exit code 0), with drift (3), or incomplete where something could not be read (4).
    By --export it compares what a window of time wrote, at a cost that grows with the window.

    Example: folio reconcile

    Example: folio reconcile user:42 shop:7 --json
    """
    if accounts and (export or nights):
        raise InvalidRequest("--export and --nights are of the whole ledger: name no accounts")
    if nights:
        windows.place(nights)
    with session.ledger(settled=True) as ledger:
        began = windows.now(ledger)
        report = (
            windows.compared(session, ledger, export, grace)
            if export
            else _reconciled(session, ledger, accounts, grace)
        )
        if nights:
            report = windows.kept(session, ledger, report, began, nights, grace)
        session.output.show(report.to_json(), *_shown(ledger, report))
    return report.exit_code


def _reconciled(
    session: Session, ledger: Ledger, accounts: Sequence[str] | None, grace: float | None
) -> Report:
    with steps(session.output, "reconciling") as progress:
        return reconcile(
            ledger.runtime,
            accounts or None,
            grace_seconds=grace,
            progress=lambda done, total: progress.at(done, total, accounts=done),
        )


def _shown(ledger: Ledger, report: Report) -> list[RenderableType]:
    shown: list[RenderableType] = []
    if report.findings:
        shown.append(_findings(report.findings))
    if report.omitted:
        shown.append(
            f"and {report.omitted:,} more findings (`folio replay` applies a whole log, whatever its size)"
        )
    shown += [text(f"not read: {what}") for what in report.unread]
    if report.totals:
        shown.append(_totals(ledger, report))
    if report.mode == "window":
        shown.append(f"the window from {' until '.join(report.window) or '?'}")
    counted = (
        f"{report.accounts:,} accounts, {report.entries:,} entries, "
        f"{report.transactions:,} transactions, {report.singles:,} appended by themselves, "
        f"{report.in_flight:,} in flight; digest {report.digest}"
    )
    return [*shown, counted, text(report.verdict, STYLES[report.verdict])]


def _findings(findings: Sequence[Finding]) -> RenderableType:
    rows = [
        [f.kind, f.account, f.currency, f.entry_id or f.page or f.transaction_id, f.message]
        for f in findings
    ]
    return table(["finding", "account", "currency", "entry, page or transaction", "what"], rows)


def _totals(ledger: Ledger, report: Report) -> RenderableType:
    rows = [
        [
            ledger.format(Money(amount, code))
            for amount in (t.credits, t.debits, t.credits - t.debits)
        ]
        + [ledger.format(Money(t.single_credits - t.single_debits, code))]
        for code, t in report.totals.items()
    ]
    columns = ["credits", "debits", "difference", "appended by themselves"]
    return table(columns, rows, numbers="credits debits difference")


def repair_(
    session: Session, accounts: Accounts = None, grace: Grace = None, yes: Yes = False
) -> int:
    """Apply what the view misses, from the log. It says what it would do, and asks.

    What it cannot mend is named, for a rebuild (exit code 3). Without a terminal, and with --json,
    it applies with --yes only.

    Example: folio repair

    Example: folio repair --yes --json
    """
    with session.ledger(settled=True) as ledger:
        report = _reconciled(session, ledger, accounts, grace)
        wanted = plan(report)
        if not session.output.json:
            session.output.show({}, *_planned(wanted))
        agreed = bool(wanted.missing) and (yes or _asked(session, wanted))
        done = repair(ledger.runtime, wanted, bus_of(session, ledger)) if agreed else Repaired()
    code = _repair_code(report, wanted, done, agreed=agreed)
    document = {
        "verdict": report.verdict,
        "missing": [asdict(finding) for finding in wanted.missing],
        "rebuild": [asdict(finding) for finding in wanted.rebuild],
        "omitted": report.omitted,
        "unread": list(report.unread),
        "agreed": agreed,
        "applied": done.applied,
        "already": done.already,
        "failed": done.failed,
        "exit_code": code,
    }
    session.output.show(document, *_repaired(done, agreed=agreed))
    return code


def _planned(wanted: Plan) -> list[RenderableType]:
    shown: list[RenderableType] = []
    if wanted.missing:
        shown += [f"to be applied from the log: {len(wanted.missing):,}", _findings(wanted.missing)]
    if wanted.rebuild:
        shown += [f"need a rebuild, left alone: {len(wanted.rebuild):,}", _findings(wanted.rebuild)]
    return shown or ["nothing to repair"]


def _asked(session: Session, wanted: Plan) -> bool:
    if not session.output.watched:
        return False
    return typer.confirm(f"apply {len(wanted.missing)} entries?", err=True)


def _repaired(done: Repaired, *, agreed: bool) -> list[RenderableType]:
    if not agreed:
        return ["nothing was applied"]
    said = f"{done.applied:,} applied, {done.already:,} were there by then"
    return [said, *(f"failed: {printable(why)}" for why in done.failed)]


def _repair_code(report: Report, wanted: Plan, done: Repaired, *, agreed: bool) -> int:
    if done.failed:
        return codes.ERROR
    if report.verdict == "incomplete":
        return codes.INCOMPLETE
    left = wanted.rebuild or report.omitted or (wanted.missing and not agreed)
    return codes.DRIFT if left else codes.DONE
