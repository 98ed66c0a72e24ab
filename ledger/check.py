"""Bad input is refused here, before any call: what was wrong, what was expected, what to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ledger import ids
from ledger.errors import InvalidRequest
from ledger.fingerprint import canonical_json
from ledger.model import Leg, Transaction
from ledger.money import Currencies, Money, check_amount

MAX_ENTRIES = 90
MAX_ACCOUNT_BYTES = 128
MAX_KEY_BYTES = 1024
MAX_DESCRIPTION_BYTES = 1024
MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_DEPTH = 8
MAX_METADATA_INT_BITS = 1024
MAX_LIMIT = 1000

# Printable ASCII without space, `#` (separates a key's parts) and `~` (ends a key's range).
ACCOUNT = re.compile(rf"[!-\"$-}}]{{1,{MAX_ACCOUNT_BYTES}}}")
TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")


def account(name: str) -> str:
    """Return `name` if an account can have it, else raise `InvalidRequest`."""
    if not isinstance(name, str) or not ACCOUNT.fullmatch(name):
        raise InvalidRequest(
            f"account {_short(name)}: expected 1 to {MAX_ACCOUNT_BYTES} printable ASCII "
            "characters without spaces, '#' and '~', as in \"user:42\""
        )
    return name


def _short(value: object) -> str:
    if type(value) is int and value.bit_length() > 128:
        return "of too many digits"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}…{text[-1]}"


def type_(label: str) -> str:
    """Return `label` if a transaction can have that type, else raise `InvalidRequest`."""
    if not isinstance(label, str) or not TYPE.fullmatch(label):
        raise InvalidRequest(
            f"type {_short(label)}: expected 1 to 64 letters, digits and _ . : / -, the first a "
            'letter or digit, as in "deposit"'
        )
    return label


def text(name: str, value: str, limit_bytes: int) -> str:
    """Return `value` if it is a text of 1 … `limit_bytes` bytes, else raise `InvalidRequest`."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} is a {type(value).__name__}: expected a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name} holds half a surrogate pair: it is no Unicode text") from None
    if not 1 <= size <= limit_bytes:
        raise InvalidRequest(f"{name} has {size} bytes: expected 1 to {limit_bytes} bytes of UTF-8")
    return value


def idempotency_key(key: str) -> str:
    """Return `key` if it can be an idempotency key, else raise `InvalidRequest`."""
    return text("idempotency_key", key, MAX_KEY_BYTES)


def time(name: str, at: datetime) -> datetime:
    """`at` in UTC. Raises `InvalidRequest` for a time without a zone."""
    if not isinstance(at, datetime):
        raise InvalidRequest(f"{name} is a {type(at).__name__}: expected a datetime with a zone")
    if at.utcoffset() is None:
        raise InvalidRequest(
            f"{name} has no zone: expected an aware datetime, as in datetime.now(timezone.utc)"
        )
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(f"{name} is out of the calendar's range in UTC") from None


def limit(count: int) -> int:
    """Return `count` if it can be a page's limit, else raise `InvalidRequest`."""
    if type(count) is not int or not 1 <= count <= MAX_LIMIT:
        raise InvalidRequest(f"limit is {_short(count)}: expected 1 to {MAX_LIMIT}")
    return count


def metadata(value: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` unless `value` is JSON without floats and of bounded size."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"metadata is a {type(value).__name__}: expected a mapping")
    _json("metadata", value, MAX_METADATA_DEPTH)
    text("metadata as JSON", canonical_json(value), MAX_METADATA_BYTES)


def _json(where: str, value: Any, depth: int) -> None:
    if depth == 0:
        raise InvalidRequest(f"{where} is nested deeper than {MAX_METADATA_DEPTH} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise InvalidRequest(f"{where} has a key that is no string")
            _json(f"{where}[{_short(key)}]", inner, depth - 1)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            _json(f"{where}[{place}]", inner, depth - 1)
    else:
        _scalar(where, value)


def _scalar(where: str, value: Any) -> None:
    if type(value) is int and value.bit_length() > MAX_METADATA_INT_BITS:
        raise InvalidRequest(
            f"{where} is an int of more than {MAX_METADATA_INT_BITS} bits: write it as a string"
        )
    if not (value is None or type(value) in (str, int, bool)):
        raise InvalidRequest(
            f"{where} is a {type(value).__name__}: expected str, int, bool, None, a list or a "
            "dict; a float has no canonical form, write it as a string"
        )


def trace(value: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` unless `value` fits a log line, which is written after the commit."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"trace is a {type(value).__name__}: expected a mapping")
    try:
        canonical_json(dict(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("trace is no JSON, as a log line holds it") from error


def money(value: Money, currencies: Currencies) -> Money:
    """Return `value` if an entry can hold it, else raise `InvalidRequest`."""
    if not isinstance(value, Money):
        raise InvalidRequest(
            f"money is a {type(value).__name__}: expected Money(minor_units, currency)"
        )
    check_amount(value.amount_minor)
    currencies.exponent(value.currency)
    return value


def leg(value: Leg, currencies: Currencies) -> None:
    """Raise `InvalidRequest` unless `value` can become an entry."""
    if not isinstance(value, Leg) or value.direction not in ("credit", "debit"):
        raise InvalidRequest(
            f"entry is a {type(value).__name__}: expected credit(account, money) or "
            "debit(account, money)"
        )
    account(value.account)
    money(value.money, currencies)


def append(value: Transaction, currencies: Currencies) -> None:
    """Raise `InvalidRequest` unless `value` can be appended as one entry by itself."""
    leg(value.entries[0], currencies)
    _common(value)


def transaction(value: Transaction, currencies: Currencies) -> None:
    """Raise `InvalidRequest` unless `value` can be posted."""
    if not isinstance(value, Transaction):
        raise InvalidRequest(f"transaction is a {type(value).__name__}: expected a Transaction")
    _legs(value.entries, currencies)
    _common(value)
    if value.metadata is not None:
        metadata(value.metadata)
    if value.idempotency_key is not None:
        idempotency_key(value.idempotency_key)


def _legs(legs: Sequence[Leg], currencies: Currencies) -> None:
    if not isinstance(legs, Sequence) or isinstance(legs, str):
        raise InvalidRequest(f"entries is a {type(legs).__name__}: expected a list of entries")
    if not 2 <= len(legs) <= MAX_ENTRIES:
        raise InvalidRequest(
            f"the transaction has {len(legs)} entries: expected 2 to {MAX_ENTRIES}; one entry by "
            "itself goes through append, more through several transactions and a transit account"
        )
    for value in legs:
        leg(value, currencies)
    _balanced(legs, currencies)


def _balanced(legs: Sequence[Leg], currencies: Currencies) -> None:
    sums: Counter[str] = Counter()
    for value in legs:
        sign = 1 if value.direction == "credit" else -1
        sums[value.money.currency] += sign * value.money.amount_minor
    off = [Money(amount, code) for code, amount in sorted(sums.items()) if amount]
    if off:
        excess = ", ".join(currencies.format(value) for value in off)
        raise InvalidRequest(
            f"credits exceed debits by {excess}: a transaction sums to zero in every currency; "
            "money enters and leaves through accounts for the outside world"
        )


def _common(value: Transaction) -> None:
    type_(value.type)
    if value.description is not None:
        text("description", value.description, MAX_DESCRIPTION_BYTES)
    if value.effective_at is not None:
        time("effective_at", value.effective_at)
    if value.trace is not None:
        trace(value.trace)
    if value.id is not None:
        ids.check_id(value.id)
    if value.historical and value.id is None:
        raise InvalidRequest("historical=True needs an id: it says that the given id may be old")
