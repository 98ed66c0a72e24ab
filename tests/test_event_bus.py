"""Each entry that was applied reaches the bus at least once, whatever fails; and the balances wait for nobody."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from ledger import Settings, connect, keys
from ledger.check import MAX_ACCOUNT_BYTES
from ledger.cli import redriving
from ledger.cli.session import Options, Session
from ledger.items import entry_from, entry_item
from ledger.model import MAX_COUNTERPARTIES, Entry
from ledger.reconcile import reconcile
from projector import publish, quarantine
from projector.batch import process
from projector.poller import Poller
from projector.publish import PASSING, Bus, connect_bus, event, size
from projector.record import Quarantined, Record
from projector.redrive import redrive
from projector.repair import plan, repair
from projector.tally import Tally
from tests.support.bus import NAME, Event, Events, codes_by_id
from tests.support.command import Folio
from tests.support.examples import many
from tests.support.faults import Killed
from tests.support.house import House
from tests.support.stage import entries, entry, record, signed_by_fingerprint, write

FOR_GOOD = (
    "AccessDeniedException",
    "InvalidArgument",
    "MalformedDetail",
    "NotAuthorizedForSourceException",
)
BROKEN_CALLS = ("reply lost", "ThrottlingException", "InternalException", "AccessDeniedException")

one_reply = st.one_of(
    st.sampled_from(BROKEN_CALLS),
    st.lists(st.sampled_from(["", "", *sorted(PASSING), *FOR_GOOD]), min_size=10, max_size=10),
)


def scripted(replies: Sequence[Any]) -> Any:
    """These replies in turn, for as many events as a call has; then all is taken."""

    def says(number: int, events: Sequence[Event]) -> Any:
        reply = replies[number] if number < len(replies) else [""] * 10
        return reply if isinstance(reply, str) else reply[: len(events)]

    return says


# --- one publication ---------------------------------------------------------------------------


@many
@given(
    count=st.integers(0, 35), replies=st.lists(one_reply, max_size=12), parallel=st.integers(1, 4)
)
def test_what_is_not_reported_was_taken(count: int, replies: list[Any], parallel: int) -> None:
    """By property: of each entry the bus took it, or the caller is told why not and what helps."""
    written = entries("a", [-n for n in range(count)])
    port = Events(scripted(replies))
    left = port.bus().publish(written, parallel=parallel)
    taken = set(port.ids())
    assert {one.id for one in written} - left.keys() <= taken
    for id, why in left.items():
        assert why.for_good == ("for good" in why.reason)
        assert not (why.for_good and id in taken and "reply lost" not in replies)
    assert len(port.calls) <= 3 * (1 + count // 10)


def test_what_is_left_of_a_call_is_sent_again_and_nothing_else() -> None:
    """A reply that refuses some of ten is no reason to publish the others twice."""
    written = entries("a", [-3, -2, -1])
    port = Events(scripted([["", "ThrottlingException", ""]]))
    assert port.bus().publish(written, parallel=1) == {}
    assert sorted(port.ids()) == sorted(one.id for one in written)
    assert [len(call) for call in port.calls] == [3, 1]


def test_a_bus_that_is_down_does_not_cost_the_time_of_a_batch() -> None:
    """After one call was tried in vain, those not begun are not tried: the batch comes again."""
    written = entries("a", [-n for n in range(200)])
    port = Events(lambda _number, _events: "InternalException")
    left = port.bus(attempts=3).publish(written, parallel=1)
    assert len(port.calls) == 3
    assert len(left) == 200
    assert not any(why.for_good for why in left.values())


def test_one_event_that_makes_a_call_invalid_takes_no_other_with_it() -> None:
    """The call is refused as a whole, without saying for whose sake: each goes alone."""
    written = entries("a", [-3, -2, -1])
    bad = written[1].id

    def says(_number: int, events: Sequence[Event]) -> Any:
        has = bad in [json.loads(one["Detail"])["id"] for one in events]
        return "ValidationException" if has else [""] * len(events)

    port = Events(says)
    left = port.bus().publish(written, parallel=1)
    assert {id: why.for_good for id, why in left.items()} == {bad: True}
    assert sorted(port.ids()) == sorted(one.id for one in written if one.id != bad)


def test_calls_are_cut_by_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is larger than EventBridge takes; one event that is goes alone, to be refused for itself."""
    written = entries("a", [-3, -2, -1])
    room = 2 * size(event(written[0], NAME, "folio"))
    port = Events()
    monkeypatch.setattr(publish, "MAX_CALL_BYTES", room)
    port.bus().publish(written, parallel=1)
    monkeypatch.setattr(publish, "MAX_CALL_BYTES", 1)
    port.bus().publish(written, parallel=1)
    assert [len(call) for call in port.calls] == [2, 1, 1, 1, 1]


