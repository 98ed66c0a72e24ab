"""Ids: a transaction's is a ULID, an entry's is `<ULID>#<two-digit place>`.

In the view an entry's id is 17 bytes: the ULID's 16 and the place.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ulid import ULID

from ledger.errors import InvalidRequest

RANDOM_BYTES = 10
NIL = "0" * 26
FIRST = bytes(17)
"""Below every id: where the first page of an account begins."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 2**48 - 1
CANONICAL = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
ENTRY = re.compile(r"([0-7][0-9A-HJKMNP-TV-Z]{25})#([0-9]{2})")


def mint(time_ms: int, randomness: bytes) -> str:
    """A new id of `time_ms` (milliseconds since 1970) and 10 random bytes."""
    return str(ULID.from_bytes(time_ms.to_bytes(6, "big") + randomness))


def check_id(text: str) -> str:
    """Return `text` if it is a ULID in its one canonical form, else raise `InvalidRequest`."""
    if not isinstance(text, str) or not CANONICAL.fullmatch(text) or text == NIL:
        raise InvalidRequest(
            f"id {text!r}: expected a ULID in its canonical form, 26 characters of "
            "0-9 and A-Z without I, L, O and U, the first 0 to 7, not all 0; ledger.new_id() makes one"
        )
    return text


def time_ms(transaction_id: str) -> int:
    """When the id says that it was recorded, in milliseconds since 1970."""
    return int.from_bytes(ULID.from_str(transaction_id).bytes[:6], "big")


def recorded_at(transaction_id: str) -> datetime:
    """When the id says that it was recorded: UTC, to the millisecond."""
    milliseconds = time_ms(transaction_id)
    return EPOCH + timedelta(milliseconds=milliseconds)


def first_id_of(at: datetime) -> str:
    """The smallest id that can be recorded at `at`, for ranges of time."""
    microseconds = (at - EPOCH) // timedelta(microseconds=1)
    milliseconds = -(-microseconds // 1000)
    return mint(min(max(milliseconds, 0), LAST_MS), bytes(RANDOM_BYTES))


def entry_id(transaction_id: str, place: int) -> str:
    """The id of the entry at `place` (0 … 99) of a transaction."""
    return f"{transaction_id}#{place:02d}"


def split_entry_id(text: str) -> tuple[str, int]:
    """The transaction's id and the place. Raises `InvalidRequest` for anything else."""
    found = ENTRY.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise InvalidRequest(
            f"entry id {text!r}: expected <transaction id>#<two-digit place>, as a receipt's "
            "entries carry it"
        )
    return found[1], int(found[2])


def pack(entry: str) -> bytes:
    """An entry's id as the view keeps it: 17 bytes that sort as the text does."""
    return ULID.from_str(entry[:26]).bytes + bytes((int(entry[27:]),))


def unpack(packed: bytes) -> str:
    """The text of an id of 17 bytes."""
    return entry_id(str(ULID.from_bytes(packed[:16])), packed[16])


def packed_time_ms(packed: bytes) -> int:
    """The recorded time of an id of 17 bytes, in milliseconds since 1970."""
    return int.from_bytes(packed[:6], "big")
