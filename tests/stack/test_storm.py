"""Through stream and Lambda every balance becomes exact, whatever befalls the projector meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from folio_localstack import LocalStack

from tests.stack.support.deployed import Deployed
from tests.stack.support.projector import Projector
from tests.stack.support.stacks import deploy
from tests.stack.support.waiting import eventually
from tests.stack.support.writers import post_one, wait_until_exact, writing

NAME = "storm"
GRACE_SECONDS = 2
"""The stack's."""
PATIENCE_SECONDS = 240
"""LocalStack waits longer and longer before it invokes a function again that failed, up to a minute and a half."""


@pytest.fixture(scope="module")
def storm(localstack: LocalStack, zip_: Path) -> Deployed:
    """A stack of its own."""
    return deploy(localstack, zip_, NAME)


@pytest.fixture
def projector(storm: Deployed, zip_: Path) -> Projector:
    return Projector(storm, zip_)


def accounts(of: str, count: int = 12) -> Sequence[str]:
    """Accounts that no other test knows."""
    return [f"{of}:{n:02d}" for n in range(count)]


def batches(deployed: Deployed, projector: Projector) -> list[dict[str, object]]:
    """What the projector's log says of each batch that it has ended."""
    lines = [json.loads(line) for line in deployed.log(projector.name) if line.startswith("{")]
    return [line for line in lines if line.get("event") == "batch"]


def total(counted: list[dict[str, object]], name: str) -> int:
    return sum(int(str(batch[name])) for batch in counted)


def cold_starts(deployed: Deployed, projector: Projector) -> int:
    return sum(bool(batch["cold_start"]) for batch in batches(deployed, projector))


def deaths(deployed: Deployed, projector: Projector, how: str) -> int:
    return sum(how in line for line in deployed.log(projector.name))


def reconciled(deployed: Deployed) -> dict[str, object]:
    """The answer of the nightly function, asked now."""
    answer = deployed.invoke(deployed.outputs["ReconcilerFunction"], {})
    assert answer.error is None, answer.value
    return dict(answer.value)


def test_thousands_of_events_by_several_writers(storm: Deployed, projector: Projector) -> None:
    """Four processes post at once; each event is applied once, and the nightly function finds all of it right."""
    # When
    with writing(storm, accounts("trader"), writers=4, transactions=1_200, seed=1) as books:
        pass
    # Then
    assert len(books.entries) > 3_000
    wait_until_exact(storm, books)
    report = reconciled(storm)
    assert (report["verdict"], report["entries"]) == ("clean", len(books.entries))
    assert total(batches(storm, projector), "applied") == len(books.entries)
    applied = storm.metric("Folio", "EventsApplied", service="projector", ledger=NAME)
    assert applied == len(books.entries)


@pytest.mark.parametrize(
    ("fault", "timeout", "death"),
    [("crash", None, "exit status 1"), ("hang", 2, "Task timed out")],
)
def test_fault_18_and_24_a_function_that_dies_in_mid_batch(
    storm: Deployed, projector: Projector, fault: str, timeout: int | None, death: str
) -> None:
    """It crashes or hangs before and after calls to DynamoDB: what comes again is applied once."""
    # Given a projector that dies at one call in ten
    with projector.faulty(fault, 0.05, timeout):
        with writing(storm, accounts(fault), writers=2, transactions=120, seed=2) as books:
            pass

        def died() -> int:
            post_one(storm, accounts(fault), books)
            return deaths(storm, projector, death)

        eventually(died, lambda count: count >= 3, seconds=PATIENCE_SECONDS)
    # When it is mended, then
    wait_until_exact(storm, books)


def test_fault_19_a_batch_that_is_applied_in_part(storm: Deployed, projector: Projector) -> None:
    """What DynamoDB refused is reported, and the mapping rewinds to the lowest: what comes twice is applied once."""
    before = len(batches(storm, projector))
    # Given a projector that DynamoDB refuses one call in five, or serves and then seems to refuse
    with projector.faulty("refuse", 0.1):
        with writing(storm, accounts("refused"), writers=2, transactions=200, seed=3) as books:
            pass

        def refused() -> int:
            post_one(storm, accounts("refused"), books)
            return sum(bool(b["failed_from"]) for b in batches(storm, projector)[before:])

        eventually(refused, lambda count: count >= 3, seconds=PATIENCE_SECONDS)
    # When DynamoDB serves again, then
    wait_until_exact(storm, books)
    assert total(batches(storm, projector)[before:], "duplicates") > 0


def test_new_versions_while_traffic_flows(storm: Deployed, projector: Projector) -> None:
    """Two deployments of new code under way: nothing is lost or doubled."""
    with writing(storm, accounts("upgraded"), writers=2, transactions=700, seed=4) as books:
        for number in range(2):
            more_than = cold_starts(storm, projector).__lt__
            projector.deploy_version(number)
            eventually(lambda: cold_starts(storm, projector), more_than)
    wait_until_exact(storm, books)


def test_fault_17_a_mapping_made_anew_replays_the_stream_and_changes_nothing(
    localstack: LocalStack, zip_: Path
) -> None:
    """The whole stream comes again from its horizon, and each of its events is a duplicate."""
    # Given balances that are exact
    replayed = deploy(localstack, zip_, "replayed")
    projector = Projector(replayed, zip_)
    with writing(replayed, accounts("replayed"), writers=2, transactions=100, seed=5) as books:
        pass
    wait_until_exact(replayed, books)
    time.sleep(2 * GRACE_SECONDS)  # what is younger is not in a reconciliation's digest
    report = reconciled(replayed)
    before = len(batches(replayed, projector))
    # When
    projector.delete_mapping()
    projector.make_mapping()
    # Then
    eventually(
        lambda: total(batches(replayed, projector)[before:], "duplicates"),
        lambda duplicates: duplicates >= int(str(report["entries"])),
        seconds=PATIENCE_SECONDS,
    )
    assert total(batches(replayed, projector)[before:], "applied") == 0
    wait_until_exact(replayed, books, seconds=1)
    again = reconciled(replayed)
    assert (again["verdict"], again["digest"]) == ("clean", report["digest"])
    assert again["totals"] == report["totals"]
