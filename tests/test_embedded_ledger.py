"""The ledger in a box: what was written is projected, and kept, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from filelock import FileLock

from ledger import Misconfigured, Money, Settings, Unavailable
from ledger.embedded import EmbeddedLedger
from ledger.reconcile import reconcile
from tests.support.model import Books, note


def deposit(ledger: EmbeddedLedger, books: Books, count: int) -> None:
    """So many deposits of one euro, noted in the books."""
    receipts = [
        ledger.transfer(source="world", destination="a", money=Money(100, "EUR"), type="deposit")
        for _ in range(count)
    ]
    note(books, receipts)


def assert_view_is_right(ledger: EmbeddedLedger, books: Books) -> None:
    """The view alone, without the log, has every entry once."""
    for account, currency in books.places():
        seen = ledger.balance(account, currency, consistency="view")
        credits_, debits, count = books.sums(account, currency)
        assert (seen.posted.amount_minor, seen.entry_count) == (credits_ - debits, count)


def test_18_a_ledger_under_a_path_outlives_its_engine(tmp_path: Path) -> None:
    """Closed and opened again, then its engine killed: nothing is lost or doubled."""
    books, impatient = Books(), Settings(attempts=1, backoff_seconds=0)
    with EmbeddedLedger(tmp_path) as ledger:
        deposit(ledger, books, 3)
        ledger.settle()
        assert_view_is_right(ledger, books)

    with EmbeddedLedger(tmp_path, settings=impatient) as ledger:
        assert_view_is_right(ledger, books)
        deposit(ledger, books, 3)
        ledger.settle()
        os.kill(ledger.engine.pid, signal.SIGKILL)

    with EmbeddedLedger(tmp_path) as ledger:
        deposit(ledger, books, 1)
        ledger.settle()
        assert_view_is_right(ledger, books)
        report = reconcile(ledger.runtime, sleep=lambda _seconds: None)
        assert (report.verdict, report.transactions) == ("clean", 7)


WRITES_AND_DIES = """
import os, signal, sys
from ledger import Money
from ledger.embedded import EmbeddedLedger
ledger = EmbeddedLedger(sys.argv[1])
for _ in range(5):
    ledger.transfer(source="world", destination="a", money=Money(100, "EUR"), type="deposit")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_04_18_a_process_that_dies_after_a_receipt_has_written(tmp_path: Path) -> None:
    """Killed right after its last reply, before anything was projected: all of it is there."""
    ran = subprocess.run([sys.executable, "-c", WRITES_AND_DIES, tmp_path], check=False)
    assert ran.returncode == -signal.SIGKILL
    with EmbeddedLedger(tmp_path) as ledger:
        ledger.settle()
        seen = ledger.balance("a", "EUR", consistency="view")
        assert (seen.posted.amount_minor, seen.entry_count) == (500, 5)


@pytest.fixture(scope="module")
def in_memory() -> Iterator[EmbeddedLedger]:
    """One for the tests below, which use accounts of their own or look at all of them."""
    with EmbeddedLedger() as ledger:
        yield ledger


def test_17_a_projector_that_starts_anew_reads_everything_again(in_memory: EmbeddedLedger) -> None:
    """While threads go on writing: every event counts once."""
    books, lock = Books(), threading.Lock()

    def write() -> None:
        own = Books()
        deposit(in_memory, own, 15)
        with lock:
            books.entries.update(own.entries)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        in_memory.restart_projector()
    for thread in threads:
        thread.join()
    in_memory.restart_projector()
    in_memory.settle()
    assert_view_is_right(in_memory, books)


def test_settling_ends_with_an_error_when_it_takes_too_long(in_memory: EmbeddedLedger) -> None:
    """Nobody waits for ever for a projector that does not come."""
    with pytest.raises(Unavailable, match="has not caught up"):
        in_memory.settle(timeout_seconds=0)


def test_a_ledger_that_could_not_begin_leaves_no_engine(tmp_path: Path) -> None:
    """Its path is free for the next."""
    with pytest.raises(Misconfigured, match="client"):
        EmbeddedLedger(tmp_path, boto3.Session(region_name="no region"))
    with FileLock(tmp_path / "engine.lock", timeout=0):
        pass
