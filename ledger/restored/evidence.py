"""Whether a ledger may be mended: only a restored copy that nothing reads or writes yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ledger import control
from ledger.request import Request
from ledger.restored.cuts import Cuts
from ledger.runtime import Runtime

AHEAD_MS = 60_000
"""Ids are minted at most some seconds ahead; more than this after the restore's moment is new work."""


def refusal(rt: Runtime, cuts: Cuts, *, declared: bool) -> str | None:
    """Why this ledger must not be mended, and what to do; None if it may be.

    `declared`: the operator says that it is a restored copy, where its table cannot (an engine, or
    an import from an export).

    Raises:
        Misconfigured, Unavailable: DynamoDB does not say what the tables are.
    """
    events, balances = rt.settings.events_table, rt.settings.balances_table
    description = control.table(rt.store.client, events)
    return (
        _not_restored(description, declared=declared)
        or _in_use(description, cuts)
        or (_not_empty(balances) if _has_items(rt, balances) else None)
    )


def _not_restored(description: Mapping[str, Any], *, declared: bool) -> str | None:
    name, summary = description["TableName"], description.get("RestoreSummary")
    if summary is None and not declared:
        return (
            f"table {name} does not say that it was restored: this is for a restored copy only; "
            "if it is one (an engine's, or imported from an export), say --this-is-a-restored-copy"
        )
    if summary is not None and summary.get("RestoreInProgress"):
        return f"table {name} is still being restored: wait until it is ACTIVE"
    return None


def _in_use(description: Mapping[str, Any], cuts: Cuts) -> str | None:
    name = description["TableName"]
    if description.get("StreamSpecification", {}).get("StreamEnabled"):
        return (
            f"table {name} has its stream on: whoever reads it would take what is removed for "
            "tampering; a restored table has none until the drill is done (docs/restoring.md)"
        )
    moment = description.get("RestoreSummary", {}).get("RestoreDateTime")
    if moment is not None and cuts.newest_ms > moment.timestamp() * 1000 + AHEAD_MS:
        newest = datetime.fromtimestamp(cuts.newest_ms / 1000, UTC)
        return (
            f"table {name} was restored to {moment.astimezone(UTC)}, and its newest entry is of "
            f"{newest}: it is in use already; what is in parts now is `folio reconcile`'s to name"
        )
    return None


def _has_items(rt: Runtime, table: str) -> bool:
    request = Request("scan", {"TableName": table, "Limit": 1, "ConsistentRead": True})
    return bool(rt.store.send(request)["Items"])


def _not_empty(table: str) -> str:
    return (
        f"table {table} has balances, which may count what would be removed: restore into a new, "
        "empty one, and let `folio replay` fill it after this"
    )
