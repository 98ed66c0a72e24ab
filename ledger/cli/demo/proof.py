"""The end of the day against an independent sum, and what the day cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ledger.cli.demo.day import CURRENCY, Books
from ledger.cli.demo.run import Happened
from ledger.ledger import Ledger
from ledger.metering import DOLLARS_A_MILLION_READS, DOLLARS_A_MILLION_WRITES
from ledger.reconcile import Report, reconcile

PRICE = (
    f"${DOLLARS_A_MILLION_WRITES} a million write units and ${DOLLARS_A_MILLION_READS} a million "
    "read units: on demand in us-east-1, as priced since November 2024"
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and whether all of it agrees.

    `balances` are in cents. `wrong` names what disagrees.
    """

    balances: dict[str, int]
    wrong: tuple[str, ...]
    report: Report

    @property
    def right(self) -> bool:
        """Whether everything is as the books say, and the reconciler finds it clean."""
        return not self.wrong and self.report.verdict == "clean"


def prove(
    ledger: Ledger, books: Books, payments: int, progress: Callable[[int, int], None]
) -> Proof:
    """Compare every account, by the view and fresh, with the books; then reconcile."""
    balances, wrong = {}, []
    for account in sorted(books.posted):
        wanted = (books.posted[account], books.entries[account])
        view = ledger.balance(account, CURRENCY, consistency="view")
        fresh = ledger.balance(account, CURRENCY)
        for name, found in (("view", view), ("fresh", fresh)):
            has = (found.posted.amount_minor, found.entry_count)
            if has != wanted:
                wrong.append(f"{account} ({name}): has {has}, must have {wanted} cents and entries")
        balances[account] = view.posted.amount_minor
    if total := sum(balances.values()):
        wrong.append(f"all accounts together have {total} cents, must have 0")
    accounts = len(balances)
    report = reconcile(
        ledger.runtime, grace_seconds=0, progress=lambda done, _: progress(done, accounts)
    )
    if report.transactions != payments:
        wrong.append(f"the log has {report.transactions} transactions, must have {payments}")
    return Proof(balances, tuple(wrong), report)


def document(seed: int, happened: Happened, proof: Proof) -> dict[str, Any]:
    """The day as JSON's types."""
    counts = asdict(happened)
    projected, spent = counts.pop("projected"), counts.pop("spent")
    return {
        "right": proof.right,
        "wrong": list(proof.wrong),
        "verdict": proof.report.verdict,
        "seed": seed,
        **counts,
        "projected": projected,
        "accounts": len(proof.balances),
        "entries": proof.report.entries,
        "balances_minor": proof.balances,
        "currency": CURRENCY,
        "cost": {**spent, "dollars": round(happened.spent.dollars, 6), "price": PRICE},
    }
