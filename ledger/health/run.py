"""Health: what is right and wrong with a deployment, check by check, for probes and for first minutes.

It reads, a little of everything, and changes nothing. A check is `unknown` where nobody can say: an
engine without Lambda's API, a permission that is missing. An unknown is no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger import control
from ledger.clock import MAX_SKEW_SECONDS
from ledger.errors import LedgerError
from ledger.health import stream, tables
from ledger.health.report import Check, Checks, failed
from ledger.health.tables import Tables
from ledger.read.lag import lag
from ledger.request import Request
from ledger.runtime import Runtime

DEADLINE_SECONDS = 20.0
"""No check begins after it; one call's own time-outs come on top."""

LAG_SAMPLE = 32
QUARANTINE_LOOK = 25


@dataclass(frozen=True, slots=True)
class Clients:
    """boto3's clients beside DynamoDB's: who reads the stream, and who we are."""

    lambda_: Any
    sts: Any


def quick(rt: Runtime) -> list[Check]:
    """Whether each table answers a read: what a liveness probe needs, one small read a table."""
    return list(tables.tables_answer(rt))


def check(
    rt: Runtime, clients: Clients, *, limit_seconds: float = 60.0, poller: bool = False
) -> list[Check]:
    """Every check. Where no table answers at all, the others are not tried.

    `limit_seconds`: how old an unapplied entry may be. `poller`: a poller reads the stream, which
    nobody can see, so no mapping is looked for. No check begins later than 20 s after the
    first, so that with the time-outs of the settings' clients the whole has an end.
    """
    begun = rt.clock.process_time()

    def in_time() -> bool:
        return rt.clock.process_time() - begun < DEADLINE_SECONDS

    checks = [_identity(clients.sts)]
    there: dict[str, Mapping[str, Any]] = {}
    checks += tables.described(rt, there)
    if not there:
        return checks
    groups: list[tuple[str, Callable[[], Checks]]] = [
        ("time to live", lambda: tables.time_to_live(rt)),
        ("stream", lambda: _stream(rt, there, None if poller else clients.lambda_)),
        ("backups", lambda: tables.protected(rt, there)),
        ("quarantine", lambda: _quarantine(rt)),
        ("lag", lambda: _lag(rt, limit_seconds, in_time)),
        ("clock", lambda: _clock(rt)),
    ]
    for name, group in groups:
        if in_time():
            checks += _guarded(name, group)
        else:
            checks.append(Check(name, "unknown", "no time was left for it"))
    return checks


def _guarded(name: str, group: Callable[[], Checks]) -> Checks:
    """A group's checks; an error of DynamoDB's is its finding."""
    try:
        yield from group()
    except LedgerError as error:
        yield failed(name, error)


def _stream(rt: Runtime, there: Tables, lambda_: Any) -> Checks:
    table = there.get(rt.settings.events_table)
    if table is not None:
        yield from stream.stream(table, lambda_)


def _identity(sts: Any) -> Check:
    try:
        arn = control.ask(sts, "get_caller_identity")["Arn"]
    except (LedgerError, KeyError) as error:
        return Check("identity", "unknown", f"AWS does not say who we are ({type(error).__name__})")
    return Check("identity", "ok", str(arn))


def _quarantine(rt: Runtime) -> Checks:
    table = rt.settings.quarantine_table
    request = Request("scan", {"TableName": table, "Limit": QUARANTINE_LOOK})
    found = len(rt.store.send(request)["Items"])
    if not found:
        yield Check("quarantine", "ok", "empty")
        return
    count = f"at least {found}" if found == QUARANTINE_LOOK else str(found)
    todo = "look at the reasons in the table, then `folio redrive`"
    yield Check("quarantine", "failing", f"{count} records wait", todo)


def _lag(rt: Runtime, limit_seconds: float, in_time: Callable[[], bool]) -> Checks:
    found = lag(rt, sample=LAG_SAMPLE, within=in_time)
    looked = f"{found.accounts} accounts" + ("" if found.whole else ", no time was left for more")
    said = f"{found.unapplied:,} unapplied, the oldest for {found.oldest_seconds:.0f} s ({looked})"
    if found.oldest_seconds > limit_seconds:
        yield Check("lag", "failing", said, "`folio lag`; is the stream's reader on, or failing?")
    else:
        yield Check("lag", "ok" if found.whole else "unknown", said)


def _clock(rt: Runtime) -> Checks:
    seconds = rt.clock.ahead()
    said = f"this machine's clock is {seconds:+.1f} s from DynamoDB's"
    if abs(seconds) > MAX_SKEW_SECONDS:
        yield Check("clock", "failing", said, "set it (chrony, systemd-timesyncd)")
    else:
        yield Check("clock", "ok", said)
