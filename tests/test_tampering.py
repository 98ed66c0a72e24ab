"""Nothing changes or removes an item of the log unseen: it is alarmed, kept, and never applied."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger import Money, credit, debit
from ledger.items import entry_item
from projector.quarantine import kept
from projector.tally import Tally
from tests.support.house import House
from tests.support.stage import entry, record

LEGS = [debit("world", Money(500, "EUR")), credit("a", Money(500, "EUR"))]


def key_of(item: dict[str, Any]) -> dict[str, Any]:
    """An item's key."""
    return {name: item[name] for name in ("PK", "SK")}


def alarms(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines that an operator is called by."""
    lines = [one for one in caplog.records if one.levelname == "ERROR"]
    return [json.loads(one.getMessage()) for one in lines]


@pytest.mark.parametrize("prefix", ["ACCOUNT#", "TRANSACTION#"])
@pytest.mark.parametrize("name", ["MODIFY", "REMOVE"])
def test_26_an_item_of_the_log_that_is_changed_or_removed(
    house: House, caplog: pytest.LogCaptureFixture, prefix: str, name: str
) -> None:
    """An entry or a header, through the real stream: both sides are kept, the view stays."""
    house.posted([house.ledger.post(LEGS, type="deposit", metadata={"note": "private"})])
    house.settle()
    victim = next(item for item in house.items("events") if item["PK"]["S"].startswith(prefix))
    table = house.settings.events_table
    if name == "MODIFY":
        changed: dict[str, Any] | None = victim | {"type": {"S": "altered"}}
        house.faults.put_item(TableName=table, Item=changed)
    else:
        changed = None
        house.faults.delete_item(TableName=table, Key=key_of(victim))

    result = house.settle()

    assert result.failed_from is None
    assert result.tally == Tally(quarantined=1, tampered=1)
    house.assert_view_is_right()
    (one,) = kept(house.runtime)
    assert one.tampering
    assert one.record is not None
    assert (one.record.name, one.record.old, one.record.new) == (name, victim, changed)
    (alarm,) = alarms(caplog)
    assert alarm["event"] == "tampering"
    assert victim["PK"]["S"] in alarm["key"]
    assert "private" not in caplog.text


def test_26_a_new_amount_with_a_new_fingerprint_is_not_applied_either(house: House) -> None:
    """However well it is made: a MODIFY is no event."""
    old = entry("a", -5, 3)
    new = entry("a", -5, 3000)
    assert old.id == new.id
    result = house.project([record(entry_item(new), old=entry_item(old), name="MODIFY")])
    assert result.tally == Tally(quarantined=1, tampered=1)
    assert not house.image("a").sums.entries


def test_a_write_that_changed_nothing_is_no_alarm(house: House) -> None:
    """A MODIFY of equal images, as replication may bring it, is a no-op."""
    item = entry_item(entry("a", -5, 3))
    assert house.project([record(item, old=dict(item), name="MODIFY")]).tally == Tally()
    assert not house.items("quarantine")


def test_26_a_foreign_item_that_is_changed_is_an_alarm_too(house: House) -> None:
    """Whoever writes there, the log is no place for it."""
    old = {"PK": {"S": "x"}, "SK": {"S": "y"}, "n": {"N": "1"}}
    changes = [
        record(old | {"n": {"N": "2"}}, old=old, name="MODIFY"),
        replace(record(None, old=old, name="REMOVE")),
    ]
    assert house.project(changes).tally == Tally(quarantined=2, tampered=2)
