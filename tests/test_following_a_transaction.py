"""An engineer who has one transaction id finds all that was done with it, from payment code to the view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from ledger import invocation as invocations
from ledger.errors import InvalidRequest
from ledger.invocation import invocation
from ledger.items import entry_item
from ledger.log import logger
from projector.handler import handler
from tests.support.bus import Events
from tests.support.functions import Context, lambda_event, works_with
from tests.support.house import House
from tests.support.lines import Lines, caught
from tests.support.samples import deposit
from tests.support.stage import entries, entry, record, small_caps, write


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What Folio's loggers write."""
    with caught() as found:
        yield found


def told_of(lines: Lines, transaction_id: str) -> list[dict[str, Any]]:
    """The lines in which the id stands, wherever it stands: as a search finds them."""
    return [line for line in lines.all() if transaction_id in str(line)]


def test_one_id_leads_from_the_payment_to_the_balances(
    house: House, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its write with the caller's trace, then each account's fold with the function's request id."""
    works_with(monkeypatch, house.runtime)
    receipt = house.ledger.post(deposit(), type="deposit", trace={"request": "checkout-7"})
    house.ledger.post(deposit(), type="deposit")
    handler(lambda_event(house.new_records()), Context("stream-9"))

    written, *applied = told_of(lines, receipt.id)

    assert (written["event"], written["trace"]) == ("transaction posted", {"request": "checkout-7"})
    assert "request_id" not in written
    assert {line["event"] for line in applied} == {"applied"}
    assert {(line["account"], line["currency"]) for line in applied} == {
        (one.account, one.currency) for one in receipt.entries
    }
    assert {(line["request_id"], line["function"]) for line in applied} == {
        ("stream-9", "folio-projector")
    }
    assert all(receipt.id in line["transactions"] for line in applied)


def test_what_was_not_applied_or_not_published_names_its_transactions(
    house: House, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come again: who looks for one sees why it is late."""
    one, other = entry("a", -3, 5), entry("b", -2, 5)
    records = write(house, [one, other])
    port = Events(lambda _number, _events: "InternalException")
    works_with(monkeypatch, house.runtime, port.bus())
    house.faults.plan = lambda _number, operation, parameters: (
        "throttled"
        if operation == "update_item" and parameters["Key"]["PK"]["S"].endswith("a")
        else "none"
    )
    handler(lambda_event(records), Context())
    assert [line["event"] for line in told_of(lines, one.transaction_id)] == ["not applied"]
    assert [line["event"] for line in told_of(lines, other.transaction_id)] == [
        "applied",
        "not published",
    ]


def test_26_quarantine_and_tampering_name_the_transaction_and_the_reason(
    house: House, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does the suspect that a seal finds."""
    small_caps(monkeypatch)
    works_with(monkeypatch, house.runtime)
    poison, changed = entry("a", -5, 3), entry("b", -4, 3)
    item = entry_item(changed)
    records = [
        record(entry_item(replace(poison, amount_minor=4))),
        record(item | {"amount_minor": {"N": "4"}}, old=item, name="MODIFY"),
    ]
    never_written = entries("c", [-40, -30, -20])
    handler(lambda_event([*records, *map(record, map(entry_item, never_written))]), Context())
    for one, event in ((poison, "quarantined"), (changed, "tampering")):
        (line,) = told_of(lines, one.transaction_id)
        assert (line["event"], line["request_id"]) == (event, "request-1")
        assert line["reason"]
    found = told_of(lines, never_written[0].transaction_id)
    assert [line["event"] for line in found] == ["suspect", "applied"]


def test_the_lines_of_every_thread_say_whose_they_are(
    house: House, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts are applied in threads of their own, which have no part in their caller's context by themselves."""
    works_with(monkeypatch, house.runtime)
    written = [entry(f"a{n}", -n - 1, n + 1, number=n) for n in range(12)]
    handler(lambda_event(write(house, written)), Context("stream-9"))
    applied = lines.all("applied")
    assert len(applied) == 12
    assert {line["request_id"] for line in applied} == {"stream-9"}


def test_a_process_is_cold_once_and_says_nothing_of_an_earlier_invocation(lines: Lines) -> None:
    """Each line has the request id of its own invocation, and outside there is none."""
    invocations._invocations.cache_clear()
    log = logger("ledger.test")
    for request in ("r-1", "r-2"):
        with invocation(Context(request)):
            log.info("within")
    with invocation(None):
        log.info("within")
    log.info("outside")
    told = [(line.get("request_id"), line.get("cold_start")) for line in lines.all()]
    assert told == [("r-1", True), ("r-2", False), (None, False), (None, None)]
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize(
    ("error", "message"),
    [(InvalidRequest("what was wrong"), "what was wrong"), (ValueError("a-secret"), None)],
)
def test_a_failed_invocation_is_one_line_and_the_error(
    lines: Lines, error: Exception, message: str | None
) -> None:
    """Folio's own errors with their message; of any other, which may hold values, class and place."""
    with pytest.raises(type(error)), invocation(Context()):
        raise error
    (line,) = lines.all()
    assert (line["event"], line["error"]) == ("invocation failed", type(error).__name__)
    assert line["message"] == message
    assert line["at"].startswith("test_following_a_transaction.py:")
    assert "a-secret" not in lines.text
    assert structlog.contextvars.get_contextvars() == {}


def test_a_level_leaves_the_folds_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each fold is a cost; what is wrong is told at any level."""
    works_with(monkeypatch, house.runtime)
    poison = record({"PK": {"S": "x"}, "SK": {"S": "y"}})
    with caught("WARNING") as lines:
        handler(lambda_event([*write(house, entries("a", [-3])), poison]), Context())
    assert [line["event"] for line in lines.all()] == ["quarantined"]
