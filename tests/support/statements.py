"""Small bank statements to import, and the mapping that reads them."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ledger.importer import FileMapping, file_mapping

HEADINGS = ("id", "client", "day", "side", "sum", "note")
Line = Sequence[object]

FIELDS: dict[str, Any] = {
    "source": "test-bank",
    "id": "{id}",
    "account": "client:{client}",
    "counter_account": "world:bank",
    "amount": "{sum}",
    "currency": "EUR",
    "date": "{day}",
    "direction": "{side}",
    "credit": "in",
    "debit": "out",
    "type": "statement",
    "description": "{note}",
}


def mapping(**changes: Any) -> FileMapping:
    """The mapping of these statements, changed; None leaves a field out."""
    return file_mapping(**(FIELDS | changes))


def line(number: int, **changes: Any) -> Line:
    """A row: one euro for each of its number, out of every third."""
    row = {
        "id": number,
        "client": number % 4,
        "day": f"2024-01-{1 + number % 28:02d}",
        "side": "out" if number % 3 == 0 else "in",
        "sum": f"{number}.00",
        "note": f"row {number}",
    } | changes
    return [row[name] for name in HEADINGS]


def statement(path: Path, lines: Iterable[Line], *, headings: Line = HEADINGS) -> Path:
    """A file of these lines; gzip by its name."""
    text = "".join(",".join(map(str, line)) + "\n" for line in [headings, *lines])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def totals(lines: Iterable[Line]) -> Counter[str]:
    """What the lines add up to, by client, in cents: no code of the importer's."""
    sums: Counter[str] = Counter()
    for _, client, _, side, amount, _ in lines:
        sign = 1 if side == "in" else -1
        sums[f"client:{client}"] += sign * round(float(str(amount)) * 100)
    return sums
