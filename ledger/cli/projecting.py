"""`projector run`."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from ledger import control
from ledger.cli import codes
from ledger.cli.output import table
from ledger.cli.redriving import bus_of
from ledger.cli.session import Session
from ledger.errors import InvalidRequest, LedgerError, Misconfigured
from ledger.ledger import Ledger
from ledger.log import logger, to_stream
from ledger.settings import Settings
from projector.batch import BatchResult
from projector.checkpoint import Checkpoint
from projector.poller import Poller, stream_arn
from projector.tally import Tally

CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="Where it stands is kept here, and taken up again; else it reads from the beginning.",
        metavar="FILE",
    ),
]
Parallel = Annotated[int, typer.Option(help="Accounts applied side by side.", min=1, max=64)]

BesideLambda = Annotated[
    bool,
    typer.Option(
        "--beside-lambda", help="Run even where a Lambda reads the stream: twice the cost."
    ),
]

log = logger("ledger.cli")


class Stop:
    """Set by SIGTERM or Ctrl-C: the batch under way is finished first."""

    def __init__(self) -> None:
        self.event = Event()
        self.code = codes.DONE

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """A signal's handler."""
        self.code = codes.INTERRUPTED if number == signal.SIGINT else codes.DONE
        self.event.set()


def projector_run(
    session: Session,
    checkpoint: CheckpointFile = None,
    parallel: Parallel = 4,
    beside_lambda: BesideLambda = False,
) -> int:
    """Apply the log's stream to the balances until it is stopped, where there is no Lambda.

    One process is enough, and none where a Lambda does it: then it refuses. What it reads
    twice has no effect. Each batch is a line of JSON on standard error. SIGTERM and Ctrl-C stop it
    after the batch under way.

    Example: folio projector run --checkpoint /var/lib/folio/projector.json
    """
    if session.options.embedded:
        raise InvalidRequest("--embedded: it has a projector of its own, which runs with it")
    to_stream(sys.stderr, logging.INFO)
    total = Tally()

    def observe(result: BatchResult) -> None:
        nonlocal total
        total += result.tally

    with session.ledger() as ledger, _stopped_by_signals() as stop:
        settings = ledger.runtime.settings
        arn = stream_arn(ledger.runtime.store.client, settings.events_table)
        if not beside_lambda:
            _alone(session, settings, arn)
        poller = _poller(session, ledger, arn, checkpoint, parallel, observe)
        poller.run(stop.event)
    counts = total.counts()
    session.output.show(counts, table(list(counts), [list(counts.values())]))
    return stop.code


def _poller(
    session: Session,
    ledger: Ledger,
    arn: str,
    checkpoint: Path | None,
    parallel: int,
    observe: Callable[[BatchResult], None],
) -> Poller:
    runtime = ledger.runtime
    streams = session.client("dynamodbstreams", runtime.settings)
    return Poller(
        runtime,
        streams,
        arn,
        checkpoint=Checkpoint(checkpoint),
        parallel=parallel,
        observe=observe,
        bus=bus_of(session, ledger),
    )


def _alone(session: Session, settings: Settings, arn: str) -> None:
    """Refuse to read beside the Lambda; go on where nobody can say whether there is one."""
    try:
        reading = control.enabled(control.mappings(session.client("lambda", settings), arn))
    except LedgerError as error:
        log.warning("cannot ask Lambda whether it reads this stream too", error=str(error))
        return
    if reading:
        raise Misconfigured(
            f"a Lambda reads this stream already ({reading[0].get('FunctionArn', '?')}, mapping "
            f"{reading[0]['UUID']}): a poller would be the second of the stream's two readers, at "
            "twice the cost and for nothing, harmless to balances; stop the mapping, or pass "
            "--beside-lambda"
        )


@contextmanager
def _stopped_by_signals() -> Iterator[Stop]:
    stop = Stop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
