"""Engines and houses. A test that takes `house` or `engine` runs on every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import boto3
import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws

from ledger.embedded import local_session
from ledger.embedded.engine import Engine
from ledger.write import accounts, bulk
from tests.support.command import Folio
from tests.support.house import House
from tests.support.moto_limits import CANNOT

NewHouse = Callable[..., House]

# The same examples at every run. `--hypothesis-profile=explore` looks further, and prints how to
# come back to what it finds.
UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile(
    "folio", derandomize=True, deadline=None, suppress_health_check=UNCHECKED, max_examples=15
)
settings.register_profile(
    "explore", settings.get_profile("folio"), derandomize=False, print_blob=True, max_examples=500
)
settings.load_profile("folio")


@dataclass(frozen=True)
class Where:
    """An engine that is running: how to reach it."""

    name: str
    session: boto3.Session
    endpoint_url: str | None


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[Engine]:
    """One DynamoDB Local for all tests; each has tables of its own."""
    with Engine(None) as engine:
        yield engine


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all tests: each new one reads botocore's descriptions of the services again."""
    return local_session()


@pytest.fixture(params=["dynamodb-local", "moto"])
def engine(request: pytest.FixtureRequest, session: boto3.Session) -> Iterator[Where]:
    """Each engine in turn."""
    if request.param == "moto":
        with mock_aws():
            yield Where("moto", session, None)
    else:
        local: Engine = request.getfixturevalue("dynamodb_local")
        yield Where("dynamodb-local", session, local.endpoint_url)


@pytest.fixture
def new_house(engine: Where) -> NewHouse:
    """Makes houses: `new_house(settling_seconds=0)`; further arguments as in `House`."""

    def make(**arguments: object) -> House:
        return House(engine.session, engine.endpoint_url, **arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture
def house(new_house: NewHouse) -> House:
    """A ledger with fresh tables, on a set clock."""
    return new_house()


@pytest.fixture
def bare_folio(
    dynamodb_local: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Folio:
    """The `folio` command on an engine, without tables."""
    return Folio(dynamodb_local.endpoint_url, monkeypatch, capsys)


@pytest.fixture
def folio(bare_folio: Folio) -> Folio:
    """The `folio` command, on fresh tables."""
    assert bare_folio("init").code == 0
    return bare_folio


@pytest.fixture
def warm(house: House) -> House:
    """A house that knows the accounts `user:42` and `world:card`."""
    for account in ("user:42", "world:card"):
        house.ledger.open_account(account)
    house.faults.heal()
    return house


@pytest.fixture
def small_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of twelve items, four two-legged transactions, so that few make several calls of `post_many`."""
    monkeypatch.setattr(bulk, "MAX_ITEMS", 12)
    monkeypatch.setattr(accounts, "MAX_ITEMS", 12)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what moto cannot honour: the table with the reasons is `support/moto_limits.py`."""
    items[:] = [item for item in items if not _moto_cannot(item)]


def _moto_cannot(item: pytest.Item) -> bool:
    on_moto = "moto" in getattr(getattr(item, "callspec", None), "params", {}).values()
    return on_moto and item.nodeid.split("[")[0].removeprefix("tests/") in CANNOT
