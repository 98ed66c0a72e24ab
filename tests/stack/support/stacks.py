"""Stacks of a test's own, deployed as a user deploys them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from folio_localstack import LocalStack

from tests.stack.support.deployed import Deployed
from tests.support.command import Said

FOLIO = Path(sys.executable).with_name("folio")


def deploy(localstack: LocalStack, zip_: Path, name: str, **parameters: str) -> Deployed:
    """The stack of that name, with parameters that do not make a test wait."""
    soon = {"Architecture": "x86_64", "GraceSeconds": "2", "SettlingSeconds": "1"}
    deployed = Deployed(localstack.endpoint_url, name)
    given = [f"--parameter={key}={value}" for key, value in (soon | parameters).items()]
    folio(deployed, "stack", "deploy", "--name", name, "--package", str(zip_), *given, "--yes")
    return deployed


def folio(deployed: Deployed, *arguments: str, code: int = 0, own: bool = False) -> str:
    """What a command says, which is to end with that exit code; `own`: on the stack's own ledger."""
    said = run(deployed, *arguments, own=own)
    assert said.code == code, said.out + said.err
    return said.out


def run(deployed: Deployed, *arguments: str, own: bool = False) -> Said:
    """Run a command as a script does: no terminal, AWS's variables alone; with `own` the outputs' too."""
    done = subprocess.run(
        [FOLIO, *arguments],
        env=os.environ | deployed.environment | (deployed.variables if own else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Said(done.returncode, done.stdout, done.stderr)
