"""Health: what is right and wrong with a deployment, check by check, for probes and for first minutes.

It reads, a little of everything, and changes nothing. A check is `unknown` where nobody can say: an
engine without Lambda's API, a permission that is missing. An unknown is no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ledger import control
from ledger.clock import MAX_SKEW_SECONDS
from ledger.engine_tables import is_aws
from ledger.errors import LedgerError, Unavailable
from ledger.items import EXPIRES_AT
from ledger.read.lag import lag
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.tables import definitions

State = Literal["ok", "failing", "unknown"]

DEADLINE_SECONDS = 20.0
"""No check begins after it; one call's own time-outs come on top."""

LAG_SAMPLE = 32
QUARANTINE_LOOK = 25


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do about it where it fails."""

    name: str
    state: State
    found: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Clients:
    """boto3's clients beside DynamoDB's: who reads the stream, and who we are."""

    lambda_: Any
    sts: Any


Checks = Iterator[Check]
Tables = Mapping[str, Mapping[str, Any]]


def quick(rt: Runtime) -> list[Check]:
    """Whether each table answers a read: what a liveness probe needs, one small read a table."""
    return list(_tables_answer(rt))


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
    tables: dict[str, Mapping[str, Any]] = {}
    checks += _described(rt, tables)
    if not tables:
        return checks
    groups: list[tuple[str, Callable[[], Checks]]] = [
        ("time to live", lambda: _time_to_live(rt)),
        ("stream", lambda: _stream(rt, tables, None if poller else clients.lambda_)),
        ("backups", lambda: _protected(rt, tables)),
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
        yield Check(name, "failing", _said(error), "see the message")


def _said(error: LedgerError) -> str:
    return f"{type(error).__name__}: {error}"


def _tables_answer(rt: Runtime) -> Checks:
    for definition in definitions(rt.settings):
        table = definition["TableName"]
        probe = ["PROBE"] * len(definition["KeySchema"])
        try:
            rt.store.get(table, *probe, consistent=False)
        except LedgerError as error:
            yield Check(f"table {table}", "failing", _said(error), "see the message")
            if isinstance(error, Unavailable):
                return  # The others would not answer either, and a probe waits for this.
        else:
            yield Check(f"table {table}", "ok", "answers")


def _identity(sts: Any) -> Check:
    try:
        arn = control.ask(sts, "get_caller_identity")["Arn"]
    except (LedgerError, KeyError) as error:
        return Check("identity", "unknown", f"AWS does not say who we are ({type(error).__name__})")
    return Check("identity", "ok", str(arn))


def _described(rt: Runtime, tables: dict[str, Mapping[str, Any]]) -> Checks:
    """Each table against what this version defines. Those that are there are put into `tables`."""
    for definition in definitions(rt.settings):
        name = definition["TableName"]
        try:
            table = control.table(rt.store.client, name)
        except LedgerError as error:
            yield Check(f"table {name}", "failing", _said(error), "see the message")
            if isinstance(error, Unavailable):
                return
            continue
        tables[name] = table
        if differences := list(differing(definition, table)):
            yield Check(
                f"table {name}",
                "failing",
                "of an older version, or not Folio's: " + "; ".join(differences),
                "deploy this version's stack before its code",
            )
        else:
            meta = rt.store.client.meta
            yield Check(f"table {name}", "ok", f"in {meta.region_name} at {meta.endpoint_url}")


def differing(wanted: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    """How a table differs from its definition: state, keys, key types, indexes."""
    if table.get("TableStatus") not in ("ACTIVE", "UPDATING"):
        yield f"it is {table.get('TableStatus')}"
    if _keys(wanted) != _keys(table):
        yield f"keys {_keys(table)}, expected {_keys(wanted)}"
    types = _types(table)
    for name, type in _types(wanted).items():
        if types.get(name, type) != type:
            yield f"{name} is of type {types[name]}, expected {type}"
    indexes = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", ())}
    for index in wanted.get("GlobalSecondaryIndexes", ()):
        yield from _of_index(index, indexes.get(index["IndexName"]))


def _of_index(wanted: Mapping[str, Any], index: Mapping[str, Any] | None) -> Iterator[str]:
    name = wanted["IndexName"]
    if index is None:
        yield f"no index {name}"
        return
    if _keys(index) != _keys(wanted):
        yield f"index {name} has keys {_keys(index)}, expected {_keys(wanted)}"
    if index.get("IndexStatus", "ACTIVE") != "ACTIVE":
        yield f"index {name} is {index['IndexStatus']}"


def _keys(schema: Mapping[str, Any]) -> str:
    ordered = sorted(schema["KeySchema"], key=lambda key: str(key["KeyType"]))
    return ", ".join(key["AttributeName"] for key in ordered)


def _types(schema: Mapping[str, Any]) -> dict[str, str]:
    return {a["AttributeName"]: a["AttributeType"] for a in schema["AttributeDefinitions"]}


def _time_to_live(rt: Runtime) -> Checks:
    """Only where the settings give keys a time does anything rest on it."""
    table = rt.settings.idempotency_table
    said = control.ask(rt.store.client, "describe_time_to_live", TableName=table)
    state = said["TimeToLiveDescription"]
    on = state.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    if on and state.get("AttributeName") == EXPIRES_AT:
        yield Check("time to live", "ok", f"{table} expires by {EXPIRES_AT}")
        return
    found = f"{table}: {state.get('TimeToLiveStatus')} {state.get('AttributeName', '')}".rstrip()
    todo = f"aws dynamodb update-time-to-live: Enabled=true,AttributeName={EXPIRES_AT}"
    yield Check("time to live", "failing", found, todo)


def _stream(rt: Runtime, tables: Tables, lambda_: Any) -> Checks:
    table = tables.get(rt.settings.events_table)
    if table is None:
        return
    if fault := control.stream_fault(table):
        yield Check("stream", "failing", fault, "see the message")
        return
    arn = control.stream_arn(table)
    yield Check("stream", "ok", arn)
    if lambda_ is None:
        yield Check("stream's reader", "unknown", "a poller, it is said: the lag tells how it does")
    else:
        yield _reader(lambda_, arn)


def _reader(lambda_: Any, arn: str) -> Check:
    """The stream's reader, as far as Lambda knows it."""
    try:
        found = control.mappings(lambda_, arn)
    except (LedgerError, KeyError):
        why = "Lambda's API does not say (an engine, or lambda:ListEventSourceMappings is missing)"
        return Check("stream's reader", "unknown", why)
    reading = control.enabled(found)
    if not reading:
        states = ", ".join(f"{m['UUID']} is {m.get('State')}" for m in found) or "no mapping"
        return Check(
            "stream's reader",
            "failing",
            f"none of Lambda's: {states}",
            "enable the mapping, or deploy the stack; where a poller reads, pass --poller",
        )
    faults = [f"{m['UUID']}: {fault}" for m in reading for fault in reader_faults(m)]
    if faults:
        return Check("stream's reader", "failing", "; ".join(faults), "deploy the stack's mapping")
    return Check("stream's reader", "ok", ", ".join(str(m["FunctionArn"]) for m in reading))


