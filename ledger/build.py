"""From a request to what the log will hold: the header and its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ledger import fingerprint
from ledger.fingerprint import canonical_json
from ledger.model import (
    MAX_COUNTERPARTIES,
    Entry,
    Header,
    HeaderEntry,
    Leg,
    PostedTransaction,
    Transaction,
)


def header(transaction: Transaction, *, id: str, origin: str, key_expires: bool = False) -> Header:
    """The header of a checked transaction, with its fingerprint."""
    metadata = transaction.metadata
    bare = Header(
        id=id,
        type=transaction.type,
        entries=tuple(_header_entry(leg) for leg in transaction.entries),
        origin=origin,
        metadata=canonical_json(metadata) if metadata else None,
        description=transaction.description,
        effective_at=_utc(transaction.effective_at),
        idempotency_key=transaction.idempotency_key,
        key_expires=key_expires,
    )
    return replace(bare, fingerprint=fingerprint.of_request(bare))


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


def _header_entry(leg: Leg) -> HeaderEntry:
    return HeaderEntry(
        account=leg.account,
        direction=leg.direction,
        currency=leg.money.currency,
        amount_minor=leg.money.amount_minor,
    )


def entries(header: Header) -> tuple[Entry, ...]:
    """The entries that a header stands for, each with its fingerprint."""
    sides = _sides(header.entries)
    return tuple(_entry(header, place, e, sides) for place, e in enumerate(header.entries))


def _sides(entries: Sequence[HeaderEntry]) -> dict[tuple[str, str], list[str]]:
    """The accounts of each side of each currency, once each, in order."""
    sides: dict[tuple[str, str], dict[str, None]] = {}
    for e in entries:
        sides.setdefault((e.currency, e.direction), {})[e.account] = None
    return {side: list(accounts)[: MAX_COUNTERPARTIES + 1] for side, accounts in sides.items()}


def _entry(
    header: Header, place: int, e: HeaderEntry, sides: dict[tuple[str, str], list[str]]
) -> Entry:
    other = "debit" if e.direction == "credit" else "credit"
    others = [name for name in sides.get((e.currency, other), ()) if name != e.account]
    return _signed(
        Entry(
            account=e.account,
            currency=e.currency,
            transaction_id=header.id,
            place=place,
            type=header.type,
            direction=e.direction,
            amount_minor=e.amount_minor,
            pending_minor=e.pending_minor,
            counterparties=tuple(others[:MAX_COUNTERPARTIES]),
            origin=header.origin,
            effective_at=header.effective_at,
            description=header.description,
            single=header.single,
            version=header.version,
        )
    )


def single(transaction: Transaction, *, id: str, origin: str) -> Entry:
    """The one entry of an append, which has no header."""
    leg = transaction.entries[0]
    return _signed(
        Entry(
            account=leg.account,
            currency=leg.money.currency,
            transaction_id=id,
            place=0,
            type=transaction.type,
            direction=leg.direction,
            amount_minor=leg.money.amount_minor,
            origin=origin,
            effective_at=_utc(transaction.effective_at),
            description=transaction.description,
            single=True,
        )
    )


def _signed(entry: Entry) -> Entry:
    return replace(entry, fingerprint=fingerprint.of_entry(entry))


def posted(header: Header, metadata: object) -> PostedTransaction:
    """What a reader gets of a header; `metadata` is its JSON, parsed."""
    written = entries(header)
    return PostedTransaction(
        id=header.id,
        type=header.type,
        entries=written,
        recorded_at=written[0].recorded_at,
        origin=header.origin,
        description=header.description,
        metadata=metadata,  # type: ignore[arg-type]  # JSON written by `header` is a mapping
        effective_at=header.effective_at,
        idempotency_key=header.idempotency_key,
    )
