"""`reconcile` by exports: a window of time, and the nights that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from ledger.cli.progress import steps
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.ledger import Ledger
from ledger.reconcile import Report
from ledger.reconcile.export import Bucket, nights, reconcile_window

Exports = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        help="What a window wrote, by its two incremental exports, of events and of balances.",
        metavar="S3://BUCKET/…/AWSDynamoDB/ID",
    ),
]
Nights = Annotated[
    str | None,
    typer.Option(
        "--nights",
        help="Keep the report as a night in this bucket: the next window begins where it ends.",
        metavar="S3://BUCKET",
    ),
]


def now(ledger: Ledger) -> datetime:
    """DynamoDB's time."""
    ledger.runtime.synchronise()
    return ledger.runtime.clock.moment()


def compared(
    session: Session, ledger: Ledger, exports: Sequence[str], grace: float | None
) -> Report:
    """What a window wrote, compared."""
    places = [place(uri) for uri in exports]
    if len({bucket for bucket, _ in places}) > 1:
        raise InvalidRequest("--export: both exports are in one bucket")
    with steps(session.output, "reconciling the window") as progress:
        return reconcile_window(
            ledger.runtime,
            _bucket(session, ledger, places[0][0]),
            [key for _, key in places],
            grace_seconds=grace,
            progress=progress.at,
        )


def kept(
    session: Session,
    ledger: Ledger,
    report: Report,
    began: datetime,
    uri: str,
    grace: float | None,
) -> Report:
    """The report, kept. A full one vouches for what was old enough when it `began`."""
    if report.mode == "full":
        wait = ledger.runtime.settings.grace_seconds if grace is None else grace
        report = nights.vouched(report, began, wait)
    if report.window:
        nights.keep(_bucket(session, ledger, place(uri)[0]), report)
    return report


def _bucket(session: Session, ledger: Ledger, name: str) -> Bucket:
    client = session.client("s3", ledger.runtime.settings)
    return Bucket(client, name, ledger.runtime)


def place(uri: str) -> tuple[str, str]:
    """The bucket and the key of `s3://bucket/key`. Raises `InvalidRequest`."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket:
        raise InvalidRequest(f"{uri!r}: expected s3://bucket/key")
    return bucket, key
