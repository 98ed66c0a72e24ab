"""Cursors: where a listing goes on, as text that outlives the process.

A cursor belongs to the listing that it was made by: another account, currency, range or order is
refused, and so is a text that is no cursor.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from ledger.errors import InvalidRequest
from ledger.fingerprint import canonical_json

MAX_CURSOR_BYTES = 2048


def encode(listing: Sequence[Any], position: Sequence[str]) -> str:
    """A cursor of `listing` (what was asked for) that goes on after `position`."""
    text = canonical_json([list(listing), list(position)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, listing: Sequence[Any], parts: int) -> list[str]:
    """The position, `parts` strings. Raises `InvalidRequest` for a cursor of another listing."""
    found = _parsed(cursor)
    if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], list)):
        raise no_cursor()
    if found[0] != json.loads(canonical_json(list(listing))):
        raise InvalidRequest(
            "cursor is of another listing: pass the same account, currency, range and order as in "
            "the call that returned it"
        )
    position: list[str] = found[1]
    if not _strings(position, parts):
        raise no_cursor()
    return position


def _strings(value: object, parts: int) -> bool:
    return (
        isinstance(value, list) and len(value) == parts and all(isinstance(v, str) for v in value)
    )


def _parsed(cursor: str) -> Any:
    if not isinstance(cursor, str) or len(cursor) > MAX_CURSOR_BYTES:
        raise no_cursor()
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as error:
        raise no_cursor() from error


def no_cursor() -> InvalidRequest:
    """The refusal of a text that is no cursor."""
    return InvalidRequest("cursor is none of ours: pass the cursor of a page, or None to begin")
