"""Applying: a fold is one write, and what it already has it drops without reading."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ledger import Contended, ids
from ledger.items import entry_item
from ledger.view import Sums
from projector import apply as apply_module
from projector.apply import apply
from projector.fold import MAX_FOLD
from projector.tally import Tally
from tests.conftest import NewHouse
from tests.support.house import House
from tests.support.stage import entries, entry, record, signed_by_fingerprint, small_caps, write

WRITES = {"put_item", "update_item", "delete_item", "transact_write_items"}


def operations(house: House) -> list[str]:
    """What was asked of DynamoDB, but for the clock's first reply."""
    return [name for name, _ in house.faults.calls]


def warm(house: House) -> House:
    """A projector that has seen a reply, and so knows the time."""
    house.runtime.synchronise()
    house.faults.heal()
    return house


def test_a_fold_is_one_write_and_nothing_else(house: House) -> None:
    """Ninety events of one account and currency: one update, no read."""
    records = write(warm(house), entries("a", (n / 100 for n in range(-MAX_FOLD, 0)), signed=3))
    assert house.project(records).tally == Tally(applied=90)
    assert operations(house) == ["update_item"]
    house.assert_view_is_right()


def test_a_larger_fold_is_parted_where_an_expression_ends(house: House) -> None:
    """Its conditions hold at most 300 operators and 4 KB: ninety ids at a time."""
    records = write(warm(house), entries("a", (n / 100 for n in range(-181, 0)), signed=3))
    with_seals_off = house.new_runtime(settling_seconds=3600)
    assert house.project(records, with_seals_off).tally == Tally(applied=181)
    assert operations(house) == ["update_item"] * 3
    house.assert_view_is_right()


def test_17_a_record_that_stands_twice_in_a_batch(house: House) -> None:
    """It counts once, and is told apart before any call."""
    records = write(warm(house), entries("a", [-3, -2, -1]))
    tally = house.project([*records, records[1], records[1]]).tally
    assert tally == Tally(applied=3, duplicates=2)
    assert operations(house) == ["update_item"]
    house.assert_view_is_right()


def test_17_a_record_that_comes_again_alone(house: House) -> None:
    """The refused update brings what stands there: one call, no read."""
    records = write(warm(house), entries("a", [-3, -2, -1]))
    house.project(records)
    house.faults.heal()
    assert house.project(records[1:2]).tally == Tally(duplicates=1)
    assert operations(house) == ["update_item"]
    house.assert_view_is_right()


def test_17_a_record_that_comes_again_among_new_ones(house: House) -> None:
    """The new ones are applied in a second call."""
    records = write(warm(house), entries("a", [-3, -2, -1]))
    house.project(records[1:2])
    house.faults.heal()
    assert house.project(records).tally == Tally(applied=2, duplicates=1)
    assert operations(house) == ["update_item"] * 2
    house.assert_view_is_right()


def test_25_accounts_and_currencies_are_apart(house: House) -> None:
    """The same ids on two accounts and in two currencies are four events, each in its view."""
    written = [
        entry(account, -1, amount, currency=currency)
        for (account, currency), amount in zip(
            itertools.product(["a", "b"], ["EUR", "USD"]), [1, -2, 3, -4], strict=True
        )
    ]
    assert len({one.id for one in written}) == 1
    records = write(house, written)
    assert house.project(reversed(records)).tally == Tally(applied=4)
    house.assert_view_is_right()


def test_pending_amounts_are_added_with_their_sign(house: House) -> None:
    """A hold that is made and one that ends move the pending sums of their side."""
    made = [
        replace(entry("a", -4, 1, number=1), amount_minor=0, pending_minor=70),
        replace(entry("a", -3, -1, number=2), amount_minor=0, pending_minor=50),
        replace(entry("a", -2, -1, number=3), amount_minor=20, pending_minor=-50),
    ]
    house.project([record(entry_item(signed_by_fingerprint(one))) for one in made])
    assert house.image("a").sums == Sums(
        credits=0, debits=20, pending_credits=70, pending_debits=0, entries=3
    )


def test_the_largest_amounts_add_up_exactly(house: House) -> None:
    """No float, no rounding: 28 digits and one minor unit."""
    house.project(write(house, [*entries("a", range(-9, 0), 10**27), entry("a", -0.5, 1)]))
    assert house.image("a").sums.credits == 9 * 10**27 + 1
    house.assert_view_is_right()


@pytest.mark.parametrize("fault", ["reply lost", "time-out", "server error", "throttled", "reset"])
def test_18_an_update_that_is_sent_again_counts_once(house: House, fault: Any) -> None:
    """Whether it had arrived or not, the condition of the second one knows."""
    records = write(house, entries("a", [-3, -2, -1]))
    house.faults.once("update_item", fault)
    assert house.project(records).failed_from is None
    house.faults.heal()
    house.assert_view_is_right()


def test_others_that_always_come_first_end_in_an_error_that_may_be_retried(house: House) -> None:
    """After twelve rounds it gives up; what is left comes again with its batch."""
    written = entries("a", range(-30, 0))
    write(house, written)
    mine = {ids.pack(one.id): one for one in written}
    others = iter(written)

    def first(_number: int, operation: str, _parameters: dict[str, Any]) -> Any:
        if operation == "update_item":
            with house.faults.calm():
                apply(house.runtime, "a", "EUR", one_of(mine, next(others).id))
        return "none"

    house.faults.plan = first
    with pytest.raises(Contended, match="view of a in EUR"):
        apply(house.runtime, "a", "EUR", mine)
    house.faults.heal()
    assert house.image("a").sums.entries == apply_module.MAX_ROUNDS
    assert apply(house.runtime, "a", "EUR", mine).applied == 30 - apply_module.MAX_ROUNDS
    house.assert_view_is_right()


def one_of(mine: dict[bytes, Any], id: str) -> dict[bytes, Any]:
    """One of the entries alone."""
    return {ids.pack(id): mine[ids.pack(id)]}


def test_nothing_to_apply_is_no_call(house: House) -> None:
    """An empty fold costs nothing."""
    warm(house)
    assert apply(house.runtime, "a", "EUR", {}) == Tally()
    assert not operations(house)


def written_tables(calls: Sequence[tuple[str, dict[str, Any]]]) -> set[str]:
    """The tables that requests write to."""
    tables = set()
    for name, parameters in calls:
        if name == "transact_write_items":
            parts = [part for item in parameters["TransactItems"] for part in item.values()]
            tables |= {part["TableName"] for part in parts}
        elif name in WRITES:
            tables.add(parameters["TableName"])
        else:
            assert name in ("get_item", "batch_get_item", "query", "scan")
    return tables


def test_27_the_projector_never_writes_into_its_own_source(
    new_house: NewHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apply, seal, late, split and quarantine: balances and quarantine are all that it writes to."""
    small_caps(monkeypatch)
    house = new_house()
    settled, late = entries("a", [-40, -30, -20, -10]), entries("a", [-35, -34, -33, -32])
    records = write(house, [*settled, *late])
    foreign = record({"PK": {"S": "x"}, "SK": {"S": "y"}})
    house.faults.heal()
    tally = house.project(records[:4]).tally + house.project([*records, foreign]).tally
    assert all(tally.counts()[name] for name in ("applied", "duplicates", "late", "quarantined"))
    assert tally.seals
    assert tally.splits
    settings = house.settings
    assert written_tables(house.faults.calls) == {
        settings.balances_table,
        settings.quarantine_table,
    }