def test_ten_of_the_largest_entries_are_one_call() -> None:
    """What the ledger itself writes is far below EventBridge's 256 KB."""
    name = '"' * MAX_ACCOUNT_BYTES
    largest = replace(
        entry(name, -1, 10**27),
        type="t" * 64,
        counterparties=(name,) * MAX_COUNTERPARTIES,
        effective_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert 10 * size(event(largest, NAME, "n" * 64)) < publish.MAX_CALL_BYTES


def test_the_event_is_what_is_documented() -> None:
    """Amounts as digits, times in UTC; neither description nor metadata."""
    one = replace(
        entry("user:42", -1, -(2**53) - 1),
        counterparties=("world:card",),
        description="private",
        effective_at=datetime(2026, 1, 2, 3, tzinfo=UTC),
    )
    made = event(one, NAME, "folio")
    assert made["Time"] == one.recorded_at
    assert (made["Source"], made["DetailType"]) == ("folio", "EntryApplied")
    assert json.loads(made["Detail"]) == {
        "version": 1,
        "ledger": "folio",
        "id": one.id,
        "transaction_id": one.transaction_id,
        "account": "user:42",
        "currency": "EUR",
        "direction": "debit",
        "amount_minor": "9007199254740993",
        "pending_minor": "0",
        "type": "test",
        "recorded_at": one.recorded_at.isoformat(timespec="microseconds"),
        "effective_at": "2026-01-02T03:00:00.000000+00:00",
        "counterparties": ["world:card"],
        "origin": "eu-west-1",
    }


# --- in a batch --------------------------------------------------------------------------------


def through(house: House, records: Sequence[Record], bus: Bus | None, parallel: int = 1) -> Any:
    """One batch."""
    return process(house.runtime, records, parallel=parallel, bus=bus)


def test_exactly_what_was_not_taken_is_reported_or_kept(house: House) -> None:
    """What may pass is reported by its lowest record; what is for good waits in quarantine."""
    written = entries("a", [-6, -5, -4, -3])
    records = write(house, written)
    port = Events(
        codes_by_id({written[1].id: "InvalidArgument", written[2].id: "ThrottlingException"})
    )
    result = through(house, records, port.bus())
    assert result.failed_from == records[2].sequence_number
    assert result.tally == Tally(applied=4, published=2, quarantined=1)
    (kept,) = house.items("quarantine")
    assert kept["SK"]["S"] == records[1].event_id
    assert "InvalidArgument" in kept["reason"]["S"]
    assert "redrive" in kept["reason"]["S"]
    house.assert_view_is_right()


def test_what_was_not_applied_is_not_published(house: House) -> None:
    """Readers of the bus may ask for the balance: it must have the entry by then."""
    records = write(house, [*entries("a", [-3]), *entries("b", [-3])])
    house.faults.plan = lambda _number, operation, parameters: (
        "throttled"
        if operation == "update_item" and parameters["Key"]["PK"]["S"].endswith("a")
        else "none"
    )
    port = Events()
    through(house, records, port.bus())
    house.faults.heal()
    assert [detail["account"] for detail in port.taken] == ["b"]


@pytest.mark.parametrize("fault", ["killed before", "killed after"])
def test_18_a_crash_between_applying_and_publishing_loses_no_event(
    house: House, fault: str
) -> None:
    """The batch comes again, is a duplicate for the view, and is published all the same."""
    records = write(house, entries("a", [-3, -2]))
    port = Events(lambda _number, _events: fault)
    with pytest.raises(Killed):
        through(house, records, port.bus())
    port.says = Events().says
    result = through(house, records, port.bus())
    assert result.tally == Tally(duplicates=2, published=2)
    assert set(port.ids()) == {one.new["SK"]["S"][10:] for one in records if one.new}
    house.assert_view_is_right()


@given(data=st.data())
def test_at_least_once_in_any_order_through_any_faults(house: House, data: st.DataObject) -> None:
    """By property: delivered again as Lambda does until nothing fails, each entry was published or is kept.

    The same entry always as the same event, whichever attempt published it.
    """
    number = data.draw(st.integers(0, 10**6))
    written = [entry(f"a{number % 7}-{number}", -n - 1, n + 1, number=n) for n in range(12)]
    records = write(house, written)
    port = Events(scripted(data.draw(st.lists(one_reply, max_size=8))))
    waiting = data.draw(st.permutations(records))
    for _ in range(20):
        result = through(house, waiting, port.bus(attempts=2), data.draw(st.integers(1, 3)))
        lowest = int(result.failed_from or 10**40)
        waiting = [r for r in waiting if int(r.sequence_number) >= lowest]
    assert not waiting
    kept = {one.event_id for one in quarantine.kept(house.runtime)}
    for one, brought in zip(written, records, strict=True):
        details = [detail for detail in port.taken if detail["id"] == one.id]
        assert details or brought.event_id in kept
        assert all(detail == details[0] for detail in details)
    house.assert_view_is_right()


def test_a_bus_that_refuses_everything_holds_up_no_balance(house: House) -> None:
    """No permission, or no such bus: the view goes on, the records wait, and nothing is reported."""
    records = write(house, entries("a", [-3, -2]))
    port = Events(lambda _number, _events: "AccessDeniedException")
    result = through(house, records, port.bus())
    assert (result.failed_from, result.error) == (None, None)
    assert result.tally == Tally(applied=2, quarantined=2)
    house.assert_view_is_right()

    port.says = Events().says
    assert [one.fate for one in redrive(house.runtime, port.bus())] == ["duplicate"] * 2
    assert len(port.ids()) == 2
    assert not house.items("quarantine")


def test_without_a_bus_nothing_more_is_sent(house: House) -> None:
    """What is read and written is the same, with a bus and without."""
    calls = []
    house.ledger.new_id()  # asks for the time, once
    for account, bus in (("without", None), ("with", Events().bus())):
        records = write(house, entries(account, [-9, -3, -2]))
        house.faults.heal()
        through(house, records, bus)
        calls.append([operation for operation, _ in house.faults.calls])
    assert calls[0] == calls[1]


# --- redrive and repair ------------------------------------------------------------------------


def test_what_redrive_applies_is_published(house: House) -> None:
    """And it leaves quarantine only then."""
    (record,) = write(house, entries("a", [-5]))
    quarantine.put(house.runtime, Quarantined(record, "its view was broken"))
    port = Events(lambda _number, _events: "InternalException")
    (failed,) = redrive(house.runtime, port.bus())
    assert (failed.fate, len(house.items("quarantine"))) == ("failed", 1)
    assert "not published" in failed.reason

    port.says = Events().says
    assert [one.fate for one in redrive(house.runtime, port.bus())] == ["duplicate"]
    assert len(port.ids()) == 1
    assert not house.items("quarantine")


def test_what_repair_applies_is_published_first(house: House) -> None:
    """Applied, it would be missing no more, and no later repair would publish it."""
    write(house, entries("a", [-500, -400]))
    report = reconcile(house.runtime, ["a"], sleep=lambda _seconds: None)
    wanted = plan(report)
    port = Events(lambda _number, _events: "InternalException")
    failed = repair(house.runtime, wanted, port.bus())
    assert (failed.applied, len(failed.failed)) == (0, 2)
    assert not house.image("a").sums.entries

    port.says = Events().says
    done = repair(house.runtime, wanted, port.bus())
    assert (done.applied, done.failed) == (2, [])
    assert len(port.ids()) == 2
    house.assert_view_is_right()


# --- as boto3 has it ---------------------------------------------------------------------------


def test_boto3_takes_the_events_and_its_replies_are_understood(session: boto3.Session) -> None:
    """By botocore's own description of PutEvents: parameters, and a partial failure."""
    one, other = entries("a", [-2, -1])
    client = connect.client("events", Settings(region="eu-west-1"), session)
    bus = Bus(client, NAME, ledger="folio", attempts=2, backoff_seconds=0, sleep=lambda _s: None)
    first, second = event(one, NAME, "folio"), event(other, NAME, "folio")
    busy = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    with Stubber(client) as stub:
        stub.add_response(
            "put_events",
            {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, busy]},
            {"Entries": [first, second]},
        )
        stub.add_client_error("put_events", "ThrottlingException", http_status_code=400)
        left = bus.publish([one, other], parallel=1)
    assert {id: why.for_good for id, why in left.items()} == {other.id: False}
    stub.assert_no_pending_responses()


