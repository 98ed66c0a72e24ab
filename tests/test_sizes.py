"""What Folio's own limits let through fits DynamoDB's: items, calls and headers, at their largest.

AWS: 100 items and 4 MB a transaction, 400 KB an item. Folio: a header under 100 KB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger import (
    InvalidRequest,
    Money,
    Receipt,
    Settings,
    Transaction,
    build,
    check,
    credit,
    debit,
    ids,
)
from ledger.items import entry_item, header_item
from ledger.metering import item_bytes
from ledger.model import Header, Refusal
from ledger.money import Currencies
from ledger.write import requests
from ledger.write.bulk import Packed, _packs
from ledger.write.requests import MAX_ITEMS, Part
from tests.conftest import NewHouse

MAX_HEADER_BYTES = 100_000
MAX_CALL_BYTES = 4_000_000
REGION = "ap-southeast-99"
CODE = "A23456789012"
CURRENCIES = Currencies({CODE: 0})
SETTINGS = Settings(idempotency_ttl_seconds=10**9)
AT = datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-14)))


def metadata(size: int) -> dict[str, str]:
    """Metadata of exactly that many bytes as JSON, of characters that are one byte."""
    return {"m": "x" * (size - len('{"m":""}'))}


def largest(legs: int, number: int = 0) -> Transaction:
    """The largest transaction of that many legs which the checks let through."""
    names = [
        f"{number:03d}/{place:03d}".ljust(check.MAX_ACCOUNT_BYTES, "a") for place in range(legs)
    ]
    amount = 10**27 - 1
    money = Money(amount, CODE)
    entries = [(debit if place % 2 else credit)(name, money) for place, name in enumerate(names)]
    transaction = Transaction(
        entries=entries,
        type="t" * 64,
        description="d" * check.MAX_DESCRIPTION_BYTES,
        metadata=metadata(check.MAX_METADATA_BYTES),
        effective_at=AT,
        idempotency_key=f"{number:03d}".ljust(check.MAX_KEY_BYTES, "k"),
        id=ids.mint(ids.LAST_MS, bytes(10)),
    )
    check.transaction(transaction, CURRENCIES)
    return transaction


def parts_of(transaction: Transaction) -> tuple[Header, list[Part]]:
    """Its header, and all that it puts."""
    header = build.header(transaction, id=transaction.id or "", origin=REGION, key_expires=True)
    return header, requests.post_parts(SETTINGS, header, 10**10)


def call_bytes(parts: Sequence[Part]) -> int:
    """What the items of one call add up to, by AWS's sizes."""
    return sum(item_bytes(part.put["Item"]) for part in parts)


def test_fault_47_the_largest_header_is_below_100_kb() -> None:
    """Ninety legs on the longest names, the most metadata, the longest texts and key."""
    header, _ = parts_of(largest(check.MAX_ENTRIES))
    size = item_bytes(header_item(header))
    assert check.MAX_METADATA_BYTES < size < MAX_HEADER_BYTES
    refusal = Refusal(error="InsufficientFunds", message="m" * 1000)
    assert item_bytes(header_item(replace(header, refusal=refusal))) < MAX_HEADER_BYTES


def test_characters_of_several_bytes_count_as_several() -> None:
    """The limits are of bytes of UTF-8, as DynamoDB counts: the largest header is no larger in Greek."""
    greek = {"m": "λ" * ((check.MAX_METADATA_BYTES - len('{"m":""}')) // 2)}
    check.metadata(greek)
    with pytest.raises(InvalidRequest):
        check.metadata({"m": greek["m"] + "λ"})


def test_the_largest_entry_is_below_4_kb() -> None:
    """An entry costs four write units at the most, however much its transaction says."""
    header, _ = parts_of(largest(check.MAX_ENTRIES))
    sizes = [item_bytes(entry_item(entry)) for entry in build.entries(header)]
    assert 2048 < max(sizes) < 4096


def test_the_largest_transaction_is_below_4_mb_and_100_items() -> None:
    """Key, header, ninety entries and the accounts that still fit."""
    _, parts = parts_of(largest(check.MAX_ENTRIES))
    assert len(parts) == 92
    names = [f"{place}".ljust(check.MAX_ACCOUNT_BYTES, "a") for place in range(MAX_ITEMS - 92)]
    moment = datetime.now(UTC)
    parts += [requests.account_part(SETTINGS, name, REGION, moment) for name in names]
    assert len(parts) == MAX_ITEMS
    assert call_bytes(parts) < MAX_CALL_BYTES


@pytest.mark.parametrize("keyed", [True, False], ids=["with keys", "without keys"])
@pytest.mark.parametrize("legs", [2, 4, 6, 30, 48, 90])
def test_fault_14_the_largest_packs_are_below_4_mb_and_100_items(legs: int, keyed: bool) -> None:
    """However many of the largest transactions post_many packs into one call, AWS takes it."""
    wanted = [largest(legs, number) for number in range(40)]
    if not keyed:
        wanted = [replace(one, idempotency_key=None) for one in wanted]
    packed = [Packed(number, *_with_id(one, number)) for number, one in enumerate(wanted)]
    packs = list(_packs(packed))
    assert [one.place for pack in packs for one in pack] == list(range(40))
    for pack in packs:
        parts = [part for one in pack for part in one.parts]
        assert len(parts) <= MAX_ITEMS
        assert call_bytes(parts) < MAX_CALL_BYTES
    full = MAX_ITEMS // (legs + 1 + keyed)
    assert [len(pack) for pack in packs[:-1]] == [full] * (len(packs) - 1), "calls are half empty"


def _with_id(transaction: Transaction, number: int) -> tuple[Header, list[Part]]:
    header = build.header(
        transaction, id=ids.mint(ids.LAST_MS - number, bytes(10)), origin=REGION, key_expires=True
    )
    return header, requests.post_parts(SETTINGS, header, 10**10)


def test_fault_47_the_largest_of_all_is_really_taken(new_house: NewHouse) -> None:
    """What the arithmetic says, an engine confirms: the largest goes in, and comes back whole."""
    house = new_house(currencies={CODE: 0}, idempotency_ttl_seconds=10**9)
    wanted = replace(largest(check.MAX_ENTRIES), id=None)
    receipt = house.ledger.post(wanted)
    found = house.ledger.transaction(receipt.id)
    assert found.entries == receipt.entries
    assert found.metadata == wanted.metadata
    assert found.effective_at == AT
    assert house.ledger.post(wanted).replayed


def test_fault_14_the_largest_pack_is_really_taken(new_house: NewHouse) -> None:
    """A full call of the largest transactions, 2 MB of it, goes in at once."""
    house = new_house(currencies={CODE: 0})
    wanted = [replace(largest(2, number), id=None) for number in range(MAX_ITEMS // 4)]
    outcomes = house.ledger.post_many(wanted)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    calls = [operation for operation, _ in house.faults.calls if operation.startswith("transact")]
    assert len(calls) == 2, "one for the accounts, one for the money"
