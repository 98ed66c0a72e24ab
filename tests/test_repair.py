"""Repair: what the view misses is applied from the log; everything else is named and left alone."""

from __future__ import annotations

from typing import Any

from ledger import Money, Receipt, keys
from ledger.reconcile import reconcile
from ledger.request import Request
from projector.repair import Repaired, plan, repair
from tests.support.house import House


def paid(house: House, amount_minor: int) -> Receipt:
    """A deposit that no projector has seen, and that is old by now."""
    receipt = house.ledger.transfer(
        source="world:card", destination="user:1", money=Money(amount_minor, "EUR"), type="deposit"
    )
    house.posted([receipt])
    house.clock.advance(600)
    return receipt


def no_sleep(seconds: float) -> None:
    """Time is the test's."""


def repaired(house: House) -> Repaired:
    """What a repair of all that is found does."""
    return repair(house.runtime, plan(reconcile(house.runtime, sleep=no_sleep)))


def test_fault_23_what_a_trimmed_stream_lost_is_applied_from_the_log(house: House) -> None:
    """The gap is named, applied once, and then there is none."""
    paid(house, 100)
    house.settle()
    paid(house, 20)
    lost = house.new_records()  # and nobody ever applied them

    done = repaired(house)

    assert (done.applied, done.already, done.failed) == (2, 0, [])
    house.assert_view_is_right()
    assert reconcile(house.runtime, sleep=no_sleep).verdict == "clean"
    house.project(lost)  # if they come after all, they are duplicates
    house.assert_view_is_right()


def test_a_repair_beside_the_projector_applies_nothing_twice(house: House) -> None:
    """What was missing when it was looked at may have been applied by the time of the repair."""
    paid(house, 100)
    wanted = plan(reconcile(house.runtime, sleep=no_sleep))
    house.settle()

    done = repair(house.runtime, wanted)

    assert (done.applied, done.already) == (0, 2)
    house.assert_view_is_right()


def test_many_missing_entries_of_one_account_are_applied_in_parts(house: House) -> None:
    """An update holds 90 ids; a gap may be longer."""
    for amount_minor in range(1, 96):
        paid(house, amount_minor)

    assert repaired(house).applied == 190
    house.assert_view_is_right()


def put(house: House, table: str, item: dict[str, Any]) -> None:
    """Write an item behind the ledger's back."""
    house.runtime.store.send(Request("put_item", {"TableName": table, "Item": item}))


def test_what_needs_a_rebuild_is_named_and_not_touched(house: House) -> None:
    """A balance altered by hand is no missing entry: the plan says so, and the repair leaves it."""
    paid(house, 100)
    house.settle()
    item = house.runtime.store.get(
        house.settings.balances_table, keys.account("user:1"), keys.balance("EUR")
    )
    assert item is not None
    put(house, house.settings.balances_table, item | {"credits": {"N": "999"}})

    wanted = plan(reconcile(house.runtime, sleep=no_sleep))

    assert [f.kind for f in wanted.rebuild] == ["balance sums"]
    assert (wanted.missing, repair(house.runtime, wanted)) == ((), Repaired())
    assert house.image("user:1").sums.credits == 999


def test_an_entry_that_is_not_sound_by_now_is_not_applied(house: House) -> None:
    """Between the look and the repair an entry was altered, another removed: told, not applied."""
    receipt = paid(house, 100)
    wanted = plan(reconcile(house.runtime, sleep=no_sleep))
    world, user = receipt.entries
    events = house.settings.events_table
    place = (keys.account(user.account), keys.event("EUR", user.id))
    item = house.runtime.store.get(events, *place)
    assert item is not None
    put(house, events, item | {"amount_minor": {"N": "999"}})
    gone = {"PK": {"S": keys.account(world.account)}, "SK": {"S": keys.event("EUR", world.id)}}
    house.runtime.store.send(Request("delete_item", {"TableName": events, "Key": gone}))

    done = repair(house.runtime, wanted)

    assert (done.applied, len(done.failed)) == (0, 2)
    assert all("not sound" in line for line in done.failed)


def test_what_dynamodb_refuses_is_told_and_the_rest_goes_on(house: House) -> None:
    """One account throttled does not keep the other from being repaired."""
    paid(house, 100)
    wanted = plan(reconcile(house.runtime, sleep=no_sleep))

    def plan_of_faults(_number: int, name: str, parameters: dict[str, Any]) -> Any:
        key = parameters.get("Key", {}).get("PK", {}).get("S", "")
        return "throttled" if name == "update_item" and key.endswith("world:card") else "none"

    house.faults.plan = plan_of_faults

    done = repair(house.runtime, wanted)

    assert done.applied == 1
    assert [line.split(":")[0] for line in done.failed] == ["world"]
