"""`init`, `open`, `post` and `transfer`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ledger.cli import documents, given
from ledger.cli.output import table
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from ledger.model import Leg, Receipt

ENTRY_WORDS = 3

Type = Annotated[
    str | None, typer.Option("--type", help='The transaction\'s type, as in "purchase".')
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="An idempotency key: the same key and call is done once."),
]
Id = Annotated[
    str | None,
    typer.Option("--id", help="The transaction's id: of an attempt whose outcome is unknown."),
]
Description = Annotated[str | None, typer.Option(help="Kept on every entry.")]
Metadata = Annotated[
    str | None, typer.Option(help="A JSON object, kept with the transaction.", metavar="JSON")
]
EffectiveAt = Annotated[
    str | None,
    typer.Option(help="The business time, in ISO 8601 with a zone.", metavar="TIME"),
]
Historical = Annotated[bool, typer.Option("--historical", help="--id may be older than a day.")]
Legs = Annotated[list[str] | None, typer.Option(metavar="ACCOUNT AMOUNT CURRENCY")]


class PostCommand(TyperCommand):
    """Lets `--debit` and `--credit` take three words, any number of times."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As `TyperCommand` does, with the three words as one value."""
        return super().parse_args(ctx, _joined(args))


def _joined(args: list[str]) -> list[str]:
    joined, left = list[str](), list(args)
    while left:
        joined.append(left.pop(0))
        if joined[-1] in ("--debit", "--credit") and left and " " not in left[0]:
            joined.append(" ".join(left[:ENTRY_WORDS]))
            del left[:ENTRY_WORDS]
    return joined


def init(session: Session) -> None:
    """Create the tables on an engine. On AWS the stack does.

    Example: folio init --endpoint-url http://localhost:8000
    """
    with session.ledger() as ledger:
        ledger.create_tables()
        settings = ledger.runtime.settings
    names = [
        settings.events_table,
        settings.balances_table,
        settings.accounts_table,
        settings.idempotency_table,
        settings.quarantine_table,
    ]
    session.output.show({"tables": names}, table(["tables ready"], [[name] for name in names]))


def open_(
    session: Session, accounts: Annotated[list[str], typer.Argument(metavar="ACCOUNT...")]
) -> None:
    """Open accounts before their first entry.

    Example: folio open user:42 shop:7
    """
    with session.ledger() as ledger:
        opened = {name: ledger.open_account(name) for name in dict.fromkeys(accounts)}
    items = [{"account": name, "opened": new} for name, new in opened.items()]
    rows = [[name, "opened" if new else "was open"] for name, new in opened.items()]
    session.output.show({"items": items, "cursor": None}, table(["account", ""], rows))


def post(
    session: Session,
    file: Annotated[
        str | None, typer.Argument(help="The transaction as JSON; - for standard input.")
    ] = None,
    debit: Legs = None,
    credit: Legs = None,
    type: Type = None,
    key: Key = None,
    id: Id = None,
    description: Description = None,
    metadata: Metadata = None,
    effective_at: EffectiveAt = None,
    historical: Historical = False,
) -> None:
    """Post a transaction: its entries, debits first, commit together or not at all.

    Example: folio post --debit user:42 9.90 EUR --credit shop:7 9.50 EUR
    --credit company:fees 0.40 EUR --type purchase --key order-1

    The same as JSON: {"type": "purchase", "entries": [{"account": "user:42", "direction": "debit",
    "amount": "9.90", "currency": "EUR"}, …], "idempotency_key": "order-1"}
    """
    from_file = given.transaction(file) if file else None
    if from_file and (debit or credit):
        raise InvalidRequest("entries come from FILE or from --debit and --credit, not from both")
    options = _options(type, key, id, description, metadata, effective_at, historical)
    fields = (from_file.fields() if from_file else {}) | options
    with session.ledger(settled=True) as ledger:
        legs = given.entries(ledger, from_file) if from_file else _legs(ledger, debit, credit)
        _tell(session, ledger, ledger.post(legs, **fields))


def _legs(ledger: Ledger, debits: list[str] | None, credits_: list[str] | None) -> list[Leg]:
    legs = [given.leg(ledger, "debit", text) for text in debits or ()]
    return legs + [given.leg(ledger, "credit", text) for text in credits_ or ()]


def _options(
    type: str | None,
    key: str | None,
    id: str | None,
    description: str | None,
    metadata: str | None,
    effective_at: str | None,
    historical: bool,
) -> dict[str, Any]:
    """What of a transaction's fields was given."""
    fields = {
        "type": type,
        "idempotency_key": key,
        "id": id,
        "description": description,
        "metadata": given.metadata(metadata),
        "effective_at": given.moment("--effective-at", effective_at),
        "historical": historical or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def transfer(
    session: Session,
    source: str,
    destination: str,
    amount: str,
    currency: str,
    type: Type = None,
    key: Key = None,
    id: Id = None,
    description: Description = None,
    metadata: Metadata = None,
    effective_at: EffectiveAt = None,
    historical: Historical = False,
) -> None:
    """Move money from one account to another.

    Example: folio transfer user:42 shop:7 9.90 EUR --type purchase --key order-1
    """
    fields = _options(type, key, id, description, metadata, effective_at, historical)
    if "type" not in fields:
        raise InvalidRequest("--type is missing, as in --type purchase")
    with session.ledger(settled=True) as ledger:
        money = ledger.money(amount, currency)
        receipt = ledger.transfer(source=source, destination=destination, money=money, **fields)
        _tell(session, ledger, receipt)


def _tell(session: Session, ledger: Ledger, receipt: Receipt) -> None:
    done = "was posted before, nothing was added" if receipt.replayed else "posted"
    rows = [[e.account, e.direction, ledger.format(e.money)] for e in receipt.entries]
    session.output.show(
        documents.receipt(ledger, receipt),
        f"{receipt.id} {done}",
        table(["account", "", "amount"], rows, numbers="amount"),
    )
