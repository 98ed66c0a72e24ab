"""`demo`, where the embedded engine's extra is installed."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.session import Session, embedded_ledger

PAYMENTS = 4_000

Seed = Annotated[int, typer.Option(help="Another seed is another day.")]
Payments = Annotated[int, typer.Option(help="How many.", min=100, max=1_000_000)]


def demo(session: Session, seed: Seed = 1, payments: Payments = PAYMENTS) -> int:
    """A small payment company's day, in about a minute, with all that goes wrong in one.

    Replies are lost, requests are sent twice, the stream repeats and mixes up its records, and the
    projector is killed half-way. At the end every balance is compared with an independent sum, and
    the ledger is reconciled: exit code 1 if anything is off.

    Example: folio demo --seed 7
    """
    embedded_ledger()  # says so where the extra is missing
    # Here and not above: whoever works on AWS need not have the extra.
    from ledger.cli.demo.show import show  # noqa: PLC0415

    return show(session, seed, payments)
