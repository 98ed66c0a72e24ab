"""Three commands put a stack up, keep it up to date and say how it is; and they lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folio_localstack import LocalStack

from ledger import Money
from ledger.stack.existing import TABLES
from tests.stack.support.deployed import Deployed
from tests.stack.support.stacks import run
from tests.support.command import Said

NAME = "books"
BALANCES = {"user:anna": 1250, "user:ben": 300, "world:card": -1550}


Stack = Callable[..., Said]


@pytest.fixture(scope="module")
def books(localstack: LocalStack) -> Deployed:
    """The stack `books`; nothing of it is there before the first test."""
    return Deployed(localstack.endpoint_url, NAME)


@pytest.fixture(scope="module")
def stack(books: Deployed) -> Stack:
    """`folio stack …` as a script runs it: no terminal, AWS's variables alone."""

    def run_stack(command: str, *arguments: str) -> Said:
        return run(books, "stack", command, *arguments)

    return run_stack


@pytest.fixture(scope="module")
def deploy(stack: Stack, zip_: Path) -> Stack:
    """`folio stack deploy` of the stack, with `--json`."""

    def run(*arguments: str, package: bool = True) -> Said:
        given = ("--package", str(zip_)) if package else ()
        return stack("deploy", "--name", NAME, *given, *arguments, "--json")

    return run


@pytest.fixture(scope="module")
def created(deploy: Stack, books: Deployed) -> Any:
    """The stack deployed for the first time, and some money moved through stream and Lambda."""
    # Tests do not wait for minutes, and delete what they made.
    soon = ("--parameter", "GraceSeconds=2", "--parameter", "SettlingSeconds=1")
    mine = ("--parameter", "Architecture=x86_64", "--parameter", "DeletionProtection=false")
    said = deploy(*soon, *mine, "--tag", "team=money", "--yes")
    assert said.code == 0, said.out + said.err
    for account, amount in (("user:anna", 1250), ("user:ben", 300)):
        books.ledger.transfer(
            source="world:card", destination=account, money=Money(amount, "EUR"), type="deposit"
        )
    books.wait_for_balances(BALANCES)
    return said.json


def stands(books: Deployed) -> bool:
    cloudformation = books.client("cloudformation")
    pages = cloudformation.get_paginator("list_stacks").paginate()
    standing = [s for page in pages for s in page["StackSummaries"] if s["StackName"] == books.name]
    return any(s["StackStatus"] != "DELETE_COMPLETE" for s in standing)


def test_nothing_is_applied_without_consent(deploy: Stack, books: Deployed) -> None:
    """Without a terminal and without --yes the changes are shown, and no stack is left behind."""
    said = deploy("--parameter", "Architecture=x86_64", package=False)
    assert said.code == 1, said.out + said.err
    assert not said.json["applied"]
    assert {
        "action": "Add",
        "logical_id": "EventsTable",
        "type": "AWS::DynamoDB::Table",
        "replacement": "",
    } in (said.json["changes"])
    assert not stands(books)


def test_a_package_for_another_architecture_is_refused(deploy: Stack, books: Deployed) -> None:
    """The template's default is arm64, and this one is for x86_64: nothing is made."""
    said = deploy("--yes")
    assert said.code == 2
    assert "made for x86_64, and the stack's Architecture is arm64" in said.json["error"]["message"]
    assert not stands(books)


def test_a_deployment_ends_in_settings_and_a_verdict(created: Any, books: Deployed) -> None:
    """The printed settings are those that the ledger above was used with; the reconciler has run."""
    assert created["status"] == "CREATE_COMPLETE"
    assert created["settings"] == books.variables
    assert created["settings"]["LEDGER_EVENTS_TABLE"] == "books-events"
    assert created["reconciliation"]["verdict"] == "clean"


def test_the_code_lies_in_a_private_bucket(created: Any, books: Deployed) -> None:
    """Encrypted, versioned, closed to the public; the key says what the code is."""
    s3, bucket = books.client("s3"), "folio-code-000000000000-us-east-1"
    (found,) = books.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}
    assert given["CodeBucket"] == bucket
    assert "-x86_64-python3.13-" in given["CodeKey"]
    assert s3.head_object(Bucket=bucket, Key=given["CodeKey"])["ContentLength"] > 1_000_000
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(closed.values())


def test_the_same_again_changes_nothing(created: Any, deploy: Stack) -> None:
    """No parameter has to be given twice, and the same code has the same key."""
    said = deploy("--yes")
    assert said.code == 0, said.out + said.err
    assert (said.json["applied"], said.json["changes"]) == (False, [])
    assert said.json["settings"] == created["settings"]


