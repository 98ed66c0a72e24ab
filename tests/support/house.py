"""A ledger on tables of its own, whose stream, faults and time the test holds in its hands."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import boto3

from ledger import Ledger, Settings, connect
from ledger.clock import Clock
from ledger.ids import FIRST, unpack
from ledger.metered import MeteredClient, listing_indexes
from ledger.money import Currencies
from ledger.read.balance import image
from ledger.request import Request
from ledger.runtime import Runtime
from ledger.store import Store
from ledger.view import BalanceImage, PageImage, Sums, page_image, pages_between
from projector import shards
from projector.batch import BatchResult, process
from projector.poller import stream_arn
from projector.record import Record
from projector.shards import Shard
from tests.support.faults import FaultyClient
from tests.support.model import Books, note

NUMBERS = itertools.count(1)
START = 1_790_000_000.0
"""The set clock's time at the beginning: in September 2026."""


class SetClock(Clock):
    """A clock that the test sets, whatever the engine's replies say."""

    def __init__(self) -> None:
        self.now = START
        super().__init__(lambda: self.now)

    def observe(self, *reply: object) -> None:  # noqa: ARG002  # the signature of Clock
        """Only that there was a reply."""
        self.synchronised = True

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class House:
    """One ledger with fresh tables on an engine.

    `ledger` is the public API over `faults`, a client that fails on order. Nothing projects by
    itself: `new_records()` reads the stream, `project(records)` applies what it is given, `settle()`
    does both until nothing is left.
    """

    def __init__(
        self,
        session: boto3.Session,
        endpoint_url: str | None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        prefix = f"t{next(NUMBERS)}"
        names = ("events", "balances", "accounts", "idempotency", "quarantine")
        tables = {f"{name}_table": f"{prefix}-{name}" for name in names}
        defaults = {"bulk_calls": 1, "backoff_seconds": 0, "region": "eu-west-1"}
        self.settings = Settings(**tables | defaults | settings)
        self.session, self.endpoint_url = session, endpoint_url
        self.clock: Any = clock or SetClock()  # a SetClock, unless the test brings its own
        self.random = random.Random(seed)
        self.faults = FaultyClient(connect.client("dynamodb", self.settings, session, endpoint_url))
        self.runtime = self.new_runtime()
        self.ledger = Ledger(self.runtime)
        self.ledger.create_tables()
        self._shards: dict[str, Shard] = {}
        self.books = Books()

    @cached_property
    def streams(self) -> Any:
        """A client of the stream."""
        where = (self.settings, self.session, self.endpoint_url)
        return connect.client("dynamodbstreams", *where)

    @cached_property
    def arn(self) -> str:
        """The stream of the log."""
        return stream_arn(self.faults, self.settings.events_table)

    def meter(self) -> MeteredClient:
        """From now on, all that is sent is metered by what this returns."""
        meter = MeteredClient(self.faults._client, listing_indexes(self.settings))
        self.faults._client = meter
        return meter

    def new_runtime(self, **changed: Any) -> Runtime:
        """Another process on the same tables: it knows no accounts. `changed` alters settings."""
        settings = self.settings.model_copy(update=changed)
        store = Store(
            self.faults,
            self.clock,
            attempts=settings.attempts,
            backoff_seconds=settings.backoff_seconds,
            sleep=lambda _seconds: None,
            # Houses share an engine, which takes a token that it has seen for a request sent again.
            token=lambda: uuid.uuid4().hex,
        )
        return Runtime(
            settings=settings,
            region=settings.region or "eu-west-1",
            currencies=Currencies(settings.currencies),
            store=store,
            clock=self.clock,
            randomness=self.random.randbytes,
        )

    def advance(self, seconds: float) -> None:
        """Let time pass on the set clock."""
        assert isinstance(self.clock, SetClock)
        self.clock.advance(seconds)

    def new_records(self) -> list[Record]:
        """What the stream has had since the last call; records that are withheld can come later."""
        found = list(shards.listed(self.streams, self.arn))
        self._shards = shards.updated(self._shards, found, {})
        records: list[Record] = []
        for shard in self._shards.values():
            while batch := shards.read(self.streams, self.arn, shard):
                shard.after = batch[-1].sequence_number
                records += batch
        return records

    def project(self, records: Iterable[Record], runtime: Runtime | None = None) -> BatchResult:
        """One batch through the projector."""
        return process(runtime or self.runtime, list(records), parallel=1)

    def settle(self) -> BatchResult:
        """Project all that is new, as Lambda would in batches of 100."""
        records = self.new_records()
        results = [
            self.project(records[start : start + 100]) for start in range(0, len(records), 100)
        ]
        assert all(result.failed_from is None for result in results)
        return results[-1] if results else self.project([])

    def image(self, account: str, currency: str = "EUR") -> BalanceImage:
        """The balance item."""
        return image(self.runtime, account, currency)

    def pages(self, account: str, currency: str = "EUR") -> list[PageImage]:
        """All pages of the account's generation, in order."""
        seen = self.image(account, currency)
        request = pages_between(self.settings, account, currency, seen.generation, FIRST, None)
        return [page_image(i) for items in self.runtime.store.pages(request) for i in items]

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table (`events`, `balances`, …)."""
        name = getattr(self.settings, f"{table}_table")
        request = Request("scan", {"TableName": name, "ConsistentRead": True})
        return [item for items in self.runtime.store.pages(request) for item in items]

    def posted(self, receipts: Sequence[Any]) -> None:
        """Note what must be in the ledger."""
        note(self.books, receipts)

    def assert_view_is_sound(self) -> None:
        """At any moment: the view is a set of entries of the model, each once, with their sums."""
        for account, currency in self.books.places():
            seen, pages = self.image(account, currency), self.pages(account, currency)
            assert_sound(seen, pages, self.books, account, currency)

    def assert_view_is_right(self) -> None:
        """The view is sound, and holds all entries that the model has."""
        self.assert_view_is_sound()
        for account, currency in self.books.places():
            seen, pages = self.image(account, currency), self.pages(account, currency)
            assert view_ids(seen, pages) == self.books.ids(account, currency)


def view_ids(seen: BalanceImage, pages: Sequence[PageImage]) -> set[str]:
    """The ids that a view holds, in `open` and in pages."""
    return {unpack(id) for ids in (seen.open, *(page.ids for page in pages)) for id in ids}


def assert_sound(
    seen: BalanceImage, pages: Sequence[PageImage], books: Books, account: str, currency: str
) -> None:
    """The invariants of the view."""
    held = view_ids(seen, pages)
    assert len(held) == len(seen.open) + sum(len(page.ids) for page in pages), "an id stands twice"
    assert held <= books.ids(account, currency), "an id that was never written"
    assert figures(seen.sums) == books.sums(account, currency, held), "sums of the balance"
    assert all(id > seen.through for id in seen.open), "an open id at or below `through`"
    starts = [FIRST, *(page.through for page in pages)]
    assert starts[-1] == seen.through, "`through` is not the last page's"
    for page, start in zip(pages, starts, strict=False):
        assert page.start == start, "ranges leave a gap"
        assert all(page.start < id <= page.through for id in page.ids), "an id outside its range"
        if not any(page.suspects for page in pages):
            among = {unpack(id) for id in page.ids}
            assert figures(page.sums) == books.sums(account, currency, among), "sums of a page"


def figures(sums: Sums) -> tuple[int, int, int]:
    """Credits, debits and the number of entries."""
    return sums.credits, sums.debits, sums.entries
