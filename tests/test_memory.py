"""Memory does not grow with the log: ten times the events take the same memory, within 10 %.

What is in memory at a time is one reply, one batch of the stream, one chunk of rows. So that a small
log has many of each, they are made small here: 15 items, 30 records, 15 rows. Garbage is collected
at every call, so that what is measured is what is held.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import Money, Receipt, Transaction, credit, debit
from ledger.importer import file_mapping, import_file
from ledger.importer import run as importer
from ledger.reconcile import digest, reconcile
from ledger.restored import survey
from projector import seal, shards
from projector.checkpoint import Checkpoint
from projector.poller import Poller
from projector.replay import replay
from tests.conftest import NewHouse
from tests.support.house import House

FEW, MANY = 45, 450
"""Transactions: of a log that has some pages and seals, and of one ten times as long."""

CHUNK = 15
REPLY_ITEMS = 15
RECORDS = 30
SEALED = 10
BUCKETS = 16
ENDPOINTS = 100
"""boto3 remembers where the last hundred requests to the streams went."""

MEANS = Money(990, "EUR")
CLEAR_CACHES = getattr(sys, "_clear_internal_caches", sys._clear_type_cache)
"""Python keeps some thousand names of attributes that were looked up: no part of what work holds."""


class SmallReplies:
    """A client whose queries and scans reply with few items, as if items were large."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**parameters: Any) -> Any:
            if name in ("query", "scan"):
                parameters["Limit"] = 1 if "Limit" in parameters else REPLY_ITEMS
            gc.collect()
            CLEAR_CACHES()
            return method(**parameters)

        return call


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that has a size of its own is small."""
    monkeypatch.setattr(importer, "CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(shards, "GET_RECORDS_LIMIT", RECORDS)
    monkeypatch.setattr(seal, "MIN_SEAL", SEALED)
    monkeypatch.setattr(seal, "MAX_UNITS_AN_EVENT", 1)
    monkeypatch.setattr(digest, "BUCKETS", BUCKETS)
    monkeypatch.setattr(digest, "bucket_of", lambda id: sum(id.encode()) % BUCKETS)


def kilobytes(work: Callable[[], None]) -> float:
    """The most memory that `work` held at a time, beyond what was held before."""
    gc.collect()
    gc.freeze()  # What is there already is neither searched nor counted.
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    return (most - before) / 1000


def post(house: House, transactions: int) -> None:
    legs = [debit("world:card", MEANS), credit("user:42", MEANS)]
    for _ in range(transactions // CHUNK):
        outcomes = house.ledger.post_many([Transaction(entries=legs, type="deposit")] * CHUNK)
        assert all(isinstance(outcome, Receipt) for outcome in outcomes)
        house.advance(10)


def project(house: House, transactions: int) -> None:
    tallies = []
    poller = Poller(
        house.runtime,
        house.streams,
        house.arn,
        checkpoint=Checkpoint(None),
        parallel=1,
        observe=lambda result: tallies.append(result.tally.applied),
    )
    while poller.step()[0]:
        pass
    assert sum(tallies) == 2 * transactions


def reconcile_all(house: House, transactions: int) -> None:
    report = reconcile(house.runtime)
    assert report.verdict == "clean"
    assert report.transactions == transactions


def survey_all(house: House) -> None:
    assert survey(house.runtime).whole


def replay_all(house: House, transactions: int) -> None:
    assert replay(house.runtime, segments=1).read == 2 * transactions


def import_rows(house: House, transactions: int, folder: Path) -> None:
    mapping = file_mapping(
        source="bank",
        id="{id}",
        account="client:{account}",
        counter_account="world:bank",
        amount="{amount}",
        date="{date}",
        type="import",
        description="{text}",
        currency="EUR",
    )
    summary = import_file(
        house.ledger, folder / f"{transactions}.csv", mapping, rejects=folder / "rejects.csv"
    )
    assert summary.imported == transactions


def write_rows(folder: Path, rows: int) -> None:
    with (folder / f"{rows}.csv").open("w") as file:
        file.write("id,account,amount,date,text\n")
        text = "x" * 400  # A chunk of rows is more than a file's buffer holds.
        file.writelines(f"{row},{row % 5},{row + 1}.50,2026-09-01,{text}\n" for row in range(rows))


def held(house: House, streams: SmallReplies, transactions: int, folder: Path) -> dict[str, float]:
    """What each kind of work holds at the most, in kilobytes, on a log of so many transactions."""
    house.runtime.store.client = SmallReplies(house.faults._client)
    house.streams = streams
    write_rows(folder, transactions)
    return {
        "post_many": kilobytes(lambda: post(house, transactions)),
        "projection": kilobytes(lambda: project(house, transactions)),
        "reconcile": kilobytes(lambda: reconcile_all(house, transactions)),
        "survey": kilobytes(lambda: survey_all(house)),
        "replay": kilobytes(lambda: replay_all(house, transactions)),
        "import": kilobytes(lambda: import_rows(house, transactions, folder)),
    }


@pytest.mark.usefixtures("small")
def test_ten_times_the_events_take_the_same_memory(new_house: NewHouse, tmp_path: Path) -> None:
    """Posting in bulk, projecting, reconciling, replaying, importing: no more for a longer log."""
    first = new_house()
    streams = SmallReplies(first.streams)
    held(first, streams, FEW, tmp_path)  # The first time, clients and caches come to be.
    for _ in range(ENDPOINTS):
        first.new_records()
    few = held(new_house(), streams, FEW, tmp_path)
    assert held(new_house(), streams, MANY, tmp_path) == pytest.approx(few, rel=0.1)
