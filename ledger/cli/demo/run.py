"""The day as it is lived: writers that lose replies, a stream in disorder, a projector that is killed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ledger import connect
from ledger.cli.demo.day import Day, Hour
from ledger.cli.demo.faults import UnreliableClient, UnrulyStream
from ledger.cli.demo.narrator import Narrator
from ledger.cli.demo.projector import DemoProjector
from ledger.embedded import local_session
from ledger.embedded.engine import Engine
from ledger.errors import LedgerError, Unavailable
from ledger.ledger import Ledger
from ledger.metered import MeteredClient, listing_indexes
from ledger.metering import Cost
from ledger.model import Receipt, Transaction
from ledger.runtime import Runtime
from ledger.settings import Settings
from projector.batch import BatchResult
from projector.poller import stream_arn
from projector.tally import Tally

PACK = 125
SENT_TWICE = 0.06
CUT_OFF_HOURS = (11, 17)
KILL_HOUR, RESTART_HOUR = 14, 16
ROUNDS = 20


def settings() -> Settings:
    """The company's, whatever `LEDGER_*` variables say."""
    return Settings(
        accounts="open",
        home=None,
        homes={},
        region=None,
        idempotency_ttl_seconds=None,
        settling_seconds=1.0,
        attempts=6,
        backoff_seconds=0.02,
        bulk_calls=4,
    )


@dataclass(slots=True)
class Happened:
    """What happened in the day, counted."""

    payments: int = 0
    sent_twice: int = 0
    replayed: int = 0
    unknown_outcomes: int = 0
    replies_lost: int = 0
    throttled: int = 0
    records_repeated: int = 0
    records_held_back: int = 0
    projectors_killed: int = 0
    projected: Tally = field(default_factory=Tally)
    spent: Cost = field(default_factory=Cost)


class Company:
    """The company on an engine. `ledger` reads without faults, and is not metered."""

    def __init__(self, engine: Engine, seed: int, payments: int, narrator: Narrator) -> None:
        self.day = Day(seed, payments)
        self.happened = Happened()
        self.settings = settings()
        self._engine = engine
        self._narrator = narrator
        self._chance = random.Random(f"faults {seed}")  # noqa: S311  # a seed must reproduce it
        self._clients: list[UnreliableClient] = []
        self.ledger = Ledger(self._runtime())
        self.ledger.create_tables()
        self._meter = MeteredClient(
            self.ledger.runtime.store.client, listing_indexes(self.settings)
        )
        self._writer, self._writer_client = self._unreliable()
        self._stream = UnrulyStream(
            connect.client("dynamodbstreams", self.settings, local_session(), engine.endpoint_url),
            self._chance,
        )
        self._projector, self._projector_client = self._projecting()

    def _runtime(self) -> Runtime:
        return connect.runtime(self.settings, local_session(), self._engine.endpoint_url)

    def _unreliable(self) -> tuple[Ledger, UnreliableClient]:
        """A ledger whose writes fail now and then."""
        ledger = Ledger(self._runtime())
        client = UnreliableClient(self._meter, self._chance)
        ledger.runtime.store.client = client
        self._clients.append(client)
        return ledger, client

    def _projecting(self) -> tuple[DemoProjector, UnreliableClient]:
        ledger, client = self._unreliable()
        arn = stream_arn(client, self.settings.events_table)
        return DemoProjector(ledger.runtime, self._stream, arn, self._observe), client

    def _observe(self, result: BatchResult) -> None:
        self.happened.projected += result.tally

    def close(self) -> None:
        """Stop the projector."""
        self._projector.stop()

    def live(self) -> None:
        """Live the day, and wait until all of it is in the balances."""
        for hour in self.day.hours():
            self._events_of(hour.hour)
            self._trade(hour)
            self._tell(hour)
        self._narrator.say("22:00  the projector catches up")
        self._projector.settle(self._tick)
        self._count()
        entries = self.day.books.entries.total()
        self._narrator.at(written=self.happened.payments, applied=entries, entries=entries)

    def _events_of(self, hour: int) -> None:
        if hour == KILL_HOUR:
            self._projector_client.kill()
        if hour == RESTART_HOUR:
            self._restart()
        if hour in CUT_OFF_HOURS:
            calls = self.settings.bulk_calls * self.settings.attempts
            self._writer_client.cut_off(calls)
            self._narrator.say(
                f"{hour:02d}:00  the network is cut: replies are lost, again and again"
            )

    def _restart(self) -> None:
        self._projector.wait_for_death()
        self.happened.projectors_killed += 1
        self._projector, self._projector_client = self._projecting()
        self._narrator.say(
            f"{RESTART_HOUR:02d}:00  the projector is found dead, in the middle of a write; "
            "another one reads the stream from its beginning"
        )

    def _trade(self, hour: Hour) -> None:
        """Post an hour's payments, some of them twice, in any order."""
        for start in range(0, len(hour.payments), PACK):
            new = hour.payments[start : start + PACK]
            twice = [one for one in new if self._chance.random() < SENT_TWICE]
            self._post(self._chance.sample([*new, *twice], len(new) + len(twice)))
            self.happened.payments += len(new)
            self.happened.sent_twice += len(twice)
            self._tick()

    def _post(self, payments: Sequence[Transaction]) -> None:
        """Send them until the outcome of each is known."""
        left = list(payments)
        for _ in range(ROUNDS):
            outcomes = self._writer.post_many(left)
            for outcome in outcomes:
                if isinstance(outcome, Receipt):
                    self.happened.replayed += outcome.replayed
                elif not outcome.retryable:
                    raise outcome
            pairs = zip(left, outcomes, strict=True)
            left = [payment for payment, outcome in pairs if isinstance(outcome, LedgerError)]
            if not left:
                return
            self.happened.unknown_outcomes += len(left)
        raise Unavailable(f"{len(left)} payments have no outcome after {ROUNDS} rounds")

    def _tick(self) -> None:
        self._narrator.at(
            written=self.happened.payments,
            applied=self.happened.projected.applied,
            entries=self.day.books.entries.total(),
        )

    def _tell(self, hour: Hour) -> None:
        lost = sum(client.lost for client in self._clients)
        behind = self.day.books.entries.total() - self.happened.projected.applied
        self._narrator.say(
            f"{hour.hour:02d}:59  {len(hour.payments):>5,} payments; so far "
            f"{self.happened.sent_twice:,} sent twice, {self.happened.unknown_outcomes:,} of unknown "
            f"outcome and sent again, {lost:,} replies lost; the projector has about {behind:,} entries to go"
        )

    def _count(self) -> None:
        self.happened.replies_lost = sum(client.lost for client in self._clients)
        self.happened.throttled = sum(client.throttled for client in self._clients)
        self.happened.records_repeated = self._stream.repeated
        self.happened.records_held_back = self._stream.held_back
        self.happened.spent = self._meter.total


@contextmanager
def company(seed: int, payments: int, narrator: Narrator) -> Iterator[Company]:
    """A company on an engine of its own, in memory."""
    narrator.say("starting an engine (the first start on a machine fetches it)")
    with Engine(None) as engine:
        found = Company(engine, seed, payments, narrator)
        try:
            yield found
        finally:
            found.close()
