"""The keys of every item: the one place that knows how they are spelled.

The currency stands before the ULID in an entry's key, so that a fresh balance reads one currency's
newest entries and nothing else.
"""

from __future__ import annotations

import hashlib

from ledger.errors import InvalidRequest

ACCOUNT = "ACCOUNT#"
EVENT = "EVENT#"
BALANCE = "BALANCE#"
TRANSACTION = "TRANSACTION#"
HEADER = "TRANSACTION"
RECORD = "ACCOUNT"
END = "~"
"""Sorts after every character that a key may hold: the end of a range."""

LISTINGS = 16
"""The listing of accounts is spread over this many partitions of the index."""


def account(name: str) -> str:
    """The partition of an account, in the log, the view and the accounts."""
    return ACCOUNT + name


def account_name(partition: str) -> str:
    """The account of a partition."""
    return partition.removeprefix(ACCOUNT)


def event(currency: str, entry_id: str) -> str:
    """An entry's sort key."""
    return f"{EVENT}{currency}#{entry_id}"


def after_currency(currency: str) -> str:
    """Sorts after all keys of one currency's entries, whatever their ids, and before the next one's."""
    return f"{EVENT}{currency}$"  # the character after `#`


def split_event(sort: str) -> tuple[str, str]:
    """The currency and the entry's id of a sort key. Raises `InvalidRequest` for another key."""
    if not sort.startswith(EVENT):
        raise InvalidRequest("sort key is no entry's")
    currency, _, entry_id = sort.removeprefix(EVENT).partition("#")
    return currency, entry_id


def transaction(transaction_id: str) -> str:
    """The partition of a transaction: its header, and how a hold ended or what reversed it."""
    return TRANSACTION + transaction_id


def balance(currency: str) -> str:
    """The view's sort key for a currency."""
    return BALANCE + currency


def pages(currency: str, generation: str) -> str:
    """What the sort keys of all pages of one generation begin with."""
    return f"PAGE#{currency}#{generation}#"


def page(currency: str, generation: str, through: str) -> str:
    """A page's sort key: `through` is the largest entry id that its range holds."""
    return pages(currency, generation) + through


def page_through(sort: str) -> str:
    """The entry id in a page's sort key."""
    return sort.split("#", 3)[3]


def idempotency(key: str) -> str:
    """The partition of an idempotency key."""
    return "KEY#" + key


def idempotency_key(partition: str) -> str:
    """The idempotency key of a partition."""
    return partition.removeprefix("KEY#")


def listing(name: str) -> str:
    """The index partition under which an account is listed."""
    return f"ACCOUNTS#{hashlib.sha256(name.encode()).digest()[0] % LISTINGS:x}"


def listings() -> list[str]:
    """All index partitions of the listing."""
    return [f"ACCOUNTS#{sixteenth:x}" for sixteenth in range(LISTINGS)]
