"""What is given to `post` and `transfer`, as values of the library."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from ledger.model import Direction, Leg
from ledger.validation import problems

MAX_FILE_BYTES = 4 * 1024 * 1024


class GivenEntry(BaseModel):
    """An entry of a transaction in JSON. The amount is text: JSON's numbers are floats to many."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    account: str
    direction: Literal["credit", "debit"]
    amount: str
    currency: str


class GivenTransaction(BaseModel):
    """A transaction in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    entries: list[GivenEntry]
    type: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    effective_at: AwareDatetime | None = None
    idempotency_key: str | None = None
    id: str | None = None
    historical: bool = False

    def fields(self) -> dict[str, Any]:
        """All but the entries."""
        return {name: value for name, value in self if name != "entries"}


def transaction(path: str) -> GivenTransaction:
    """A transaction from a JSON file, or from standard input for `-`. Raises `InvalidRequest`."""
    where = "standard input" if path == "-" else path
    try:
        return GivenTransaction.model_validate_json(_read(path))
    except OSError as error:
        raise InvalidRequest(f"{where}: {error.strerror}") from error
    except ValidationError as error:
        raise InvalidRequest(f"{where}: {problems(error)}") from None


def _read(path: str) -> bytes:
    if path == "-":
        content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    else:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InvalidRequest(f"{path}: larger than {MAX_FILE_BYTES} bytes: no transaction is")
    return content


def leg(ledger: Ledger, direction: Direction, given: str) -> Leg:
    """An entry from `ACCOUNT AMOUNT CURRENCY`."""
    parts = given.split()
    if len(parts) != 3:
        raise InvalidRequest(
            f"--{direction} {given!r}: expected ACCOUNT AMOUNT CURRENCY, "
            f"as in --{direction} user:42 12.50 EUR"
        )
    account, amount, currency = parts
    return Leg(account, direction, ledger.money(amount, currency))


def entries(ledger: Ledger, given: GivenTransaction) -> list[Leg]:
    """The entries of a transaction in JSON."""
    return [Leg(e.account, e.direction, ledger.money(e.amount, e.currency)) for e in given.entries]


def metadata(text: str | None) -> Mapping[str, Any] | None:
    """A JSON object. Raises `InvalidRequest`."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"--metadata is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest('--metadata is no JSON object: expected one as {"order": 7}')
    return found


def moment(option: str, text: str | None) -> datetime | None:
    """A time in ISO 8601. The library refuses one without a zone."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(
            f"{option} {text!r}: expected a time in ISO 8601, as in 2026-11-24T08:00:00Z"
        ) from error
