"""The poller: the projector where there is no Lambda. One process, all shards, parents first."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

from ledger import control
from ledger.aws import ATTEMPT_ERRORS
from ledger.errors import LedgerError
from ledger.log import logger
from ledger.runtime import Runtime
from projector import shards
from projector.batch import BatchResult, process
from projector.checkpoint import Checkpoint
from projector.publish import Bus
from projector.shards import Shard, StreamsClient

IDLE_SECONDS = 0.2
FAILED_SECONDS = 1.0
LIST_SHARDS_SECONDS = 10.0

log = logger("projector.poller")


def stream_arn(dynamodb: Any, table: str) -> str:
    """The stream of the log.

    Raises:
        Misconfigured: no such table, or its stream is off or shows too little.
        Unavailable: DynamoDB does not answer.
    """
    return control.stream_arn(control.table(dynamodb, table))


class Poller:
    """Reads the stream of the log and applies it, until it is told to stop.

    Args:
        runtime: the ledger's parts.
        streams: boto3's DynamoDB Streams client.
        arn: the stream's.
        checkpoint: where to begin, and where that is kept.
        parallel: folds side by side.
        observe: told of each batch's result.
        bus: where entries are published.
    """

    def __init__(
        self,
        runtime: Runtime,
        streams: StreamsClient,
        arn: str,
        *,
        checkpoint: Checkpoint,
        parallel: int = 4,
        observe: Callable[[BatchResult], None] | None = None,
        bus: Bus | None = None,
    ) -> None:
        self._runtime = runtime
        self._streams = streams
        self._arn = arn
        self._checkpoint = checkpoint
        self._parallel = parallel
        self._observe = observe
        self._bus = bus
        self._shards: dict[str, Shard] = {}
        self._listed_at = float("-inf")
        self.idle_passes = 0
        """How many passes over all shards have found nothing: the view was then up to date."""

    def run(self, stop: Event) -> None:
        """Poll until `stop` is set. What DynamoDB refuses is tried again, and logged."""
        while not stop.is_set():
            try:
                read, failed = self.step()
            except (LedgerError, *ATTEMPT_ERRORS) as error:
                log.warning("poll failed", error=type(error).__name__, message=str(error))
                self._listed_at = float("-inf")
                stop.wait(FAILED_SECONDS)
                continue
            if failed:
                stop.wait(FAILED_SECONDS)
            elif not read:
                stop.wait(IDLE_SECONDS)

    def step(self) -> tuple[int, bool]:
        """One pass over all shards: how many records were read, and whether any failed."""
        self._list_shards()
        read, failed = 0, False
        for shard in shards.readable(self._shards):
            count, ok = self._advance(shard)
            read += count
            failed |= not ok
        if not read and self._at_the_end():
            self.idle_passes += 1
        after = {s.id: s.after for s in self._shards.values() if s.after}
        self._checkpoint.save(self._arn, after)
        return read, failed

    def _at_the_end(self) -> bool:
        """Whether no shard has to be looked for, waits for its parent or was set back."""
        listed = self._listed_at > float("-inf")
        return listed and all(shard.finished or shard.iterator for shard in self._shards.values())

    def _list_shards(self) -> None:
        now = self._runtime.clock.process_time()
        if now - self._listed_at < LIST_SHARDS_SECONDS:
            return
        after = self._checkpoint.load(self._arn) if not self._shards else {}
        found = list(shards.listed(self._streams, self._arn))
        self._shards = shards.updated(self._shards, found, after)
        self._listed_at = now

    def _advance(self, shard: Shard) -> tuple[int, bool]:
        records = shards.read(self._streams, self._arn, shard)
        if shard.finished:
            self._listed_at = float("-inf")  # Its children are next.
        if not records:
            return 0, True
        result = process(self._runtime, records, parallel=self._parallel, bus=self._bus)
        if (error := result.error) is not None:
            log.error("not applied", error=type(error).__name__, message=str(error))
        if self._observe is not None:
            self._observe(result)
        applied = [r for r in records if _below(r.sequence_number, result.failed_from)]
        if applied:
            shard.after = applied[-1].sequence_number
        if result.failed_from is not None:
            shard.iterator = None  # Everything from the lowest failed record comes again.
        return len(records), result.failed_from is None


def _below(sequence_number: str, failed_from: str | None) -> bool:
    return failed_from is None or int(sequence_number) < int(failed_from)