def test_the_settings_make_the_bus(session: boto3.Session) -> None:
    """None without `event_bus`; with it, a conversation with EventBridge by way of HTTP."""
    assert connect_bus(Settings(), session) is None
    written = signed_by_fingerprint(entry("a", -1, 5))
    with mock_aws():
        bus = connect_bus(Settings(event_bus="default"), session)
        assert bus is not None
        assert bus.publish([written], parallel=1) == {}


def test_entries_are_published_once_a_batch(house: House) -> None:
    """A record that stands in the batch twice is one event."""
    (record,) = write(house, entries("a", [-3]))
    port = Events()
    result = through(house, [record, record], port.bus())
    assert result.tally == Tally(applied=1, duplicates=1, published=1)
    assert len(port.ids()) == 1


def all_of(written: Sequence[Entry]) -> set[str]:
    """Their ids."""
    return {one.id for one in written}


def test_accounts_side_by_side_are_all_published(house: House) -> None:
    """Calls to the bus go side by side, too, and nothing is lost between them."""
    written = [entry(f"a{n % 8}", -1 - n, n + 1, number=n) for n in range(64)]
    port = Events()
    result = through(house, write(house, written), port.bus(), parallel=6)
    assert result.tally.published == 64
    assert set(port.ids()) == all_of(written)
    house.assert_view_is_right()


