"""`redrive`: what waits in quarantine, or in the bucket of dead letters."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from ledger.cli import codes
from ledger.cli.output import table
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from projector import deadletters
from projector.bucket import Place
from projector.deadletters import Letter
from projector.publish import Bus, connect_bus
from projector.redrive import Redriven, redrive

LEFT = ("applied", "duplicate", "ignored")
"""The fates of a record that has left quarantine."""

ACCOUNTS_SIDE_BY_SIDE = 4

DeadLetters = Annotated[
    str | None,
    typer.Option(
        "--dead-letters",
        help="Not quarantine, but what Lambda gave up on and put into this bucket.",
        metavar="s3://BUCKET[/PREFIX]",
    ),
]


def redrive_(session: Session, dead_letters: DeadLetters = None) -> int:
    """Look again at what waits in quarantine, and apply what this version understands.

    With --dead-letters it applies what the stream's on-failure destination kept, quarantine
    included, and removes each object of which nothing is left to do.

    Exit code 4: some stay there, for an operator.

    Example: folio redrive

    Example: folio redrive --dead-letters s3://folio-failures-123456789012
    """
    if dead_letters is not None:
        return _letters(session, Place.of(dead_letters))
    with session.ledger(settled=True) as ledger:
        done = list(redrive(ledger.runtime, bus_of(session, ledger)))
    fates = Counter(one.fate for one in done)
    stay = sum(count for fate, count in fates.items() if fate not in LEFT)
    code = codes.INCOMPLETE if stay else codes.DONE
    items = [_document(one) for one in done]
    document = {"items": items, "cursor": None, "fates": dict(fates), "exit_code": code}
    rows = [[one.kept.day, one.kept.event_id, one.fate, one.reason] for one in done]
    session.output.show(
        document,
        table(["day", "record", "fate", "why"], rows),
        f"{len(done) - stay:,} left quarantine, {stay:,} stay",
    )
    return code


def bus_of(session: Session, ledger: Ledger) -> Bus | None:
    """The bus of the settings; an embedded ledger, which is for trying, has none."""
    if session.options.embedded is not None:
        return None
    return connect_bus(ledger.runtime.settings, session.aws(), session.options.endpoint_url)


def _document(one: Redriven) -> dict[str, str]:
    return {
        "day": one.kept.day,
        "record": one.kept.event_id,
        "fate": one.fate,
        "reason": one.reason,
    }


def _letters(session: Session, place: Place) -> int:
    if session.options.embedded is not None:
        raise InvalidRequest("--embedded: an embedded ledger has no Lambda, and no dead letters")
    with session.ledger() as ledger:
        done = list(
            deadletters.redrive(
                ledger.runtime,
                session.client("s3", ledger.runtime.settings),
                place,
                parallel=ACCOUNTS_SIDE_BY_SIDE,
                bus=bus_of(session, ledger),
            )
        )
    fates = Counter(one.fate for one in done)
    stay = len(done) - fates["applied"]
    code = codes.INCOMPLETE if stay else codes.DONE
    document = {
        "items": [_letter(one) for one in done],
        "cursor": None,
        "fates": dict(fates),
        "exit_code": code,
    }
    columns = ["object", "fate", "records", "applied", "quarantined", "why"]
    rows = [
        [one.key, one.fate, one.records, one.tally.applied, one.tally.quarantined, one.reason]
        for one in done
    ]
    session.output.show(
        document,
        table(columns, rows, numbers="records applied quarantined"),
        f"{fates['applied']:,} objects applied and removed, {stay:,} stay",
    )
    return code


def _letter(one: Letter) -> dict[str, object]:
    return {
        "key": one.key,
        "fate": one.fate,
        "records": one.records,
        **one.tally.counts(),
        "reason": one.reason,
    }
