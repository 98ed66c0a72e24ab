"""`balance`, `entries`, `transaction` and `accounts`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from ledger.cli import documents, given
from ledger.cli.output import Output, printable, table
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from ledger.model import Entry
from ledger.read.balance import Consistency

Limit = Annotated[int, typer.Option(help="How many at most, up to 1,000.")]
Cursor = Annotated[str | None, typer.Option(help="Where an earlier page said that it goes on.")]
Key = Annotated[str | None, typer.Option("--key", help="By its idempotency key instead of its id.")]


def balance(
    session: Session,
    account: str,
    currency: Annotated[str | None, typer.Argument(help="Without it: every currency.")] = None,
    view: Annotated[
        bool,
        typer.Option("--view", help="The view alone: cheaper, as old as the projector is behind."),
    ] = False,
) -> None:
    """What an account holds, in one currency or in all.

    Example: folio balance user:42 EUR
    """
    with session.ledger() as ledger:
        consistency: Consistency = "view" if view else "fresh"
        if currency is None:
            found = list(ledger.balances(account, consistency=consistency).values())
        else:
            found = [ledger.balance(account, currency, consistency=consistency)]
        items = [documents.balance(ledger, one) for one in found]
        rows = [
            [
                one.currency,
                *map(ledger.format, (one.posted, one.available, one.credits, one.debits)),
                one.entry_count,
            ]
            for one in found
        ]
    columns = ["currency", "posted", "available", "credits", "debits", "entries"]
    shown = table(columns, rows, numbers="posted available credits debits entries")
    document = items[0] if currency else {"items": items, "cursor": None}
    session.output.show(document, shown if rows else f"{printable(account)} has no entries")


def entries(
    session: Session,
    account: str,
    currency: Annotated[str | None, typer.Option(help="One currency; else all, merged.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Recorded from then on.", metavar="TIME")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Recorded before.", metavar="TIME")] = None,
    newest_first: Annotated[bool, typer.Option("--newest-first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """A page of an account's entries. Times are UTC.

    Example: folio entries user:42 --since 2026-11-01T00:00:00Z --newest-first --limit 20
    """
    with session.ledger() as ledger:
        page = ledger.entries(
            account,
            currency=currency,
            since=given.moment("--since", since),
            until=given.moment("--until", until),
            newest_first=newest_first,
            limit=limit,
            cursor=cursor,
        )
        session.output.show(
            documents.listing(page, lambda e: documents.entry(ledger, e)),
            table(ENTRY, [_row(ledger, e) for e in page], numbers="amount"),
        )
    _more(session.output, page.cursor)


ENTRY = ["entry", "recorded (UTC)", "account", "type", "", "amount", "with", "description"]


def _row(ledger: Ledger, e: Entry) -> list[object]:
    return [
        e.id,
        _utc(e.recorded_at),
        e.account,
        e.type,
        e.direction,
        ledger.format(e.money),
        ", ".join(e.counterparties),
        e.description,
    ]


def _utc(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else None


def _more(output: Output, cursor: str | None) -> None:
    if cursor and not output.json:
        output.out.print(f"more: --cursor {cursor}", soft_wrap=True)


def transaction(
    session: Session,
    id: Annotated[str | None, typer.Argument(help="The transaction's id.")] = None,
    key: Key = None,
) -> None:
    """A transaction as a whole, by its id or its key: one atomic read.

    Example: folio transaction --key order-1
    """
    if (id is None) == (key is None):
        raise InvalidRequest("name the transaction by its id, or by --key, and not by both")
    with session.ledger() as ledger:
        found = ledger.transaction(id) if id else ledger.transaction_by_key(key or "")
        facts = {
            "id": found.id,
            "type": found.type,
            "recorded (UTC)": _utc(found.recorded_at),
            "effective (UTC)": _utc(found.effective_at),
            "description": found.description,
            "key": found.idempotency_key,
            "metadata": json.dumps(found.metadata) if found.metadata else None,
        }
        rows = [[e.account, e.direction, ledger.format(e.money)] for e in found.entries]
        session.output.show(
            documents.transaction(ledger, found),
            table(["", ""], [[name, value] for name, value in facts.items() if value]),
            table(["account", "", "amount"], rows, numbers="amount"),
        )


def accounts(
    session: Session,
    prefix: Annotated[str, typer.Option(help="What the names begin with.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """A page of the accounts' names, sorted.

    Example: folio accounts --prefix user: --limit 20
    """
    with session.ledger() as ledger:
        page = ledger.accounts(prefix=prefix, limit=limit, cursor=cursor)
    session.output.show(documents.listing(page, str), table(["account"], [[name] for name in page]))
    _more(session.output, page.cursor)