def reader_faults(mapping: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an event source mapping: each of these has lost or delayed events."""
    if mapping.get("StartingPosition", "TRIM_HORIZON") != "TRIM_HORIZON":
        yield f"it starts at {mapping['StartingPosition']}, expected TRIM_HORIZON"
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        yield "without ReportBatchItemFailures what fails is lost"
    if mapping.get("ParallelizationFactor", 1) != 1:
        yield f"parallelization factor {mapping['ParallelizationFactor']}, expected 1"


def _protected(rt: Runtime, tables: Tables) -> Checks:
    """Backups and protection of what cannot be replayed: the log, the accounts, the keys."""
    settings = rt.settings
    if not is_aws(rt.store.client):
        yield Check("backups and protection", "unknown", "an engine keeps nothing that matters")
        return
    for name in (settings.events_table, settings.accounts_table, settings.idempotency_table):
        if name in tables:
            yield _recoverable(rt, name)
            yield _undeletable(name, tables[name])


def _recoverable(rt: Runtime, name: str) -> Check:
    what = f"point-in-time recovery {name}"
    try:
        said = control.ask(rt.store.client, "describe_continuous_backups", TableName=name)
    except LedgerError as error:
        return Check(what, "unknown", f"not told ({type(error).__name__})")
    recovery = said["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        return Check(what, "ok", "on")
    return Check(what, "failing", "off", "deploy with PointInTimeRecovery=true")


def _undeletable(name: str, table: Mapping[str, Any]) -> Check:
    what = f"deletion protection {name}"
    if table.get("DeletionProtectionEnabled"):
        return Check(what, "ok", "on")
    return Check(what, "failing", "off", "deploy with DeletionProtection=true")


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
    seconds = rt.clock.skew()
    said = f"this machine's clock is {seconds:+.1f} s from DynamoDB's"
    if abs(seconds) > MAX_SKEW_SECONDS:
        yield Check("clock", "failing", said, "set it (chrony, systemd-timesyncd)")
    else:
        yield Check("clock", "ok", said)
