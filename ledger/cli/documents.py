"""What the library returns, as JSON's types: the form of every `--json` document, in one place.

An amount is its decimal text and its minor units; a time is ISO 8601 in UTC; a listing is an object
with `items` and `cursor`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from ledger.ledger import Ledger
from ledger.model import Balance, Entry, Page, PostedTransaction, Receipt
from ledger.money import Money

Document = dict[str, Any]
T = TypeVar("T")


def money(ledger: Ledger, value: Money) -> Document:
    """An amount: `amount` in major units, exact; `amount_minor` in minor units."""
    amount, _ = ledger.format(value).split()
    return {"amount": amount, "amount_minor": value.amount_minor, "currency": value.currency}


def time(at: datetime | None) -> str | None:
    """A time in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def entry(ledger: Ledger, value: Entry) -> Document:
    """An entry."""
    return {
        "id": value.id,
        "transaction_id": value.transaction_id,
        "account": value.account,
        "direction": value.direction,
        "money": money(ledger, value.money),
        "pending_minor": value.pending_minor,
        "type": value.type,
        "recorded_at": time(value.recorded_at),
        "effective_at": time(value.effective_at),
        "description": value.description,
        "counterparties": list(value.counterparties),
        "single": value.single,
        "origin": value.origin,
    }


def receipt(ledger: Ledger, value: Receipt) -> Document:
    """A receipt."""
    return {
        "id": value.id,
        "idempotency_key": value.idempotency_key,
        "replayed": value.replayed,
        "recorded_at": time(value.recorded_at),
        "entries": [entry(ledger, e) for e in value.entries],
    }


def transaction(ledger: Ledger, value: PostedTransaction) -> Document:
    """A transaction as a whole."""
    return {
        "id": value.id,
        "type": value.type,
        "recorded_at": time(value.recorded_at),
        "effective_at": time(value.effective_at),
        "description": value.description,
        "metadata": value.metadata,
        "idempotency_key": value.idempotency_key,
        "origin": value.origin,
        "entries": [entry(ledger, e) for e in value.entries],
    }


def balance(ledger: Ledger, value: Balance) -> Document:
    """A balance."""
    sums = ("posted", "available", "credits", "debits", "pending_credits", "pending_debits")
    return {
        "account": value.account,
        "currency": value.currency,
        **{name: money(ledger, getattr(value, name)) for name in sums},
        "entry_count": value.entry_count,
    }


def listing(page: Page[T], item: Callable[[T], object]) -> Document:
    """A page: `cursor` asks for the next one, and is null at the end."""
    return {"items": [item(one) for one in page], "cursor": page.cursor}
