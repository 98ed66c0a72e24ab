"""One Ledger is shared by all threads of a process."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from ledger import Receipt
from tests.support.house import House
from tests.support.samples import assert_whole, deposit, eur


def test_two_threads_share_a_ledger(house: House) -> None:
    """Both open the same accounts and post at the same moment: every transaction is there once."""
    start = Barrier(4)

    def work(thread: int) -> list[Receipt]:
        start.wait()
        return [
            house.ledger.post(deposit(1), type="t", idempotency_key=f"{thread}/{number}")
            for number in range(10)
        ]

    with ThreadPoolExecutor(4) as pool:
        receipts = [receipt for done in pool.map(work, range(4)) for receipt in done]
    assert len({receipt.id for receipt in receipts}) == 40
    assert_whole(house, receipts)
    assert house.ledger.balance("user:42", "EUR").posted == eur(40)


def test_threads_with_one_key_make_one_transaction(house: House) -> None:
    """Whichever commits first, all hear of the same."""
    start = Barrier(4)

    def work(_: int) -> Receipt:
        start.wait()
        return house.ledger.post(deposit(), type="t", idempotency_key="k")

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(work, range(4)))
    assert len({receipt.id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert_whole(house, receipts[:1])


def test_asyncio_goes_through_to_thread(house: House) -> None:
    """As the class says: a coroutine calls the ledger in a thread."""

    async def main() -> list[Receipt]:
        calls = [asyncio.to_thread(house.ledger.post, deposit(1), type="t") for _ in range(5)]
        return await asyncio.gather(*calls)

    assert_whole(house, asyncio.run(main()))
