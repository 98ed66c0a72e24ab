"""A projector in a thread that can be killed, and started anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

from ledger.cli.demo.faults import Killed
from ledger.errors import Unavailable
from ledger.runtime import Runtime
from projector.batch import BatchResult
from projector.checkpoint import Checkpoint
from projector.poller import Poller
from projector.shards import StreamsClient

SETTLE_SECONDS = 300.0
POLL_SECONDS = 0.05


class DemoProjector:
    """One life of a projector: it knows nothing, and reads the stream from its beginning."""

    def __init__(
        self,
        runtime: Runtime,
        streams: StreamsClient,
        arn: str,
        observe: Callable[[BatchResult], None],
    ) -> None:
        self._poller = Poller(runtime, streams, arn, checkpoint=Checkpoint(None), observe=observe)
        self._stop = Event()
        self.died = False
        self._thread = Thread(target=self._run, name="projector", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._poller.run(self._stop)
        except Killed:
            self.died = True

    def wait_for_death(self) -> None:
        """Until a kill has reached it. Raises `Unavailable` when it lives on."""
        self._thread.join(SETTLE_SECONDS)
        if not self.died:
            raise Unavailable("the projector was killed and lives on")

    def settle(self, tick: Callable[[], None]) -> None:
        """Until it has applied all that was written. Raises `Unavailable` when it does not."""
        deadline = time.monotonic() + SETTLE_SECONDS
        wanted = self._poller.idle_passes + 2
        while self._poller.idle_passes < wanted:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise Unavailable("the projector has not caught up: see its log lines")
            tick()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Let it end its batch, and end."""
        self._stop.set()
        self._thread.join(SETTLE_SECONDS)
