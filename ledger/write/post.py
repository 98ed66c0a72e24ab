"""Post: a transaction's key, header and entries in one conditional `TransactWriteItems`, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ledger import build, check, ids, items, keys
from ledger.aws import Cancelled
from ledger.errors import (
    Contended,
    IdempotencyConflict,
    InvalidRequest,
    LedgerError,
    Misconfigured,
    NotHome,
    OutcomeUnknown,
    Unavailable,
)
from ledger.items import Item
from ledger.log import logger
from ledger.model import Header, KeyRecord, Receipt, Transaction
from ledger.runtime import Runtime
from ledger.write import accounts, outcome, requests
from ledger.write.requests import MAX_ITEMS, Part

MAX_ROUNDS = 5
"""How often a call is rebuilt because accounts were opened by others meanwhile."""

MAX_AHEAD_SECONDS = 5
MAX_AGE_SECONDS = 86_400

log = logger("ledger.write")


def post(rt: Runtime, transaction: Transaction) -> Receipt:
    """Post one transaction; see `Ledger.post`."""
    with carrying(transaction.id, transaction.idempotency_key):
        check_request(rt, transaction)
        names = [leg.account for leg in transaction.entries]
        new = accounts.new_among(rt, names)
        header = header_of(rt, transaction)
    with carrying(header.id, header.idempotency_key):
        fresh = of_now(rt, transaction)
        result = _commit(rt, header, new) if fresh else standing(rt, header)
        note(result, transaction)
        return result


def check_request(rt: Runtime, transaction: Transaction) -> None:
    """Refuse what is wrong with a transaction before any call."""
    check.transaction(transaction, rt.currencies)
    home = rt.settings.home_of(transaction.entries[0].account)
    if transaction.idempotency_key is not None and home not in (None, rt.region):
        raise NotHome(
            f"an idempotency key is exact in its transaction's home alone, {home}; "
            f"this is {rt.region}: send it there, or retry by id"
        )


def header_of(rt: Runtime, transaction: Transaction) -> Header:
    """The header of a checked transaction, under the caller's id or a new one."""
    return build.header(
        transaction,
        id=transaction.id or rt.new_id(),
        origin=rt.region,
        key_expires=rt.settings.idempotency_ttl_seconds is not None,
    )


def of_now(rt: Runtime, transaction: Transaction) -> bool:
    """Whether a new transaction may be written under this id: not of the future, nor old."""
    if transaction.id is None:
        return True
    rt.synchronise()
    ahead = ids.time_ms(transaction.id) / 1000 - rt.clock.time()
    recent = ahead >= -MAX_AGE_SECONDS or transaction.historical
    return recent and ahead <= MAX_AHEAD_SECONDS


def not_of_now(transaction_id: str) -> InvalidRequest:
    """The refusal of an id that is far from now and stands for nothing yet."""
    return InvalidRequest(
        f"id {transaction_id} is of {_when(transaction_id)}: a new id is at most "
        f"{MAX_AHEAD_SECONDS} s ahead of DynamoDB's clock and at most a day old; take one of "
        "ledger.new_id(), or pass historical=True for an old one",
        id=transaction_id,
    )


def _when(transaction_id: str) -> str:
    try:
        return ids.recorded_at(transaction_id).isoformat()
    except OverflowError:
        return "after the year 9999"


@contextmanager
def carrying(transaction_id: str | None, key: str | None) -> Iterator[None]:
    """Give errors the id and key to retry with."""
    try:
        yield
    except LedgerError as error:
        error.id = error.id or transaction_id
        error.idempotency_key = error.idempotency_key or key
        raise


def _commit(rt: Runtime, header: Header, new: Sequence[str]) -> Receipt:
    for _ in range(MAX_ROUNDS):
        own = requests.post_parts(rt.settings, header, int(rt.clock.time()))
        if len(own) + len(new) > MAX_ITEMS:
            accounts.register(rt, new)
            new = ()
        parts = [*own, *accounts.parts(rt, new)]
        try:
            rt.store.send(requests.transact(parts))
        except Cancelled as cancelled:
            failed = failed_parts(parts, cancelled)
            if any(part.kind != "account" for part, _ in failed):
                return earlier(rt, header, failed)
            new = accounts.still_new(rt, new, [item for _, item in failed])
        else:
            rt.known.remember(new)
            return receipt(header)
    raise Contended("others kept opening the same accounts: nothing was written, try again")


def receipt(header: Header) -> Receipt:
    """The receipt of a transaction that this call wrote."""
    return Receipt(
        id=header.id, entries=build.entries(header), idempotency_key=header.idempotency_key
    )


Failed = list[tuple[Part, Item]]


def failed_parts(parts: Sequence[Part], cancelled: Cancelled) -> Failed:
    """The parts whose condition failed, and what stands in their place."""
    pairs = zip(parts, cancelled.reasons, strict=True)
    return [(part, outcome.what_stands(reason.item)) for part, reason in pairs if reason.failed]


def earlier(rt: Runtime, header: Header, failed: Failed) -> Receipt:
    """The result of what stands under this call's key or id: the key decides first."""
    found: dict[str, Any] = {part.kind: item for part, item in failed}
    key, stands = found.get("key"), found.get("header")
    if key is not None:
        return outcome.replay(header, _header_of_key(rt, items.key_from(key)))
    if stands is not None:
        return outcome.replay(header, items.header_from(stands))
    raise IdempotencyConflict(
        f"the id {header.id} stands for an entry that was appended by itself: another "
        "transaction needs another id; nothing was written",
        fields=("entries",),
        id=header.id,
    )


def _header_of_key(rt: Runtime, key: KeyRecord) -> Header:
    """The header that a key names.

    Raises:
        OutcomeUnknown: it could not be read: the key stands, this call's own attempt may have put it.
    """
    try:
        header = _read_header(rt, key.transaction_id)
    except (Unavailable, Contended) as error:
        raise OutcomeUnknown(f"the key stands, its transaction was not read: {error}") from error
    if header is None:
        raise Misconfigured(
            f"the key names transaction {key.transaction_id}, which the log does not have: "
            "run `folio reconcile`",
            id=key.transaction_id,
        )
    return header


def _read_header(rt: Runtime, transaction_id: str) -> Header | None:
    place = (keys.transaction(transaction_id), keys.HEADER)
    item = rt.store.get(rt.settings.events_table, *place)
    return None if item is None else items.header_from(item)


def standing(rt: Runtime, header: Header) -> Receipt:
    """The result that stands under an id far from now. Raises `InvalidRequest` if none does."""
    if header.idempotency_key is not None:
        place = keys.idempotency(header.idempotency_key)
        item = rt.store.get(rt.settings.idempotency_table, place)
        key = None if item is None else items.key_from(item)
        if key is not None and not key.expired(rt.clock.time()):
            return outcome.replay(header, _header_of_key(rt, key))
    stands = _read_header(rt, header.id)
    if stands is None:
        raise not_of_now(header.id)
    return outcome.replay(header, stands)


def note(result: Receipt, transaction: Transaction) -> None:
    """One log line for a write that succeeded, with the caller's trace."""
    log.info(
        "transaction posted",
        transaction_id=result.id,
        type=transaction.type,
        entries=len(result.entries),
        replayed=result.replayed,
        trace=dict(transaction.trace or {}),
    )
