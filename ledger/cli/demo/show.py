"""Runs the day, and shows how it ended."""

from __future__ import annotations

from collections import Counter

from rich.console import RenderableType

from ledger.cli import codes
from ledger.cli.demo.day import CURRENCY
from ledger.cli.demo.narrator import Narrator
from ledger.cli.demo.proof import PRICE, Proof, document, prove
from ledger.cli.demo.run import Happened, company
from ledger.cli.output import table, text
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from ledger.money import Money

SHOWN = 5


def show(session: Session, seed: int, payments: int) -> int:
    """Live the day, prove it and show it. The exit code."""
    options = session.options
    if options.embedded or options.endpoint_url or options.region:
        raise InvalidRequest("the demo has an engine of its own, in memory")
    with (
        Narrator(session.output, payments) as narrator,
        company(seed, payments, narrator) as lived,
    ):
        lived.live()
        narrator.say("comparing every balance with the books, and reconciling")
        proof = prove(lived.ledger, lived.day.books, lived.happened.payments, narrator.compared)
        shown = _shown(lived.ledger, lived.happened, proof)
    session.output.show(document(seed, lived.happened, proof), *shown)
    return codes.DONE if proof.right else codes.ERROR


def _shown(ledger: Ledger, happened: Happened, proof: Proof) -> list[RenderableType]:
    went = {
        "payments": happened.payments,
        "sent twice by impatient callers": happened.sent_twice,
        "replies lost": happened.replies_lost,
        "calls throttled": happened.throttled,
        "outcomes unknown, and sent again": happened.unknown_outcomes,
        "stream records repeated": happened.records_repeated,
        "stream records held back": happened.records_held_back,
        "projectors killed": happened.projectors_killed,
        "duplicates that the projector dropped": happened.projected.duplicates,
        "late events": happened.projected.late,
        "pages sealed": happened.projected.seals,
    }
    return [
        "",
        table(
            ["in the day", "times"],
            [[name, f"{count:,}"] for name, count in went.items()],
            numbers="times",
        ),
        "",
        table(["account", "balance"], _balances(ledger, proof), numbers="balance"),
        "",
        *_ended(happened, proof),
    ]


def _balances(ledger: Ledger, proof: Proof) -> list[list[object]]:
    """The richest customers and shops, the outside world and the company, and their sum."""
    largest = sorted(proof.balances.items(), key=lambda pair: -pair[1])
    groups: Counter[str] = Counter()
    rows = list[list[object]]()
    for kind in ("customer:", "shop:"):
        own = [(name, cents) for name, cents in largest if name.startswith(kind)]
        rows += [[name, _money(ledger, cents)] for name, cents in own[:SHOWN]]
        rest = sum(cents for _, cents in own[SHOWN:])
        rows.append([f"{kind}… {len(own[SHOWN:])} more", _money(ledger, rest)])
    for name, cents in proof.balances.items():
        if not name.startswith(("customer:", "shop:")):
            groups[name.split("/")[0]] += cents
    rows += [[f"{name}/…", _money(ledger, cents)] for name, cents in groups.items()]
    return [*rows, ["all together", _money(ledger, sum(proof.balances.values()))]]


def _money(ledger: Ledger, cents: int) -> str:
    return ledger.format(Money(cents, CURRENCY))


def _ended(happened: Happened, proof: Proof) -> list[RenderableType]:
    spent, report = happened.spent, proof.report
    each = spent.write_units / max(1, happened.payments)
    said: list[RenderableType] = [text(f"wrong: {what}", "red") for what in proof.wrong]
    cost = (
        f"cost: {spent.write_units:,.0f} write units ({each:.1f} a payment, projection and retries "
        f"included) and {spent.read_units:,.0f} read units: ${spent.dollars:.4f}"
    )
    return [
        *said,
        text(
            f"{len(proof.balances):,} accounts, {report.entries:,} entries: "
            + ("each balance is what the books say, to the cent" if not proof.wrong else "WRONG"),
            "red" if proof.wrong else "green",
        ),
        text(
            f"the reconciler says: {report.verdict}",
            "green" if report.verdict == "clean" else "red",
        ),
        cost,
        f"at {PRICE}",
    ]
