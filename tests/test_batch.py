"""One batch: what fails is reported by its lowest record, and the rest goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import ids, keys
from ledger.errors import Misconfigured
from projector.batch import process
from projector.record import Record
from projector.tally import Tally
from tests.support.faults import Fault
from tests.support.house import House
from tests.support.stage import entries, entry, record, small_caps, write


def numbered(records: Sequence[Record], *numbers: str) -> list[Record]:
    """The records, with these sequence numbers."""
    return [
        replace(one, sequence_number=number) for one, number in zip(records, numbers, strict=True)
    ]


def refuse(account: str, fault: Fault) -> Callable[..., Fault]:
    """A plan: `fault` at every write to the view of one account."""

    def plan(_number: int, operation: str, parameters: dict[str, Any]) -> Fault:
        refused = operation == "update_item" and parameters["Key"]["PK"]["S"].endswith(account)
        return fault if refused else "none"

    return plan


def test_19_the_lowest_record_that_failed_is_reported_and_all_from_there_comes_again(
    house: House,
) -> None:
    """What others had applied meanwhile is not applied twice."""
    good, bad = entries("good", [-4, -3, -2]), entries("bad", [-4, -3])
    records = numbered(write(house, [*good, *bad]), "11", "13", "15", "12", "14")
    house.faults.plan = refuse("bad", "throttled")
    result = house.project(records)
    assert result.failed_from == "12"
    assert result.tally == Tally(applied=3)
    house.assert_view_is_sound()

    house.faults.heal()
    again = [one for one in records if int(one.sequence_number) >= 12]
    assert house.project(again).tally == Tally(applied=2, duplicates=2)
    house.assert_view_is_right()


def test_19_sequence_numbers_are_compared_as_numbers(house: House) -> None:
    """They are of different lengths: "99" comes before "100", whatever their letters say."""
    records = numbered(write(house, entries("bad", [-4, -3, -2])), "1000", "99", "100")
    house.faults.plan = refuse("bad", "throttled")
    assert house.project(records).failed_from == "99"


@pytest.mark.parametrize("fault", ["throttled", "time-out", "server error", "reset"])
def test_20_whatever_dynamodb_refuses_is_reported(house: House, fault: Fault) -> None:
    """No error is taken for a success: neither one that wrote nothing nor an unknown one."""
    records = write(house, entries("bad", [-4]))
    house.faults.plan = refuse("bad", fault)
    assert house.project(records).failed_from == records[0].sequence_number
    house.faults.heal()
    house.project(records)
    house.assert_view_is_right()


def test_20_a_missing_permission_is_reported_and_not_quarantined(house: House) -> None:
    """It is not the record's fault: an operator's repair makes it go."""
    records = write(house, entries("a", [-4]))
    table = house.settings.balances_table
    broken = house.new_runtime(balances_table=f"{table}-of-another-stack")
    result = house.project(records, broken)
    assert result.failed_from == records[0].sequence_number
    assert not house.items("quarantine")


def test_20_an_error_of_our_own_ends_the_batch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is swallowed nowhere: Lambda sees it, and repeats the whole batch."""

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("projector.batch.apply", broken)
    with pytest.raises(ZeroDivisionError):
        house.project(write(house, entries("a", [-4])))


def test_22_a_quarantine_that_cannot_be_written_is_reported(house: House) -> None:
    """A poison record that is kept nowhere comes again; what was sound is applied."""
    good = write(house, entries("a", [-4]))
    poison = record({"PK": {"S": "x"}, "SK": {"S": "y"}})
    house.faults.always("put_item", "throttled")
    result = house.project([*good, poison])
    assert result.failed_from == poison.sequence_number
    assert result.tally == Tally(applied=1)
    house.faults.heal()
    assert house.project([poison]).tally == Tally(quarantined=1)
    house.assert_view_is_right()


