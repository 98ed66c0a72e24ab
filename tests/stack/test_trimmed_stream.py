"""A projector that slept while the stream was trimmed is noticed by the nightly function, and healed from the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from folio_localstack import LocalStack

from ledger import Money
from tests.stack.support.deployed import Deployed
from tests.stack.support.projector import Projector
from tests.stack.support.stacks import deploy, folio
from tests.stack.support.waiting import eventually


def deposit(deployed: Deployed, cents: int) -> str:
    return deployed.ledger.transfer(
        source="world:card", destination="user:1", money=Money(cents, "EUR"), type="deposit"
    ).id


def night(deployed: Deployed) -> Any:
    """The nightly function's report."""
    answer = deployed.invoke(deployed.outputs["ReconcilerFunction"], {})
    assert answer.error is None, answer.value
    return answer.value


def test_fault_23_the_gap_is_named_and_repaired(localstack: LocalStack, zip_: Path) -> None:
    """The mapping comes back at the stream's end, as after a trim: what it never saw is missing, by name."""
    slept = deploy(localstack, zip_, "slept")
    projector = Projector(slept, zip_)
    # Given a projector that was away for some deposits, which the stream has forgotten since
    deposit(slept, 100)
    slept.wait_for_balances({"user:1": 100})
    projector.delete_mapping()
    lost = {deposit(slept, cents) for cents in (20, 3)}
    projector.make_mapping(StartingPosition="LATEST")
    # When it goes on, and the night comes
    later = 0

    def another() -> int:
        nonlocal later
        later += 1000
        deposit(slept, 1000)
        return slept.ledger.balance("user:1", "EUR", consistency="view").posted.amount_minor

    eventually(another, lambda viewed: viewed > 100)
    # What is younger than the grace time may be in flight, so a night may come too early.
    report = eventually(lambda: night(slept), lambda found: found["verdict"] != "clean")
    # Then what it missed is named, on both accounts
    assert report["verdict"] == "drift"
    assert {finding["kind"] for finding in report["findings"]} == {"missing"}
    missing = [finding["entry_id"].partition("#")[0] for finding in report["findings"]]
    assert all(missing.count(id) == 2 for id in lost)
    # When it is repaired from the log
    repaired = json.loads(folio(slept, "repair", "--grace", "2", "--yes", "--json", own=True))
    # Then
    assert repaired["applied"] == len(missing)
    slept.wait_for_balances({"user:1": 123 + later, "world:card": -123 - later}, seconds=1)
    assert night(slept)["verdict"] == "clean"
