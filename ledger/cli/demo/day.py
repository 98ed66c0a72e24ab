"""What a small payment company does in a day: pure, and the same for the same seed.

The books that it keeps know nothing of the ledger: they are what the ledger must come to.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger.model import Leg, Transaction, credit, debit
from ledger.money import Money

CURRENCY = "EUR"
CUSTOMERS = 240
SHOPS = 40
SPREAD = 8
"""Accounts for the outside world and for fees, each: what every payment touches is several."""

HOURS = range(8, 22)
BUSY = (2, 4, 5, 6, 8, 7, 5, 5, 6, 8, 9, 7, 4, 2)
"""How busy each hour is, beside the others."""

KINDS = ("deposit", "purchase", "refund", "payout")
WEIGHTS = (25, 62, 7, 6)


@dataclass(slots=True)
class Books:
    """What each account must hold, in cents, and how many entries it must have."""

    posted: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)

    def add(self, transaction: Transaction) -> None:
        """Write a transaction down."""
        for leg in transaction.entries:
            sign = 1 if leg.direction == "credit" else -1
            self.posted[leg.account] += sign * leg.money.amount_minor
            self.entries[leg.account] += 1


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the day and its payments."""

    hour: int
    payments: Sequence[Transaction]


@dataclass(frozen=True, slots=True)
class _Sale:
    """A purchase that may yet be refunded."""

    customer: str
    shop: str
    cents: int


class Day:
    """A day of about `payments` payments. `books` is what it has come to so far."""

    def __init__(self, seed: int, payments: int) -> None:
        self.books = Books()
        self._seed = seed
        self._payments = payments
        self._chance = random.Random(f"day {seed}")  # noqa: S311  # a seed must reproduce it
        self._sales: list[_Sale] = []
        self._number = 0

    def hours(self) -> Iterator[Hour]:
        """The hours, one after the other."""
        whole = sum(BUSY)
        for hour, busy in zip(HOURS, BUSY, strict=True):
            count = max(1, self._payments * busy // whole)
            yield Hour(hour, [self._payment() for _ in range(count)])

    def _payment(self) -> Transaction:
        (kind,) = self._chance.choices(KINDS, WEIGHTS)
        legs = {
            "deposit": self._deposit,
            "purchase": self._purchase,
            "refund": self._refund,
            "payout": self._payout,
        }[kind]()
        if legs is None:  # Nobody has the money for it: somebody brings some.
            kind, legs = "deposit", self._deposit()
        self._number += 1
        key = f"{self._seed}-{self._number:06d}"
        made = Transaction(entries=legs, type=kind, idempotency_key=key)
        self.books.add(made)
        return made

    def _deposit(self) -> list[Leg]:
        cents = self._chance.randrange(1_000, 50_000)
        return _legs({self._one_of("world:card"): -cents, self._customer(): cents})

    def _purchase(self) -> list[Leg] | None:
        customer, shop = self._customer(), self._shop()
        cents = self._chance.randrange(150, 15_000)
        if self.books.posted[customer] < cents:
            return None
        fee = 10 + cents // 100
        self._sales.append(_Sale(customer, shop, cents))
        fees = self._one_of("company:fees")
        return _legs({customer: -cents, shop: cents - fee, fees: fee})

    def _refund(self) -> list[Leg] | None:
        if not self._sales:
            return None
        sale = self._sales.pop(self._chance.randrange(len(self._sales)))
        if self.books.posted[sale.shop] < sale.cents:
            return None
        return _legs({sale.shop: -sale.cents, sale.customer: sale.cents})

    def _payout(self) -> list[Leg] | None:
        shop = self._shop()
        cents = self.books.posted[shop] // 2
        if cents < 1:
            return None
        return _legs({shop: -cents, self._one_of("world:bank"): cents})

    def _customer(self) -> str:
        return f"customer:{self._chance.randrange(CUSTOMERS):03d}"

    def _shop(self) -> str:
        return f"shop:{self._chance.randrange(SHOPS):02d}"

    def _one_of(self, name: str) -> str:
        return f"{name}/{self._chance.randrange(SPREAD):02d}"


def _legs(amounts: dict[str, int]) -> list[Leg]:
    return [
        (credit if cents > 0 else debit)(account, Money(abs(cents), CURRENCY))
        for account, cents in amounts.items()
    ]
