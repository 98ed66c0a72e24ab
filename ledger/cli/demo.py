"""A small payment company's day, from a seed, with faults on purpose, checked against its own sums."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypedDict

from botocore.exceptions import ReadTimeoutError
from rich.console import Console

from ledger.embedded import EmbeddedLedger
from ledger.metered import MeteredClient, listing_indexes
from ledger.model import Receipt, Transaction, credit, debit
from ledger.money import Money
from ledger.reconcile import reconcile
from ledger.settings import Settings

USERS, SHOPS, WORLDS, CHUNK = 250, 50, 4, 100
LOST_REPLIES = 0.05
REPEATED_CHUNKS = 0.2


class Result(TypedDict):
    """What the day came to. `right`: every balance is what an independent sum says."""

    right: bool
    verdict: str
    transactions: int
    replayed: int
    lost_replies: int
    wrong_balances: int
    write_units: float
    read_units: float
    dollars: float
    balances: dict[str, int]


class Lossy:
    """A client some of whose replies are lost after the write has been made."""

    def __init__(self, client: Any, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self.lost = 0
        self.killed = False
        """From here on the thread that writes dies at its next write, once that has been made."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return self._losing(method) if name in ("transact_write_items", "update_item") else method

    def _losing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            reply = method(**parameters)
            if self.killed:
                raise SystemExit
            if self._chance.random() < LOST_REPLIES:
                self.lost += 1
                raise ReadTimeoutError(endpoint_url="lost on purpose")
            return reply

        return call


def business(seed: int) -> Iterator[Transaction]:
    """Deposits, purchases, fees and refunds, without end."""
    chance = random.Random(seed)  # noqa: S311  # a demo, and it must be reproducible
    number = 0
    while True:
        number += 1
        user, shop = f"user:{chance.randrange(USERS)}", f"shop:{chance.randrange(SHOPS)}"
        world = f"world:card/{chance.randrange(WORLDS):02d}"
        kind, source, destination = chance.choice(
            [
                ("deposit", world, user),
                ("purchase", user, shop),
                ("fee", shop, "company:fees"),
                ("refund", shop, user),
            ]
        )
        money = Money(chance.randrange(1, 20_000), "EUR")
        legs = [debit(source, money), credit(destination, money)]
        yield Transaction(entries=legs, type=kind, idempotency_key=f"{seed}-{number}")


def day(seed: int, transactions: int, *, quiet: bool) -> Result:
    """Run the day and check it."""
    console = Console(quiet=quiet, markup=False, highlight=False)
    settings = Settings(settling_seconds=1.0, backoff_seconds=0.01)
    console.print("starting an engine and a projector (the first start fetches them)")
    with EmbeddedLedger(settings=settings) as ledger:
        chance = random.Random(seed + 1)  # noqa: S311  # as above
        meter = MeteredClient(ledger.runtime.store.client, listing_indexes(settings))
        writer, projector = Lossy(meter, chance), Lossy(meter, chance)
        ledger.runtime.store.client = writer
        ledger.projector.store.client = projector
        expected, replayed = _trade(ledger, projector, seed, transactions, chance, console)
        console.print("waiting for the projector")
        ledger.settle(timeout_seconds=300)
        spent = meter.total
        found = {
            a: ledger.balance(a, "EUR", consistency="view").posted.amount_minor for a in expected
        }
        wrong = sum(found[account] != amount for account, amount in expected.items())
        console.print("reconciling")
        report = reconcile(ledger.runtime, grace_seconds=0)
    result = Result(
        right=not wrong and report.verdict == "clean" and sum(found.values()) == 0,
        verdict=report.verdict,
        transactions=transactions,
        replayed=replayed,
        lost_replies=writer.lost + projector.lost,
        wrong_balances=wrong,
        write_units=spent.write_units,
        read_units=spent.read_units,
        dollars=round(spent.dollars, 6),
        balances={a: n for a, n in sorted(found.items()) if not a.startswith(("user:", "shop:"))},
    )
    _tell(console, result, len(found))
    return result


def _trade(
    ledger: EmbeddedLedger,
    projector: Lossy,
    seed: int,
    transactions: int,
    chance: random.Random,
    console: Console,
) -> tuple[Counter[str], int]:
    """Post the day in chunks, some of them twice; half-way the projector is killed."""
    expected: Counter[str] = Counter()
    replayed, done, killed = 0, 0, False
    stream = islice(business(seed), transactions)
    while chunk := list(islice(stream, CHUNK)):
        _post(ledger, chunk)
        for t in chunk:
            for leg in t.entries:
                sign = 1 if leg.direction == "credit" else -1
                expected[leg.account] += sign * leg.money.amount_minor
        done += len(chunk)
        if chance.random() < REPEATED_CHUNKS:
            shuffled = chance.sample(chunk, len(chunk))
            replayed += _post(ledger, shuffled)
            console.print(
                f"{done:>6} posted; the last {len(chunk)} again, in another order: all replays"
            )
        elif done % 500 == 0:
            console.print(f"{done:>6} posted")
        if not killed and done >= transactions / 2:
            killed = True
            projector.killed = True
            projector.killed = False
            ledger.restart_projector()
            console.print(f"{done:>6} posted; projector killed, the new one reads everything again")
    return expected, replayed


def _post(ledger: EmbeddedLedger, chunk: list[Transaction]) -> int:
    """Post until every outcome is known. How many were replays."""
    outcomes = ledger.post_many(chunk)
    unknown = [t for t, o in zip(chunk, outcomes, strict=True) if not isinstance(o, Receipt)]
    replayed = sum(isinstance(o, Receipt) and o.replayed for o in outcomes)
    return replayed + (_post(ledger, unknown) if unknown else 0)


def _tell(console: Console, result: Result, accounts: int) -> None:
    for account, amount in result["balances"].items():
        console.print(f"  {account:<20} {amount / 100:>16,.2f} EUR")
    console.print(
        f"{accounts} accounts, {result['wrong_balances']} of them wrong; "
        f"{result['lost_replies']} replies were lost and {result['replayed']} payments sent twice\n"
        f"the reconciler says: {result['verdict']}\n"
        f"on AWS: {result['write_units']:,.0f} write and {result['read_units']:,.0f} read units, "
        f"{result['dollars']:.4f} dollars on demand in us-east-1"
    )
