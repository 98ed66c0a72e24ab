"""Starting the exports of a window, and knowing when both are there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger import control
from ledger.errors import Misconfigured
from ledger.reconcile.export.bucket import Objects
from ledger.reconcile.export.files import CHECKSUMS, SUMMARY
from ledger.runtime import Runtime

PREFIX = "exports/"
KINDS = ("events", "balances")


@dataclass(frozen=True, slots=True)
class Started:
    """Two exports that DynamoDB makes now, in some minutes; `folder` is theirs in the bucket."""

    since: datetime
    until: datetime
    folder: str
    arns: tuple[str, ...]


def reach(rt: Runtime) -> tuple[datetime, datetime]:
    """What point-in-time recovery reaches of both tables: from and until.

    Raises:
        Misconfigured: it is off, or there are no such tables, or no permission.
    """
    spans = [_reach(rt, table) for table in _tables(rt)]
    return max(earliest for earliest, _ in spans), min(latest for _, latest in spans)


def _tables(rt: Runtime) -> Sequence[str]:
    return rt.settings.events_table, rt.settings.balances_table


def _reach(rt: Runtime, table: str) -> tuple[datetime, datetime]:
    answer = control.ask(rt.store.client, "describe_continuous_backups", TableName=table)
    described = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if described.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise Misconfigured(
            f"table {table} has no point-in-time recovery, which exports come from: enable it, or "
            "reconcile in full"
        )
    earliest, latest = (described[f"{end}RestorableDateTime"] for end in ("Earliest", "Latest"))
    return earliest.astimezone(UTC), latest.astimezone(UTC)


def start(rt: Runtime, bucket: str, since: datetime, until: datetime) -> Started:
    """Ask DynamoDB for both exports of a window. Asked again, it answers with the same ones.

    Raises:
        Misconfigured, Unavailable: it refuses, or does not answer.
    """
    folder = f"{PREFIX}{since:%Y%m%dT%H%M%SZ}-{until:%Y%m%dT%H%M%SZ}"
    arns = [
        _start(rt, bucket, table, f"{folder}/{kind}", since, until)
        for kind, table in zip(KINDS, _tables(rt), strict=True)
    ]
    return Started(since, until, folder, tuple(arns))


def _start(
    rt: Runtime, bucket: str, table: str, prefix: str, since: datetime, until: datetime
) -> str:
    window = {"ExportFromTime": since, "ExportToTime": until}
    asked: dict[str, Any] = {
        "TableArn": control.table(rt.store.client, table)["TableArn"],
        "S3Bucket": bucket,
        "S3Prefix": prefix,
        "ExportType": "INCREMENTAL_EXPORT",
        "ExportFormat": "DYNAMODB_JSON",
        "IncrementalExportSpecification": {**window, "ExportViewType": "NEW_AND_OLD_IMAGES"},
        "ClientToken": hashlib.sha256(f"{bucket} {table} {prefix}".encode()).hexdigest()[:32],
    }
    answer = control.ask(rt.store.client, "export_table_to_point_in_time", **asked)
    return str(answer["ExportDescription"]["ExportArn"])


def folder_of(key: str) -> str | None:
    """The folder of the window that an object lies in; None for one that is of no export."""
    name = key.removeprefix(PREFIX).partition("/")[0]
    return PREFIX + name if key.startswith(PREFIX) and name else None


def ready(objects: Objects, folder: str) -> list[str] | None:
    """The summaries of both exports of a window; None while one of them is being made.

    A summary is the last but one of an export's objects; its checksum is the last.
    """
    made = [_summary(objects, f"{folder}/{kind}/AWSDynamoDB/") for kind in KINDS]
    return [key for key in made if key] if all(made) else None


def _summary(objects: Objects, prefix: str) -> str | None:
    """The newest: an export that failed may have been made again."""
    keys = set(objects.names(prefix))
    stem = f"/{SUMMARY.removesuffix('.json')}"
    whole = [
        key
        for key in keys
        if key.endswith(f"/{SUMMARY}")
        and any(key.removesuffix(f"/{SUMMARY}") + stem + name in keys for name in CHECKSUMS)
    ]
    return max(whole, default=None)
