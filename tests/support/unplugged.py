"""A ledger without a DynamoDB: whatever it does, it does before any call."""

from __future__ import annotations

from typing import Any

from ledger import Ledger, Settings
from ledger.money import Currencies
from ledger.runtime import Runtime
from ledger.store import Store
from tests.support.house import SetClock


class NoCall(AssertionError):
    """A call was sent where none may be."""


class NoClient:
    """A client of which every operation fails the test."""

    def __getattr__(self, name: str) -> Any:
        raise NoCall(f"{name} was called")


def unplugged(**settings: Any) -> Ledger:
    """A ledger that fails the test when it sends anything."""
    wanted = Settings(region="eu-west-1", **settings)
    clock = SetClock()
    store = Store(
        NoClient(),
        clock,
        attempts=1,
        backoff_seconds=0,
        sleep=lambda _: None,
        token=lambda: "",
    )
    return Ledger(
        Runtime(
            settings=wanted,
            region="eu-west-1",
            currencies=Currencies(wanted.currencies),
            store=store,
            clock=clock,
            randomness=lambda count: bytes(count - 1) + b"\x01",
        )
    )


def shown(value: object) -> str:
    """What a parameter is called in the names of tests."""
    if isinstance(value, int) and value.bit_length() > 128:
        sign = "-" if value < 0 else ""
        return f"{sign}2**{value.bit_length()}"
    try:
        text = ascii(value)
    except ValueError:  # Python writes no int of so many digits.
        return type(value).__name__
    if " object at 0x" in text:  # other in each process
        return type(value).__name__
    return text if len(text) <= 60 else f"{text[:40]}... of {len(text)}"