def set_in_view(house: House, account: str, **attributes: dict[str, Any]) -> None:
    """Change a balance item by hand."""
    house.faults.update_item(
        TableName=house.settings.balances_table,
        Key={"PK": {"S": keys.account(account)}, "SK": {"S": keys.balance("EUR")}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        ExpressionAttributeNames={f"#{name}": name for name in attributes},
        ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
    )


def test_22_what_no_repetition_helps_is_quarantined_and_the_shard_goes_on(house: House) -> None:
    """A balance near DynamoDB's 38 digits takes no more; the account beside it does."""
    house.project(write(house, entries("full", [-9])))
    set_in_view(house, "full", credits={"N": "9" * 38})
    before = house.image("full")
    records = write(house, [entry("full", -4, 10**27), entry("full", -3, 10**27, number=1)])
    beside = write(house, entries("a", [-4]))
    result = house.project([*records, *beside])
    assert result.failed_from is None
    assert result.tally == Tally(applied=1, quarantined=2)
    assert house.image("full") == before
    assert {one["SK"]["S"] for one in house.items("quarantine")} == {r.event_id for r in records}


@pytest.mark.parametrize(
    "broken",
    [{"open": {"S": "text"}}, {"generation": {"N": "1"}}],
    ids=["open", "generation"],
)
def test_22_a_view_that_someone_broke_does_not_stop_the_shard(
    house: House, broken: dict[str, Any]
) -> None:
    """The records of its account wait in quarantine, with the reason; the others are applied."""
    house.project(write(house, entries("broken", [-9])))
    set_in_view(house, "broken", **broken)
    records = write(house, [*entries("broken", [-9]), *entries("a", [-4])])
    result = house.project(records)
    assert (result.failed_from, result.tally.quarantined) == (None, 1)
    assert house.image("a").sums.entries == 1
    (kept,) = house.items("quarantine")
    assert kept["reason"]["S"]


def test_22_a_page_that_someone_broke_does_not_stop_the_shard(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a broken balance: it is said which page, and that a rebuild puts it right."""
    small_caps(monkeypatch)
    house.project(write(house, entries("a", [-40, -30, -20])))
    (page,) = house.pages("a")
    house.faults.update_item(
        TableName=house.settings.balances_table,
        Key={
            "PK": {"S": keys.account("a")},
            "SK": {"S": keys.page("EUR", page.generation, ids.unpack(page.through))},
        },
        UpdateExpression="REMOVE #from",
        ExpressionAttributeNames={"#from": "from"},
    )
    result = house.project(write(house, entries("a", [-35])))
    assert (result.failed_from, result.tally) == (None, Tally(quarantined=1))
    (kept,) = house.items("quarantine")
    assert ids.unpack(page.through) in kept["reason"]["S"]
    assert "rebuild" in kept["reason"]["S"]


def test_folds_go_side_by_side(house: House) -> None:
    """Accounts and currencies in several threads: nothing is lost between them."""
    written = [
        entry(f"a{n % 12}", -1 - n / 100, n + 1, number=n, currency=("EUR", "USD")[n % 2])
        for n in range(96)
    ]
    records = write(house, written)
    threads = set()

    def seen(_number: int, _operation: str, parameters: dict[str, Any]) -> Fault:
        threads.add(threading.get_ident())
        refused = parameters.get("Key", {}).get("PK", {}).get("S") == keys.account("a3")
        return "throttled" if refused else "none"

    house.faults.plan = seen
    result = process(house.runtime, records, parallel=6)
    assert len(threads) > 1
    lowest = min(
        int(r.sequence_number)
        for r, one in zip(records, written, strict=True)
        if one.account == "a3"
    )
    assert result.failed_from == str(lowest)
    house.faults.heal()
    process(house.runtime, records, parallel=6)
    house.assert_view_is_right()


def test_an_empty_batch_is_a_success(house: House) -> None:
    """There is nothing to apply and no newest record."""
    result = house.project([])
    assert (result.tally, result.failed_from, result.newest) == (Tally(), None, None)


def test_the_newest_record_of_a_batch_is_known(house: House) -> None:
    """Its age is how far the view is behind, applied or not."""
    at = datetime(2026, 9, 21, tzinfo=UTC)
    records = write(house, entries("a", [-4, -3, -2]))
    minutes = [1, 3, 2]
    dated = [
        replace(one, created_at=at + timedelta(minutes=n))
        for one, n in zip(records, minutes, strict=True)
    ]
    assert house.project(dated).newest == at + timedelta(minutes=3)


def test_the_log_line_of_a_batch_counts_and_names_nothing_private(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Counts and, of what failed, account and error; never a description or metadata."""
    caplog.set_level("INFO", "projector")
    secret = replace(entry("bad", -4, 5), description="the-description")
    refused = write(house, [secret])
    fingerprinted = write(house, entries("good", [-3]))
    house.faults.plan = refuse("bad", "throttled")
    house.project([*refused, *fingerprinted, fingerprinted[0]])
    lines = [json.loads(one.getMessage()) for one in caplog.records if one.name == "projector"]
    batch = next(line for line in lines if line["event"] == "batch")
    assert (batch["records"], batch["applied"], batch["duplicates"]) == (3, 1, 1)
    assert batch["failed_from"] is None
    assert "the-description" not in caplog.text


def test_misconfigured_is_what_a_broken_view_raises_to_readers(house: House) -> None:
    """A reader is told to call the operator; no balance is made up."""
    house.project(write(house, entries("a", [-9])))
    set_in_view(house, "a", through={"S": "text"})
    with pytest.raises(Misconfigured, match="rebuild"):
        house.ledger.balance("a", "EUR")