# --- by command --------------------------------------------------------------------------------


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Events:
    """The bus of the commands."""
    made = Events()
    monkeypatch.setattr(redriving, "connect_bus", lambda *_where: made.bus())
    return made


def test_the_commands_publish_what_they_apply(folio: Folio, port: Events) -> None:
    """What `repair` applies from the log, and what `redrive` lets out of quarantine."""
    folio.deposit("user:1")
    assert folio("repair", "--grace", "0", "--yes").code == 0
    assert len(port.taken) == 2

    rt = connect.runtime(Settings(), None, folio.endpoint_url)
    (one,) = [entry_from(i) for i in rt.store.get_many(rt.settings.events_table, places(port))]
    quarantine.put(rt, Quarantined(record(entry_item(one)), "not published: no such bus"))
    assert folio.answer("redrive")["fates"] == {"duplicate": 1}
    assert len(port.taken) == 3


def places(port: Events) -> list[tuple[str, str]]:
    """Where the first event's entry stands in the log."""
    first = port.taken[0]
    return [(keys.account(first["account"]), keys.event(first["currency"], first["id"]))]


def test_the_command_of_the_projector_publishes(folio: Folio, port: Events) -> None:
    """`folio projector run` is the projector where there is no Lambda."""
    folio.deposit("user:1")
    idle = Poller.step

    def step(self: Poller) -> tuple[int, bool]:
        result = idle(self)
        if self.idle_passes == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    folio.monkeypatch.setattr(Poller, "step", step)
    said = folio("projector", "run", "--json")
    assert (said.code, said.json["published"], len(port.taken)) == (0, 2, 2)


def test_an_embedded_ledger_publishes_nothing(tmp_path: Path, port: Events) -> None:
    """It is for trying, and the settings of a real one may be in the environment."""
    session = Session(Options(embedded=tmp_path))
    ledger: Any = None  # not looked at
    assert redriving.bus_of(session, ledger) is None
