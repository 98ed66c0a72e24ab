"""What the ledger is made of: legs and transactions as callers give them, entries as the log has them.

All values, nothing else: no clock, no randomness, no DynamoDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, overload

from ledger import ids
from ledger.money import Money

Direction = Literal["credit", "debit"]
T = TypeVar("T")

MAX_COUNTERPARTIES = 10
"""How many accounts of the other side an entry names; the header names them all."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a transaction to be: `money` into (`credit`) or out of (`debit`) `account`."""

    account: str
    direction: Direction
    money: Money


def credit(account: str, money: Money) -> Leg:
    """Money into `account`."""
    return Leg(account, "credit", money)


def debit(account: str, money: Money) -> Leg:
    """Money out of `account`."""
    return Leg(account, "debit", money)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What `post` is asked for: entries that commit together and sum to zero per currency.

    Attributes:
        entries: 1 to 90 legs; their order gives each its place, and so its id.
        type: the caller's label, 1 to 64 characters.
        description: up to 1,024 bytes, kept on every entry.
        metadata: JSON without floats (ints of up to 1,024 bits), up to 65,536 bytes and 8 levels,
            kept on the header alone.
        trace: JSON for log lines only; neither stored nor part of the request's identity.
        effective_at: the business time, with a zone; absent, `recorded_at` stands for it.
        idempotency_key: up to 1,024 bytes; the same key and request give the first result again.
        id: a ULID of `ledger.new_id()`, to try again with after an unknown outcome.
        historical: `id` may be older than a day (imports).
    """

    entries: Sequence[Leg]
    type: str
    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    trace: Mapping[str, Any] | None = None
    effective_at: datetime | None = None
    idempotency_key: str | None = None
    id: str | None = None
    historical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One immutable event on one account, as it stands in the log.

    `amount_minor` is what it posts and `pending_minor` (signed) what it holds, both in minor units
    of `currency`. `single` marks an entry that was appended by itself, outside the books that sum
    to zero. `origin` is the region that wrote it. `version` is the schema's, under which
    `fingerprint` was made.
    """

    account: str
    currency: str
    transaction_id: str
    place: int
    type: str
    direction: Direction
    amount_minor: int
    origin: str
    pending_minor: int = 0
    counterparties: tuple[str, ...] = ()
    effective_at: datetime | None = None
    description: str | None = None
    single: bool = False
    version: int = 1
    fingerprint: bytes = b""

    @property
    def id(self) -> str:
        """`<transaction id>#<place>`."""
        return ids.entry_id(self.transaction_id, self.place)

    @property
    def money(self) -> Money:
        """The amount posted; the direction says which way it goes."""
        return Money(self.amount_minor, self.currency)

    @property
    def recorded_at(self) -> datetime:
        """The id's time: UTC, to the millisecond."""
        return ids.recorded_at(self.transaction_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEntry:
    """What the header keeps of an entry: the rest stands in the header itself."""

    account: str
    direction: Direction
    currency: str
    amount_minor: int
    pending_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refusal that stands in a header: the error's class, its message and its figures."""

    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A transaction as a whole, as it stands in the log: one item, read atomically.

    `metadata` is canonical JSON. `refusal` is set when the transaction was refused: it then has no
    entries in the log.
    """

    id: str
    type: str
    entries: tuple[HeaderEntry, ...]
    origin: str
    metadata: str | None = None
    description: str | None = None
    effective_at: datetime | None = None
    idempotency_key: str | None = None
    key_expires: bool = False
    single: bool = False
    refusal: Refusal | None = None
    version: int = 1
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An idempotency key, as it stands beside the log: whose it is, and until when.

    `expires_at` is in seconds since 1970; None: it lives for ever.
    """

    key: str
    transaction_id: str
    fingerprint: bytes
    expires_at: int | None = None
    version: int = 1

    def expired(self, now: float) -> bool:
        """Whether it counts as gone, though TTL may not have removed it yet."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedTransaction:
    """What `ledger.transaction(id)` returns: a transaction with all its entries, read atomically."""

    id: str
    type: str
    entries: tuple[Entry, ...]
    recorded_at: datetime
    origin: str
    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    effective_at: datetime | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a write returns. `replayed` says that an earlier call had written it already."""

    id: str
    entries: tuple[Entry, ...]
    replayed: bool = False
    idempotency_key: str | None = None

    @property
    def recorded_at(self) -> datetime:
        """The id's time: UTC, to the millisecond."""
        return ids.recorded_at(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account holds in one currency.

    posted = credits − debits; available = posted − pending debits. Signs never change with the
    kind of account.
    """

    account: str
    currency: str
    credits: Money
    debits: Money
    pending_credits: Money
    pending_debits: Money
    entry_count: int

    @property
    def posted(self) -> Money:
        """credits − debits."""
        return self.credits - self.debits

    @property
    def available(self) -> Money:
        """posted − pending debits."""
        return self.posted - self.pending_debits


@dataclass(frozen=True, slots=True)
class Page(Sequence[T], Generic[T]):
    """One page of a listing. `cursor` asks for the next one, and is None at the end."""

    items: tuple[T, ...] = field(default=())
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)
