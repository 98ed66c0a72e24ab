"""Several writers, each a process of its own, whose postings a seed decides."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from ledger import Money, Transaction, credit, debit
from ledger.model import Leg
from tests.stack.support.deployed import Deployed
from tests.stack.support.waiting import eventually
from tests.support.model import Books, note

CURRENCIES = ("EUR", "JPY")
PACKED = 25


def legs(random_: random.Random, accounts: Sequence[str]) -> list[Leg]:
    """Two to four entries that sum to zero."""
    currency = random_.choice(CURRENCIES)
    payer, *payees = random_.sample(accounts, random_.randint(2, 4))
    amounts = [random_.randint(1, 100_000) for _ in payees]
    paid = [credit(payee, Money(n, currency)) for payee, n in zip(payees, amounts, strict=True)]
    return [debit(payer, Money(sum(amounts), currency)), *paid]


def write(endpoint_url: str, name: str, accounts: Sequence[str], seed: int, count: int) -> Books:
    """Post `count` transactions: packed, one by one with a key, and each tenth of those twice."""
    ledger, random_, books = Deployed(endpoint_url, name).ledger, random.Random(seed), Books()
    while count > 0:
        packed = min(count, PACKED)
        count -= packed
        *many, last = [legs(random_, accounts) for _ in range(packed)]
        note(books, ledger.post_many([Transaction(entries=one, type="trade") for one in many]))
        key = f"{accounts[0]} {seed} {count}"
        for _ in range(1 if random_.random() < 0.9 else 2):
            note(books, [ledger.post(last, type="trade", idempotency_key=key)])
    return books


@contextmanager
def writing(
    deployed: Deployed, accounts: Sequence[str], *, writers: int, transactions: int, seed: int
) -> Iterator[Books]:
    """While the block runs, writers post; when it ends they have ended, and the books hold all that they posted."""
    books = Books()
    with ProcessPoolExecutor(writers, mp_context=get_context("spawn")) as pool:
        begun: list[Future[Books]] = [
            pool.submit(
                write,
                deployed.endpoint_url,
                deployed.name,
                [*accounts],
                seed * 100 + n,
                transactions // writers,
            )
            for n in range(writers)
        ]
        yield books
        for one in begun:
            books.entries.update(one.result().entries)


def sums(books: Books) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Credits, debits and the number of entries, by account and currency."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for (account, currency, _), signed in books.entries.items():
        credits_, debits, count = found.get((account, currency), (0, 0, 0))
        found[account, currency] = (
            credits_ + max(signed, 0),
            debits + max(-signed, 0),
            count + 1,
        )
    return found


def viewed(deployed: Deployed, books: Books) -> dict[tuple[str, str], tuple[int, int, int]]:
    """The same of the view, which the projector alone writes."""
    found = {}
    for account, currency in sorted(books.places()):
        balance = deployed.ledger.balance(account, currency, consistency="view")
        found[account, currency] = (
            balance.credits.amount_minor,
            balance.debits.amount_minor,
            balance.entry_count,
        )
    return found


def wait_until_exact(deployed: Deployed, books: Books, seconds: float = 240) -> None:
    """Wait until the view holds exactly what was posted: sums and counts of every account."""
    wanted = sums(books)
    eventually(lambda: viewed(deployed, books), lambda found: found == wanted, seconds=seconds)


def post_one(deployed: Deployed, accounts: Sequence[str], books: Books) -> None:
    """One more transaction: traffic goes on while a test waits."""
    source, destination, *_ = accounts
    receipt = deployed.ledger.transfer(
        source=source, destination=destination, money=Money(1, "EUR"), type="trade"
    )
    note(books, [receipt])
