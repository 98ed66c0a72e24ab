"""The demo: a day that goes wrong in every way and ends right; and it notices when it does not."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from ledger import Ledger, Money, Settings, connect
from ledger.cli.demo import show
from ledger.cli.demo.day import HOURS, Books, Day
from ledger.cli.demo.faults import UnrulyStream
from ledger.cli.demo.proof import Proof, prove
from ledger.cli.demo.run import Happened
from ledger.reconcile import Report
from tests.support.command import Folio
from tests.support.house import House


def test_a_day_is_its_seeds() -> None:
    """The same seed is the same day, another seed another one; and its books sum to zero."""
    days = [Day(seed, 500) for seed in (1, 1, 2)]
    first, same, other = ([hour.payments for hour in day.hours()] for day in days)
    assert first == same != other
    assert len(first) == len(HOURS)
    for day in days:
        assert sum(day.books.posted.values()) == 0
        assert min(v for a, v in day.books.posted.items() if a.startswith(("cust", "shop"))) >= 0


def test_the_books_are_a_sum_of_the_payments() -> None:
    """Each leg once: they know nothing of the ledger."""
    day = Day(3, 300)
    sums: Counter[str] = Counter()
    for hour in day.hours():
        for payment in hour.payments:
            for leg in payment.entries:
                sums[leg.account] += (1, -1)[leg.direction == "debit"] * leg.money.amount_minor
    assert day.books.posted == sums


def test_the_demo_ends_right_whatever_went_wrong(bare_folio: Folio) -> None:
    """Lost replies, repeats, disorder and a kill; every balance to the cent, and clean."""
    said = bare_folio("demo", "--payments", "200", "--seed", "3", "--json")
    assert said.code == 0, said.out + said.err
    told = said.json
    assert (told["right"], told["wrong"], told["verdict"]) == (True, [], "clean")
    assert sum(told["balances_minor"].values()) == 0
    for happened in ("sent_twice", "replies_lost", "unknown_outcomes", "records_repeated"):
        assert told[happened] > 0, happened
    assert told["replayed"] >= told["sent_twice"]
    assert told["projectors_killed"] == 1
    assert told["projected"]["duplicates"] > 0
    # A payment is at least a key, a header and two entries, at two units each.
    assert told["cost"]["write_units"] >= 8 * told["payments"]
    assert told["cost"]["dollars"] == pytest.approx(
        told["cost"]["write_units"] * 0.625e-6 + told["cost"]["read_units"] * 0.125e-6, abs=1e-6
    )
    events = [json.loads(line)["event"] for line in said.err.splitlines()]
    assert any("found dead" in event for event in events)


def test_the_proof_names_what_is_off(house: House) -> None:
    """A payment too many, too few or of another amount: by account, in all, and by the reconciler."""
    payments = [p for hour in Day(1, 100).hours() for p in hour.payments][:5]
    books, altered = Books(), Books()
    for payment in payments:
        books.add(payment)
        altered.add(payment)
        house.ledger.post(payment)
    altered.posted["shop:99"] += 1
    house.settle()

    right, wrong = (
        prove(house.ledger, one, count, lambda *_: None)
        for one, count in ((books, 5), (altered, 6))
    )

    assert (right.right, right.wrong, right.report.verdict) == (True, (), "clean")
    assert not wrong.right
    assert wrong.wrong == (
        "shop:99 (view): has (0, 0), must have (1, 0) cents and entries",
        "shop:99 (fresh): has (0, 0), must have (1, 0) cents and entries",
        "the log has 5 transactions, must have 6",
    )
    house.ledger.transfer(source="a", destination="b", money=Money(1, "EUR"), type="gift")
    house.advance(1)
    behind = prove(house.ledger, books, 6, lambda *_: None)
    assert (behind.right, behind.report.verdict) == (False, "drift")


def test_the_demo_ends_with_1_when_something_is_off(bare_folio: Folio) -> None:
    """And says what, with the sums that it has."""

    @contextmanager
    def nothing_happens(*_arguments: object) -> Iterator[Any]:
        ledger = Ledger(connect.runtime(Settings(), None, bare_folio.endpoint_url))
        yield SimpleNamespace(
            live=lambda: None, ledger=ledger, day=Day(1, 100), happened=Happened()
        )

    off = Proof(
        {"customer:1": 5, "world:card/00": -4}, ("1 cent is gone",), Report(verdict="clean")
    )
    bare_folio.monkeypatch.setattr(show, "company", nothing_happens)
    bare_folio.monkeypatch.setattr(show, "prove", lambda *_: off)

    said, told = bare_folio("demo"), bare_folio("demo", "--json")

    assert (said.code, told.code) == (1, 1)
    assert "wrong: 1 cent is gone" in said.out
    assert re.search(r"all together +0\.01 EUR", said.out)
    assert (told.json["right"], told.json["wrong"]) == (False, ["1 cent is gone"])


def test_the_stream_loses_nothing_that_it_holds_back() -> None:
    """Every record comes at least once, in whatever order, by the first empty read."""
    batches = [[{"n": 10 * batch + n} for n in range(10)] for batch in range(20)]

    class Stream:
        def get_records(self, **_given: object) -> dict[str, object]:
            return {"Records": batches.pop(0) if batches else [], "NextShardIterator": "i"}

    unruly = UnrulyStream(Stream(), random.Random(1))
    came = [
        record["n"]
        for _ in range(21)
        for record in unruly.get_records(ShardIterator="i")["Records"]
    ]
    assert set(came) == set(range(200))
    assert len(came) == 200 + unruly.repeated
    assert unruly.repeated > 0 < unruly.held_back
    assert came != sorted(came)
