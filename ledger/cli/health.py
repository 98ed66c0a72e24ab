"""`lag` and `health`: for people, and for probes by their exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from ledger.cli import codes
from ledger.cli.output import table, text
from ledger.cli.session import Session
from ledger.health import Check, Clients, check
from ledger.health import quick as quickly
from ledger.ledger import Ledger
from ledger.read.lag import DEFAULT_SAMPLE, Lag
from ledger.settings import Settings

STYLES = {"ok": "green", "failing": "red", "unknown": "yellow"}

Accounts = Annotated[
    list[str] | None,
    typer.Argument(help="These alone; else a sample of all.", metavar="ACCOUNT..."),
]
Limit = Annotated[
    float, typer.Option("--limit", help="Older than this is behind.", metavar="SECONDS", min=0)
]
Sample = Annotated[int, typer.Option(help="How many accounts, without names.", min=1, max=10_000)]
Poller = Annotated[
    bool, typer.Option("--poller", help="A poller reads the stream: look for no Lambda.")
]
Quick = Annotated[bool, typer.Option("--quick", help="Only whether the tables answer.")]


def lag(
    session: Session,
    accounts: Accounts = None,
    limit: Limit = 60.0,
    sample: Sample = DEFAULT_SAMPLE,
) -> int:
    """How far the balances are behind the log: entries that they lack, and the age of the oldest.

    Exit code 6: the oldest is older than --limit. It does not see late entries that are not applied
    yet; folio reconcile does.

    Example: folio lag

    Example: folio lag user:42 world:card --limit 5
    """
    with session.ledger() as ledger:
        found = ledger.lag(accounts or None, sample=sample)
    code = codes.BEHIND if found.oldest_seconds > limit else codes.DONE
    document = asdict(found) | {
        "unapplied": found.unapplied,
        "at_least": found.at_least,
        "oldest_seconds": found.oldest_seconds,
        "limit_seconds": limit,
        "exit_code": code,
    }
    session.output.show(document, *_shown(found, code))
    return code


def _shown(found: Lag, code: int) -> Iterator[RenderableType]:
    if found.behind:
        rows = [
            [
                one.account,
                one.currency,
                _count(one.unapplied, one.at_least),
                _age(one.oldest_seconds),
            ]
            for one in found.behind
        ]
        columns = ["account", "currency", "unapplied", "oldest"]
        yield table(columns, rows, numbers="unapplied oldest")
    looked = f"{found.accounts:,} accounts, {found.balances:,} balances"
    if not found.behind:
        yield text(f"{looked}: nothing unapplied", "green")
        return
    said = f"{_count(found.unapplied, found.at_least)} unapplied, the oldest for "
    yield text(
        f"{looked}: {said}{_age(found.oldest_seconds)}", "red" if code == codes.BEHIND else "green"
    )


def _count(number: int, at_least: bool) -> str:
    return f"at least {number:,}" if at_least else f"{number:,}"


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h"


def health(
    session: Session, limit: Limit = 60.0, poller: Poller = False, quick: Quick = False
) -> int:
    """Whether this deployment is sound: tables, stream, its reader, backups, clock, quarantine, lag.

    Each check is ok, failing, or unknown where nobody can say (an engine without Lambda, a missing
    permission). Exit code 7: something fails. Every call has a time-out, and no check begins after 20 s.

    Example: folio health

    Example: folio health --quick
    """
    with _probing(session) as ledger:
        settings = ledger.runtime.settings
        if quick:
            checks = quickly(ledger.runtime)
        else:
            clients = Clients(session.client("lambda", settings), session.client("sts", settings))
            checks = check(ledger.runtime, clients, limit_seconds=limit, poller=poller)
    failing = [one for one in checks if one.state == "failing"]
    code = codes.UNHEALTHY if failing else codes.DONE
    document: dict[str, Any] = {"checks": [asdict(one) for one in checks], "exit_code": code}
    said = text(f"{len(failing)} failing", "red") if failing else text("healthy", "green")
    session.output.show(document, *_table(checks), said)
    return code


@contextmanager
def _probing(session: Session) -> Iterator[Ledger]:
    """The ledger, by settings under which no call takes long: a probe must not hang."""
    if session.options.embedded:
        with session.ledger() as ledger:
            yield ledger
        return
    patient = Settings()
    hasty = patient.model_copy(
        update={
            "attempts": min(patient.attempts, 2),
            "connect_timeout_seconds": min(patient.connect_timeout_seconds, 2.0),
            "read_timeout_seconds": min(patient.read_timeout_seconds, 3.0),
        }
    )
    yield Ledger.connect(hasty, session.aws(), endpoint_url=session.options.endpoint_url)


def _table(checks: list[Check]) -> Iterator[RenderableType]:
    rows = [[one.name, one.state, one.found, one.todo] for one in checks]
    found = table(["check", "", "found", "what to do"], rows)
    for row, one in zip(found.rows, checks, strict=True):
        row.style = STYLES[one.state]
    yield found
