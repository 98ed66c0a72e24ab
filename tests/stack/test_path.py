"""A post ends in a balance, by way of stream and Lambda, on the stack that the init hook deployed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from folio_localstack import LocalStack
from folio_localstack.folders import READY_HOOKS, REPOSITORY

from ledger import Money
from tests.stack.support.deployed import Deployed
from tests.stack.support.stacks import folio
from tests.stack.support.waiting import eventually


def answer(deployed: Deployed, *arguments: str) -> Any:
    """What the command answers, by the variables that `make localstack` prints."""
    return json.loads(folio(deployed, *arguments, "--json", own=True))


def test_the_command_line(deployed: Deployed, account: str) -> None:
    """`folio post` and `folio balance --view` need what is exported, and nothing else."""
    # When a deposit is posted
    deposit = ("--debit", "world:card", "12.50", "EUR", "--credit", account, "12.50", "EUR")
    answer(deployed, "post", *deposit, "--type", "deposit")
    # Then the view, which only the projector writes, comes to hold it
    eventually(
        lambda: answer(deployed, "balance", account, "EUR", "--view"),
        lambda found: found["posted"]["amount"] == "12.50",
    )


def test_the_library(deployed: Deployed, account: str) -> None:
    """What payment code posts, the projector applies, once for each transaction."""
    ledger = deployed.ledger
    # When payment code posts, and repeats a call
    for _ in range(2):
        ledger.transfer(
            source="world:card",
            destination=account,
            money=Money(1250, "EUR"),
            type="deposit",
            idempotency_key=f"deposit to {account}",
        )
    ledger.transfer(source=account, destination="shop:1", money=Money(990, "EUR"), type="purchase")
    # Then the view has both transactions
    deployed.wait_for_balances({account: 260})
    assert ledger.balance(account, "EUR", consistency="view").entry_count == 2


def test_the_health_check(deployed: Deployed) -> None:
    """The health check of docker-compose.yml calls a LocalStack healthy whose stack is deployed, and no other."""
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    *_, program = compose["services"]["localstack"]["healthcheck"]["test"]
    there = "http://127.0.0.1:4566"
    assert there in program
    states = [
        subprocess.run(
            [sys.executable, "-c", program.replace(there, url)],
            check=False,
            stderr=subprocess.DEVNULL,
        )
        for url in (deployed.endpoint_url, "http://127.0.0.1:9")
    ]
    assert [bool(state.returncode) for state in states] == [False, True]


def test_the_hook_run_again(deployed: Deployed, localstack: LocalStack, tmp_path: Path) -> None:
    """Run where the stack stands, the init hook changes nothing; where it cannot deploy, it fails and says why."""
    variables = localstack.hook | {"GATEWAY_LISTEN": f"127.0.0.1:{localstack.port}"}
    no_package = tmp_path / "package.zip"
    no_package.write_text("half a download")
    mapping = deployed.outputs["ProjectorMapping"]
    again, failed = [
        subprocess.run(
            [sys.executable, READY_HOOKS / "deploy.py"],
            env=os.environ | variables | more,
            capture_output=True,
            text=True,
            check=False,
        )
        for more in ({}, {"FOLIO_PACKAGE": str(no_package)})
    ]
    assert (again.returncode, failed.returncode) == (0, 1)
    assert f"folio: ProjectorMapping={mapping}\n" in again.stdout
    assert "File is not a zip file" in failed.stderr
