"""Which ledger a command works on, and how it says what it did."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import boto3
import typer
from rich.console import Console
from rich.table import Table

from ledger.embedded import EmbeddedLedger
from ledger.errors import InvalidRequest, LedgerError
from ledger.ledger import Ledger
from ledger.model import Page
from ledger.money import Money
from ledger.settings import Settings

ERROR, USAGE, DRIFT, INCOMPLETE, REJECTED = 1, 2, 3, 4, 5
CATCH_UP_SECONDS = 600.0


@dataclass(slots=True)
class Options:
    """The options that every command shares."""

    as_json: bool = False
    embedded: Path | None = None
    endpoint_url: str | None = None
    region: str | None = None


@contextmanager
def opened(context: typer.Context) -> Iterator[Ledger]:
    """The ledger that the options name. Ledger errors become one line and an exit code."""
    options: Options = context.obj
    try:
        if options.embedded is not None:
            with EmbeddedLedger(options.embedded) as ledger:
                yield ledger
        else:
            session = boto3.Session(region_name=options.region)
            yield Ledger.connect(Settings(), session, endpoint_url=options.endpoint_url)
    except LedgerError as error:
        fail(options, error)


def caught_up(ledger: Ledger) -> None:
    """Let an engine's own projector finish first: what was imported bears ids of long ago."""
    if isinstance(ledger, EmbeddedLedger):
        ledger.settle(CATCH_UP_SECONDS)


def fail(options: Options, error: LedgerError) -> NoReturn:
    """Say what was wrong, with the id or key to try again with."""
    told = {
        "error": type(error).__name__,
        "message": str(error),
        "id": error.id,
        "idempotency_key": error.idempotency_key,
        "retryable": error.retryable,
    }
    if options.as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        marks = [f"{name}: {told[name]}" for name in ("id", "idempotency_key") if told[name]]
        line = ". ".join([f"folio: {type(error).__name__}: {error}", *map(str, marks)])
        sys.stderr.write(printable(line) + "\n")
    raise typer.Exit(USAGE if isinstance(error, InvalidRequest) else ERROR)


def printable(text: object) -> str:
    """Text from users, on one line and without what a terminal would obey."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def plain(value: Any) -> Any:
    """A value as JSON's types; bytes and fingerprints are left out."""
    if isinstance(value, Page):
        return {"items": [plain(item) for item in value], "cursor": value.cursor}
    if isinstance(value, Money):
        return {"amount_minor": value.amount_minor, "currency": value.currency}
    if is_dataclass(value) and not isinstance(value, type):
        fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
        extra = {
            n: getattr(value, n)
            for n in ("id", "recorded_at", "posted", "available")
            if hasattr(value, n)
        }
        return {n: plain(v) for n, v in {**fields, **extra}.items() if not isinstance(v, bytes)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def tell(
    context: typer.Context, value: Any, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """`value` as one JSON document, or `rows` as a table."""
    if context.obj.as_json:
        sys.stdout.write(json.dumps(plain(value)) + "\n")
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: Any) -> Any:
    return "" if value is None else printable(value)
