"""What most tests of the write side post."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import Leg, Money, Receipt, credit, debit, ids
from ledger.write import requests
from tests.support.house import START, House

TABLES = ("events", "accounts", "idempotency")


def eur(amount_minor: int) -> Money:
    """Cents."""
    return Money(amount_minor, "EUR")


def deposit(amount_minor: int = 1250, account: str = "user:42") -> list[Leg]:
    """Two legs: from the outside world into an account."""
    return [debit("world:card", eur(amount_minor)), credit(account, eur(amount_minor))]


def id_at(seconds: float = 0, number: int = 1) -> str:
    """An id recorded that many seconds after the set clock's beginning; `number` tells them apart."""
    return ids.mint(int((START + seconds) * 1000), number.to_bytes(10, "big"))


def written(house: House) -> list[tuple[str, Any]]:
    """All that the write side has written, to be compared with itself later."""
    found = [(table, item) for table in TABLES for item in house.items(table)]
    return sorted(found, key=str)


def unconditional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the guard out of every put: its condition holds whatever stands there."""
    monkeypatch.setattr(requests._put, "__defaults__", ("attribute_not_exists(absent)",))


def operations(house: House) -> list[str]:
    """What was asked of DynamoDB since the last `heal`."""
    return [operation for operation, _ in house.faults.calls]


def assert_whole(house: House, receipts: list[Receipt]) -> None:
    """Every header has all its entries, every entry its header, and there is nothing else."""
    events = house.items("events")
    headers = {i["PK"]["S"][12:] for i in events if i["SK"]["S"] == "TRANSACTION"}
    entries = {(i["PK"]["S"][8:], i["SK"]["S"]) for i in events if i["SK"]["S"] != "TRANSACTION"}
    assert headers == {receipt.id for receipt in receipts}
    assert entries == {
        (e.account, f"EVENT#{e.currency}#{e.id}") for r in receipts for e in r.entries
    }
