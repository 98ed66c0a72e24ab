"""One check of a deployment, as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ledger.errors import LedgerError

State = Literal["ok", "failing", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do about it where it fails."""

    name: str
    state: State
    found: str
    todo: str = ""


Checks = Iterator[Check]


def failed(name: str, error: LedgerError) -> Check:
    """An error of DynamoDB's as a finding: its message says what to do."""
    return Check(name, "failing", f"{type(error).__name__}: {error}", "see the message")
