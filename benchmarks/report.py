"""The figures, as a table for people and as JSON for machines."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import boto3
import botocore

from benchmarks.measure import Row, Side

COLUMNS = ("", "calls", "write units", "read units", "CPU µs", "ratio")
AIM = 1.3


def environment() -> dict[str, str | int | None]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "boto3": boto3.__version__,
        "botocore": botocore.__version__,
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "engine": "DynamoDB Local, in a process of its own",
    }


def as_json(rows: Iterable[Row]) -> str:
    """All figures."""
    report = {"environment": environment(), "aim": AIM, "rows": [asdict(row) for row in rows]}
    return json.dumps(report, indent=2, ensure_ascii=False)


def as_table(rows: Sequence[Row]) -> str:
    """Two lines a case: the ledger's, and the bare call's."""
    lines: list[tuple[str, ...]] = [COLUMNS]
    for row in rows:
        mark = " *" if row.ratio > AIM else ""
        lines.append(
            (f"{row.name}, for each {row.event}", *_figures(row.folio), f"{row.ratio:.2f}{mark}")
        )
        lines.append((f"  {row.bare_is}", *_figures(row.bare), ""))
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    table = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    return "\n".join([*table, "", f"* above the aim of {AIM} times the bare call"])


def _figures(side: Side) -> tuple[str, ...]:
    return (
        f"{side.calls:.3g}",
        f"{side.write_units:.3g}",
        f"{side.read_units:.3g}",
        f"{side.cpu_us:,.0f}" if side.cpu_us >= 100 else f"{side.cpu_us:.1f}",
    )
