"""One LocalStack for all tests of the whole system, with the stack that its init hook deployed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from folio_localstack import LocalStack
from folio_localstack.package import package

from tests.stack.support.deployed import Deployed
from tests.stack.support.functions import Functions

NUMBERS = itertools.count(1)
SOON = {"GraceSeconds": "2", "SettlingSeconds": "1"}
"""Parameters other than the template's defaults: tests do not wait for minutes."""


def _say(step: str) -> None:
    """The tests' own output is enough; its log is kept in .localstack/."""


@pytest.fixture(scope="session")
def zip_() -> Path:
    """The functions' code, as it is packaged for a stack."""
    return package(_say)


@pytest.fixture(scope="session")
def localstack(zip_: Path) -> Iterator[LocalStack]:
    """LocalStack on a free port. One that cannot start is a failure."""
    with LocalStack(0, zip_, SOON) as running:
        yield running


@pytest.fixture(scope="session")
def deployed(localstack: LocalStack) -> Deployed:
    """The stack `folio`, which the init hook deployed. All tests share it: use accounts of your own."""
    return Deployed(localstack.endpoint_url)


@pytest.fixture
def account() -> str:
    """An account that no other test knows."""
    return f"user:{next(NUMBERS)}"


@pytest.fixture
def functions(deployed: Deployed) -> Iterator[Functions]:
    """Makes small functions, of one test."""
    made = Functions(deployed)
    yield made
    made.remove()
