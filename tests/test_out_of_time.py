"""A reconciliation that has only so much time ends by itself, incomplete, and never as clean or drift."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger import Money
from ledger.reconcile import Report, deadline, reconcile
from ledger.reconcile.deadline import MARGIN_SECONDS
from tests.support.house import House

NO_GUARD = "the guard taken out"


class Time:
    """Each look at it takes a second; `sleep` takes as long as it says."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.slept: list[float] = []

    def remaining(self) -> float:
        self.left -= 1
        return self.left

    def sleep(self, seconds: float) -> None:
        self.left -= seconds
        self.slept.append(seconds)


@pytest.fixture
def books(house: House) -> House:
    """Three accounts in a view that is right."""
    for number in range(3):
        house.ledger.transfer(
            source="world:card",
            destination=f"user:{number}",
            money=Money(1, "EUR"),
            type="deposit",
        )
    house.settle()
    house.clock.advance(600)
    return house


def night(house: House, time: Time) -> Report:
    """One run in that time."""
    return reconcile(house.runtime, remaining=time.remaining, sleep=time.sleep)


def calls(house: House, run: Callable[[], object]) -> int:
    """How many calls a run sends."""
    house.faults.heal()
    run()
    return len(house.faults.calls)


def test_38_wherever_the_time_ends_the_run_is_incomplete_and_not_clean(books: House) -> None:
    """At each of its calls in turn; with one second more than it needs it is clean."""
    whole = calls(books, lambda: reconcile(books.runtime))
    probes = 4
    for looks in range(whole - probes):
        report = night(books, Time(MARGIN_SECONDS + looks))
        assert report.verdict == "incomplete"
        assert "out of time" in report.unread[-1]
        assert not report.findings
    assert night(books, Time(MARGIN_SECONDS + whole)).verdict == "clean"


@pytest.mark.parametrize("guard", ["as it is", NO_GUARD])
def test_no_call_is_sent_when_the_time_is_over(
    books: House, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    """Lambda would end the process in the middle of it, without a metric."""
    if guard == NO_GUARD:
        monkeypatch.setattr(deadline, "check", lambda remaining: remaining())
    time = Time(MARGIN_SECONDS + 2)
    sent = calls(books, lambda: night(books, time))
    assert (sent <= 4 + 2) == (guard != NO_GUARD)
    assert (time.left >= MARGIN_SECONDS - 2) == (guard != NO_GUARD)


def test_each_attempt_of_a_call_is_an_attempt_in_time(books: House) -> None:
    """A table that refuses everything must not eat the time that the report needs."""
    time = Time(MARGIN_SECONDS + 3)
    books.faults.always("scan", "throttled")
    report = night(books, time)
    attempts = [operation for operation, _ in books.faults.calls if operation == "scan"]
    assert report.verdict == "incomplete"
    assert len(attempts) < books.settings.attempts


def test_a_second_look_for_which_there_is_no_time_is_not_waited_for(books: House) -> None:
    """What looked wrong was not confirmed: it is neither drift nor clean, and it is counted."""
    books.ledger.transfer(
        source="world:card", destination="user:1", money=Money(5, "EUR"), type="deposit"
    )
    books.clock.advance(600)
    short, enough = Time(MARGIN_SECONDS + 80), Time(1000)

    hurried = night(books, short)
    assert (hurried.verdict, hurried.findings, short.slept) == ("incomplete", (), [])
    assert "2 places that looked wrong" in hurried.unread[-1]

    assert night(books, enough).verdict == "drift"
    assert enough.slept == [books.settings.grace_seconds]


def test_without_a_limit_nobody_looks_at_the_time(books: House) -> None:
    """The command line's run takes as long as it takes."""
    assert reconcile(books.runtime).verdict == "clean"
