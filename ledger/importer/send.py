"""Sends transactions in chunks, each to its end: in, there already, refused, or given up for now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.errors import LedgerError, Misconfigured
from ledger.model import Receipt, Transaction

ROUNDS = 5
"""How often what may succeed later is sent, the first time included."""

WAIT_SECONDS = 1.0
"""Before the second round; it doubles."""

Outcome = Receipt | LedgerError


PostMany = Callable[[Sequence[Transaction]], list[Outcome]]
"""`Ledger.post_many`, or what stands in for it."""


def send(
    post_many: PostMany, transactions: Sequence[Transaction], sleep: Callable[[float], None]
) -> list[Outcome]:
    """The outcome of each, in the order given; a `retryable` one was tried to the end.

    Raises:
        Misconfigured: no table, no permission: nothing else would go in either.
    """
    outcomes = post_many(transactions)
    for tried in range(1, ROUNDS):
        again = [place for place, outcome in enumerate(outcomes) if unfinished(outcome)]
        if not again:
            break
        sleep(WAIT_SECONDS * 2 ** (tried - 1))
        retried = post_many([transactions[place] for place in again])
        for place, outcome in zip(again, retried, strict=True):
            outcomes[place] = outcome
    for outcome in outcomes:
        if isinstance(outcome, Misconfigured):
            raise outcome
    return outcomes


def unfinished(outcome: Outcome) -> bool:
    """Whether it may be in or not yet: another import decides it."""
    return isinstance(outcome, LedgerError) and outcome.retryable