def test_an_update_changes_what_was_given_alone(
    created: Any, deploy: Stack, books: Deployed
) -> None:
    """Other parameters stay as they were, and so do the balances."""
    said = deploy("--parameter", "ProjectorMemory=512", "--yes")
    assert said.code == 0, said.out + said.err
    assert [one["logical_id"] for one in said.json["changes"]] == ["ProjectorFunction"]
    assert said.json["reconciliation"] == {
        "verdict": "clean",
        "accounts": 3,
        "entries": 4,
        "in_flight": 0,
    }
    found = books.client("lambda").get_function_configuration(FunctionName="books-projector")
    assert (found["MemorySize"], found["Architectures"]) == (512, ["x86_64"])
    books.wait_for_balances(BALANCES)


def test_tables_are_not_taken_out_of_the_stack(
    created: Any, deploy: Stack, books: Deployed
) -> None:
    """They are its own already: to take them over as others' is refused, and the stack stays as it is."""
    said = deploy("--existing-tables", "--yes")
    assert said.code == 2
    assert "the tables are the stack books's own already" in said.json["error"]["message"]
    assert stands(books)
    assert deploy("--yes").json["changes"] == []


def test_a_running_stack_says_how_it_is(created: Any, stack: Stack) -> None:
    """Each part by itself; what is not known is said to be unknown."""
    said = stack("status", "--name", NAME, "--json")
    parts = {one["part"]: one for one in said.json["parts"]}
    for name in ("stack", "projector", "reconciler", "mapping", "reconciliation", "quarantine"):
        assert parts[name]["state"] == "well", parts[name]
    assert parts["projector"]["facts"]["architecture"] == "x86_64"
    assert parts["reconciliation"]["facts"]["verdict"] == "clean"
    assert parts["lag"]["state"] in {"unknown", "well"}
    assert said.code == (1 if said.json["wrong"] else 0)


def test_a_mapping_that_is_off_is_wrong(created: Any, stack: Stack, books: Deployed) -> None:
    """A stream that nobody reads ends with exit code 1."""
    client, uuid = books.client("lambda"), books.outputs["ProjectorMapping"]
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        said = stack("status", "--name", NAME, "--json")
    finally:
        client.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert said.code == 1
    assert "mapping" in said.json["wrong"]


def test_a_stack_that_is_not_there_is_named(stack: Stack) -> None:
    """With the region, which may be the wrong one."""
    said = stack("status", "--name", "nobody", "--json")
    assert said.code == 1
    assert "there is no stack nobody in us-east-1" in said.json["error"]["message"]


def test_a_failed_deployment_names_the_first_cause(stack: Stack, zip_: Path) -> None:
    """A schedule that EventBridge refuses: exit code 1, and the stack never came up."""
    wrong = ("--parameter", "ReconcileSchedule=rate(1 lightyear)")
    mine = ("--name", "broken", "--package", str(zip_), "--parameter", "Architecture=x86_64")
    said = stack("deploy", *mine, *wrong, "--yes", "--json")
    assert said.code == 1
    message = said.json["error"]["message"]
    assert "broken ended ROLLBACK_COMPLETE: ReconcilerSchedule (AWS::Events::Rule)" in message
    assert "ScheduleExpression is not valid" in message
    assert "stack" in stack("status", "--name", "broken", "--json").json["wrong"]


def test_a_stack_that_was_deleted_loses_nothing(
    created: Any, deploy: Stack, books: Deployed
) -> None:
    """The tables outlive it, are not overwritten by a new one, and are taken over when asked for."""
    cloudformation = books.client("cloudformation")
    cloudformation.delete_stack(StackName=NAME)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    # When a new stack would make tables that are there, it is refused
    mine = ("--parameter", "Architecture=x86_64", "--parameter", "GraceSeconds=2", "--yes")
    said = deploy(*mine)
    assert said.code == 2
    assert "books-events" in said.json["error"]["message"]
    # and when it takes them over
    said = deploy(*mine, "--existing-tables")
    assert said.code == 0, said.out + said.err
    made = {one["type"] for one in said.json["changes"]}
    assert "AWS::DynamoDB::Table" not in made
    # Then the balances are those of before, the stream is read from its beginning, and new money moves
    assert said.json["reconciliation"] == {
        "verdict": "clean",
        "accounts": 3,
        "entries": 4,
        "in_flight": 0,
    }
    again = Deployed(books.endpoint_url, NAME)
    again.wait_for_balances(BALANCES)
    again.ledger.transfer(
        source="world:card", destination="user:ben", money=Money(50, "EUR"), type="deposit"
    )
    again.wait_for_balances(BALANCES | {"user:ben": 350, "world:card": -1600})
    assert {again.outputs[f"{table.title()}Table"] for table in TABLES} == {
        f"books-{table}" for table in TABLES
    }
