"""Checks of the tables: whether they answer, are this version's, and are protected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger import control
from ledger.engine_tables import is_aws
from ledger.errors import LedgerError, Unavailable
from ledger.health.report import Check, Checks, failed
from ledger.items import EXPIRES_AT
from ledger.runtime import Runtime
from ledger.tables import definitions, misshapen

Tables = Mapping[str, Mapping[str, Any]]
"""What DynamoDB says of each table that is there, by name."""


def tables_answer(rt: Runtime) -> Checks:
    """Whether each table answers a read."""
    for definition in definitions(rt.settings):
        table = definition["TableName"]
        probe = ["PROBE"] * len(definition["KeySchema"])
        try:
            rt.store.get(table, *probe, consistent=False)
        except LedgerError as error:
            yield failed(f"table {table}", error)
            if isinstance(error, Unavailable):
                return  # The others would not answer either, and a probe waits for this.
        else:
            yield Check(f"table {table}", "ok", "answers")


def described(rt: Runtime, tables: dict[str, Mapping[str, Any]]) -> Checks:
    """Each table against what this version defines. Those that are there are put into `tables`."""
    for definition in definitions(rt.settings):
        name = definition["TableName"]
        try:
            table = control.table(rt.store.client, name)
        except LedgerError as error:
            yield failed(f"table {name}", error)
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
    """How a table differs from its definition, in its state and in its shape."""
    if table.get("TableStatus") not in ("ACTIVE", "UPDATING"):
        yield f"it is {table.get('TableStatus')}"
    yield from misshapen(wanted, table)


def time_to_live(rt: Runtime) -> Checks:
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


def protected(rt: Runtime, tables: Tables) -> Checks:
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
