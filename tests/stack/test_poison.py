"""What the projector cannot apply waits in quarantine and rings; the rest goes on, and redrive applies it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from folio_localstack import LocalStack

from ledger import Money
from tests.stack.support.deployed import Deployed
from tests.stack.support.projector import Projector
from tests.stack.support.stacks import deploy, folio
from tests.stack.support.waiting import eventually

NAME = "poison"


@pytest.fixture(scope="module")
def poisoned(localstack: LocalStack, zip_: Path) -> Deployed:
    """A stack of its own."""
    return deploy(localstack, zip_, NAME)


def deposit(deployed: Deployed, account: str, cents: int) -> str:
    return deployed.ledger.transfer(
        source="world:card", destination=account, money=Money(cents, "EUR"), type="deposit"
    ).id


def quarantined(deployed: Deployed) -> dict[str, Mapping[str, Any]]:
    """What is in quarantine, by the account or key that it is about."""
    table = deployed.variables["LEDGER_QUARANTINE_TABLE"]
    items = deployed.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return {item["keys"]["M"]["PK"]["S"]: item for item in items}


def rings(deployed: Deployed, alarm: str) -> bool:
    (found,) = deployed.client("cloudwatch").describe_alarms(AlarmNames=[f"{NAME}-{alarm}"])[
        "MetricAlarms"
    ]
    return bool(found["StateValue"] == "ALARM")


def redriven(deployed: Deployed, *, code: int) -> dict[str, int]:
    """What `folio redrive` made of each record, counted by its fate."""
    said = folio(deployed, "redrive", "--json", code=code, own=True)
    return dict(json.loads(said)["fates"])


def test_fault_22_poison_does_not_hold_up_the_shard(poisoned: Deployed) -> None:
    """A foreign item under an account's key goes into quarantine, whole; what comes after it is applied."""
    # Given
    poison = {"PK": {"S": "ACCOUNT#user:1"}, "SK": {"S": "EVENT#EUR#poison"}, "x": {"S": "y"}}
    events = poisoned.variables["LEDGER_EVENTS_TABLE"]
    poisoned.client("dynamodb").put_item(TableName=events, Item=poison)
    # When
    deposit(poisoned, "user:1", 1250)
    # Then
    poisoned.wait_for_balances({"user:1": 1250})
    kept = eventually(lambda: quarantined(poisoned), lambda found: found)
    record = json.loads(kept["ACCOUNT#user:1"]["record"]["S"])
    assert record["dynamodb"]["NewImage"] == poison
    # And this version cannot apply it, so it stays
    assert redriven(poisoned, code=4) == {"kept": 1}


def test_fault_28_an_old_projector_keeps_what_it_does_not_know_and_the_upgrade_applies_it(
    poisoned: Deployed, zip_: Path
) -> None:
    """Entries of a newer schema version wait in quarantine, until `folio redrive` after the upgrade."""
    # Given a projector that is older than what writes
    projector = Projector(poisoned, zip_)
    with projector.faulty("old"):
        deposit(poisoned, "user:2", 700)
        eventually(lambda: quarantined(poisoned), lambda found: "ACCOUNT#user:2" in found)
    assert poisoned.ledger.balance("user:2", "EUR", consistency="view").entry_count == 0
    # When it is upgraded, and its quarantine redriven
    fates = redriven(poisoned, code=4)
    # Then the poison of before stays, and the entries are in the view
    assert fates == {"kept": 1, "applied": 2}
    poisoned.wait_for_balances({"user:2": 700}, seconds=1)


def test_fault_26_tampering_with_the_log_rings_and_is_not_applied(poisoned: Deployed) -> None:
    """An entry that was altered and one that was removed: both images are kept, the balance does not move."""
    # Given
    deposit(poisoned, "user:3", 100)
    poisoned.wait_for_balances({"user:3": 100})
    entry = next(iter(poisoned.ledger.entries("user:3")))
    dynamodb, events = poisoned.client("dynamodb"), poisoned.variables["LEDGER_EVENTS_TABLE"]
    key = {"PK": {"S": "ACCOUNT#user:3"}, "SK": {"S": f"EVENT#EUR#{entry.id}"}}
    entry_as_written = dynamodb.get_item(TableName=events, Key=key)["Item"]
    # When somebody who can write to the table makes it a thousand times as much
    dynamodb.put_item(TableName=events, Item=entry_as_written | {"amount_minor": {"N": "100000"}})
    # Then
    kept = eventually(lambda: quarantined(poisoned), lambda found: "ACCOUNT#user:3" in found)
    record = json.loads(kept["ACCOUNT#user:3"]["record"]["S"])["dynamodb"]
    assert [record[image]["amount_minor"]["N"] for image in ("OldImage", "NewImage")] == [
        "100",
        "100000",
    ]
    poisoned.wait_for_balances({"user:3": 100}, seconds=1)
    report = json.loads(folio(poisoned, "reconcile", "user:3", "--json", code=3, own=True))
    assert ("altered", entry.id) in {(f["kind"], f["entry_id"]) for f in report["findings"]}
    # And the alarms ring, which look at the metrics once a minute
    eventually(
        lambda: (rings(poisoned, "TamperedAlarm"), rings(poisoned, "QuarantinedAlarm")),
        all,
        seconds=90,
    )
    assert not rings(poisoned, "SuspectAlarm")
