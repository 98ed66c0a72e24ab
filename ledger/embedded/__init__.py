"""A ledger in a box: DynamoDB Local and a projector of its own, for trying, developing and testing."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

import boto3

from ledger import connect
from ledger.embedded.engine import Engine
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.settings import Settings
from projector.checkpoint import Checkpoint
from projector.poller import Poller, stream_arn

REGION = "us-east-1"
SETTLE_SECONDS = 60.0

__all__ = ["EmbeddedLedger"]


class EmbeddedLedger(Ledger):
    """A `Ledger` with an engine and a projector of its own; nothing else to install.

        with EmbeddedLedger() as ledger:
            ledger.transfer(...)

    In memory, or kept under the folder `path`. The engine listens on a free port of all
    interfaces, unprotected: it holds no real money. `session` gives region and credentials; the
    engine takes any.

    Raises:
        Misconfigured: no Java runtime, no engine for this platform, or `path` is in use.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        session: boto3.Session | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        folder = Path(path) if path is not None else None
        self.engine = Engine(folder)
        self.engine.start()
        self._stop = Event()
        self._poller_thread: Thread | None = None
        try:
            self._begin(folder, session or local_session(), settings or Settings())
        except BaseException:
            self.close()
            raise

    def _begin(self, folder: Path | None, session: boto3.Session, settings: Settings) -> None:
        endpoint = self.engine.endpoint_url
        super().__init__(connect.runtime(settings, session, endpoint))
        self.create_tables()
        self._streams = connect.client("dynamodbstreams", settings, session, endpoint)
        self.projector = connect.runtime(settings, session, endpoint)
        self._start_projector(Checkpoint(folder / "projector.json" if folder else None))

    def _start_projector(self, checkpoint: Checkpoint) -> None:
        table = self.runtime.settings.events_table
        arn = stream_arn(self.runtime.store.client, table)
        self.poller = Poller(self.projector, self._streams, arn, checkpoint=checkpoint)
        self._stop = Event()
        thread = Thread(target=self.poller.run, args=(self._stop,), name="projector", daemon=True)
        thread.start()
        self._poller_thread = thread

    def restart_projector(self) -> None:
        """Stop the projector and start another, which knows nothing and reads everything again."""
        self._stop_projector()
        self._start_projector(Checkpoint(None))

    def _stop_projector(self) -> None:
        self._stop.set()
        if self._poller_thread is not None:
            self._poller_thread.join()

    def settle(self, timeout_seconds: float = SETTLE_SECONDS) -> None:
        """Wait until the projector has applied all that was written before.

        Raises:
            Unavailable: it has not within the time-out, or it has died.
        """
        deadline = time.monotonic() + timeout_seconds
        # The pass that runs now may have read its shard already: the next whole one counts.
        wanted = self.poller.idle_passes + 2
        while self.poller.idle_passes < wanted:
            thread = self._poller_thread
            if time.monotonic() > deadline or thread is None or not thread.is_alive():
                raise Unavailable("the projector has not caught up: see its log lines")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop the projector and the engine. What was kept under a path stays there."""
        self._stop_projector()
        self.engine.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def local_session() -> boto3.Session:
    """A session for an engine, which takes any credentials."""
    return boto3.Session(
        region_name=REGION,
        aws_access_key_id="folio",
        aws_secret_access_key="folio",  # noqa: S106  # the engine takes any
    )
