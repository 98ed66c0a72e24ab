"""Log lines say what was written and for whom, and never what metadata or descriptions say; nor do errors."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import ledger as package
from ledger import IdempotencyConflict, LedgerError, Transaction, credit
from ledger.log import logger
from tests.support.house import House
from tests.support.lines import Lines, caught
from tests.support.samples import deposit, eur, id_at

SECRET = "4111-1111"


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What Folio's loggers write; afterwards they are silent again."""
    with caught() as found:
        yield found


def test_a_write_is_one_line_with_its_trace(house: House, lines: Lines) -> None:
    """Id, type, number of entries, whether it was a replay; post, append and post_many alike."""
    trace = {"request": "r-1", "attempt": 2}
    receipt = house.ledger.post(deposit(), type="deposit", idempotency_key="k", trace=trace)
    house.ledger.post(deposit(), type="deposit", idempotency_key="k")
    house.ledger.append(credit("user:42", eur(1)), type="bonus", trace={"request": "r-2"})
    house.ledger.post_many([Transaction(entries=deposit(), type="deposit", trace=trace)])
    found = lines.all()
    told = [(line["type"], line["entries"], line["replayed"], line["trace"]) for line in found]
    assert told == [
        ("deposit", 2, False, trace),
        ("deposit", 2, True, {}),
        ("bonus", 1, False, {"request": "r-2"}),
        ("deposit", 2, False, trace),
    ]
    assert found[0]["transaction_id"] == found[1]["transaction_id"] == receipt.id
    assert all(line["event"] == "transaction posted" for line in found)
    assert all(line["timestamp"] and line["level"] == "info" for line in found)


def test_a_replay_far_from_now_is_one_line_in_bulk_too(house: House, lines: Lines) -> None:
    """What stands is noted as what it is, once."""
    id = house.ledger.new_id()
    one = Transaction(entries=deposit(), type="deposit", id=id)
    house.ledger.post(one)
    house.clock.advance(3 * 86_400)
    house.ledger.post_many([one])
    assert [line["replayed"] for line in lines.all()] == [False, True]


def test_neither_lines_nor_errors_say_what_metadata_and_descriptions_say(
    house: House, lines: Lines
) -> None:
    """Through success, replay, conflict, refusal, lost replies and projection."""
    told: dict[str, Any] = {"description": SECRET, "metadata": {"card": SECRET, "deep": [SECRET]}}
    errors: list[LedgerError] = []

    def post(**change: Any) -> None:
        try:
            house.ledger.post(**{"entries": deposit(), "type": "deposit"} | told | change)
        except LedgerError as error:
            errors.append(error)

    post(idempotency_key="k")
    post(idempotency_key="k")
    post(idempotency_key="k", description=f"{SECRET} again")
    post(idempotency_key="k", metadata={"card": SECRET, "more": 1})
    post(entries=deposit()[:1])
    post(metadata={"price": 1.5, "card": SECRET})
    post(id=id_at(10**6))
    house.faults.always("transact_write_items", "time-out")
    post()
    house.faults.always("transact_write_items", "throttled")
    post()
    house.faults.heal()
    house.settle()
    assert len(errors) == 7
    everything = lines.text + "".join(f"{error} {error!r} {error.__cause__}" for error in errors)
    assert "transaction posted" in everything
    assert SECRET not in everything


def test_the_library_is_silent_until_it_is_asked(
    house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a handler nothing is printed: the standard library's rule for libraries."""
    house.ledger.post(deposit(), type="deposit")
    assert capfd.readouterr() == ("", "")


def test_a_line_below_the_level_costs_nothing(lines: Lines) -> None:
    """What the level leaves out is dropped before it is rendered."""

    class Loud:
        def __str__(self) -> str:
            raise AssertionError("rendered")

    logger("ledger.test").debug("nobody reads this", value=Loud())
    assert lines.text == ""


def public_errors() -> list[type[LedgerError]]:
    """Every error class that the package exports."""
    found = [getattr(package, name) for name in package.__all__]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, LedgerError)]


@pytest.mark.parametrize("kind", public_errors())
def test_errors_travel_between_processes(kind: type[LedgerError]) -> None:
    """A process pool hands them back with message, id and key."""
    error = kind("what was wrong", id=id_at(), idempotency_key="k")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, "what was wrong")
    assert (again.id, again.idempotency_key) == (id_at(), "k")


def test_a_conflict_travels_with_its_fields() -> None:
    """They are what the caller acts on."""
    again = pickle.loads(pickle.dumps(IdempotencyConflict("m", fields=("type",), id=id_at())))
    assert (again.fields, again.id) == (("type",), id_at())


def test_which_errors_are_worth_a_retry() -> None:
    """Exactly those that the table in ledger.errors says."""
    retryable = {kind.__name__ for kind in public_errors() if kind.retryable}
    assert retryable == {"NotYetHere", "Contended", "Unavailable", "OutcomeUnknown"}
