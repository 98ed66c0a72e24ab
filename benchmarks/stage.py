"""A ledger on tables of its own, and a plain boto3 client beside it, on the same engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3

from ledger import Ledger, Money, Settings, build, connect, credit, ids, keys
from ledger.clock import Clock
from ledger.items import Item, entry_item
from ledger.metered import MeteredClient, listing_indexes
from ledger.model import Entry, Transaction
from ledger.request import Request
from projector.record import Record
from projector.wire import to_wire

NUMBERS = itertools.count(1)
BATCH_WRITE_ITEMS = 25
SETTLED_MS = 3_600_000
"""How long ago the events of the benchmarks were recorded: they have settled."""


class Stage:
    """One benchmark's own tables. `ledger` is Folio's, `bare` a client as `boto3.client()` makes it.

    A bare client checks its parameters and repeats its requests, as boto3 does by default; the
    ledger's is set up as the library sets up every client.
    """

    def __init__(self, session: boto3.Session, endpoint_url: str) -> None:
        prefix = f"benchmark-{next(NUMBERS)}"
        names = ("events", "balances", "accounts", "idempotency", "quarantine")
        self.settings = Settings(**{f"{name}_table": f"{prefix}-{name}" for name in names})
        self.runtime = connect.runtime(self.settings, session, endpoint_url)
        self.ledger = Ledger(self.runtime)
        self.ledger.create_tables()
        clients: Any = session
        self.bare = clients.client("dynamodb", endpoint_url=endpoint_url)
        self._now_ms = self.runtime.clock.time_ms() - SETTLED_MS

    @contextmanager
    def metered(self) -> Iterator[tuple[MeteredClient, MeteredClient]]:
        """Meters the ledger's requests and the bare client's."""
        own, bare = self.runtime.store.client, self.bare
        indexes = listing_indexes(self.settings)
        self.runtime.store.client, self.bare = (MeteredClient(c, indexes) for c in (own, bare))
        try:
            yield self.runtime.store.client, self.bare
        finally:
            self.runtime.store.client, self.bare = own, bare

    def new_id(self) -> str:
        """An id that has settled, a millisecond after the last one."""
        self._now_ms += 1
        return ids.mint(self._now_ms, self.runtime.randomness(ids.RANDOM_BYTES))

    def entries(self, accounts: Sequence[str], count: int) -> list[Entry]:
        """New entries, over the accounts in turn; they stand nowhere yet."""
        made = []
        for place in range(count):
            leg = credit(accounts[place % len(accounts)], Money(1_000 + place, "EUR"))
            transaction = Transaction(entries=[leg], type="card.purchase")
            made.append(build.single(transaction, id=self.new_id(), origin=self.runtime.region))
        return made

    def log(self, entries: Sequence[Entry]) -> None:
        """Put entries into the log."""
        puts = [{"PutRequest": {"Item": entry_item(entry)}} for entry in entries]
        for start in range(0, len(puts), BATCH_WRITE_ITEMS):
            part = puts[start : start + BATCH_WRITE_ITEMS]
            self.bare.batch_write_item(RequestItems={self.settings.events_table: part})

    @property
    def clock(self) -> Clock:
        """DynamoDB's."""
        return self.runtime.clock

    def items(self, table: str) -> list[Item]:
        """All items of a table (`events`, `balances`, …)."""
        name = getattr(self.settings, f"{table}_table")
        request = Request("scan", {"TableName": name, "ConsistentRead": True})
        return [item for items in self.runtime.store.pages(request) for item in items]

    def open_accounts(self, names: Sequence[str]) -> None:
        """Open accounts, so that the process knows them."""
        for name in names:
            self.ledger.open_account(name)


def lambda_event(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The records of these entries, as Lambda hands them to the projector."""
    return [to_wire(_record(place, entry)) for place, entry in enumerate(entries)]


def _record(place: int, entry: Entry) -> Record:
    item = entry_item(entry)
    return Record(
        event_id=f"{place:032x}",
        name="INSERT",
        sequence_number=f"{place + 1:021d}",
        keys={name: item[name] for name in ("PK", "SK")},
        new=item,
        old=None,
        created_at=datetime.now(UTC),
    )


def plain_balance(account: str) -> dict[str, Any]:
    """The key of a balance that knows no duplicates, beside the ledger's own."""
    return {"PK": {"S": keys.account(account)}, "SK": {"S": "PLAIN#EUR"}}
