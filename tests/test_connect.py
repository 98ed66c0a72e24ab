"""A ledger is connected by settings and a session, sends nothing by that, and makes tables on engines only."""

from __future__ import annotations

import socket
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ledger import Ledger, Misconfigured, Settings, Unavailable, connect, credit
from ledger.embedded import local_session
from ledger.engine_tables import create_tables
from ledger.items import EXPIRES_AT
from ledger.money import Money
from tests.support.house import House
from tests.support.unplugged import shown


def test_the_client_makes_one_attempt_a_call() -> None:
    """The store sees every attempt, or it could not tell "nothing was written" from "unknown"."""
    settings = Settings(read_timeout_seconds=3, connect_timeout_seconds=1, pool_connections=7)
    config = connect.client("dynamodb", settings, local_session()).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.read_timeout, config.connect_timeout) == (3, 1)
    assert config.max_pool_connections == 7


def test_a_ledger_takes_the_callers_session() -> None:
    """The session's region is the origin of entries unless the settings name another."""
    session = local_session()
    assert Ledger.connect(Settings(), session).runtime.region == "us-east-1"
    assert Ledger.connect(Settings(region="eu-west-1"), session).runtime.region == "eu-west-1"


def test_awss_own_variable_names_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL_DYNAMODB counts where no endpoint is passed, and an argument wins."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:1234")
    ledger = Ledger.connect(Settings(), local_session())
    assert ledger.runtime.store.client.meta.endpoint_url == "http://localhost:1234"
    ledger = Ledger.connect(Settings(), local_session(), endpoint_url="http://localhost:5678")
    assert ledger.runtime.store.client.meta.endpoint_url == "http://localhost:5678"


def test_settings_come_from_the_environment_when_none_are_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`Ledger.connect()` reads the variables then and there."""
    monkeypatch.setenv("LEDGER_EVENTS_TABLE", "prod-events")
    assert Ledger.connect(session=local_session()).runtime.settings.events_table == "prod-events"


def test_a_session_without_a_region_is_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's own error becomes ours, with what it says."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(Misconfigured, match="region"):
        Ledger.connect(Settings(), boto3.Session())


def test_an_endpoint_that_is_none_is_misconfigured() -> None:
    """An address that is no URL is named as such."""
    with pytest.raises(Misconfigured, match="endpoint"):
        Ledger.connect(Settings(), local_session(), endpoint_url="not an address")


AWS = [
    "https://dynamodb.eu-west-1.amazonaws.com",
    "https://dynamodb.eu-west-1.amazonaws.com.",
    "https://DYNAMODB.EU-WEST-1.AMAZONAWS.COM:443/",
    "https://dynamodb-fips.us-gov-west-1.amazonaws.com",
    "https://123456789012.ddb.us-east-1.amazonaws.com",
    "https://vpce-1-2.dynamodb.us-east-1.vpce.amazonaws.com",
    "https://dynamodb.us-east-1.api.aws",
    "https://dynamodb.cn-north-1.amazonaws.com.cn",
    "https://dynamodb.eusc-de-east-1.amazonaws.eu",
    "https://dynamodb.us-iso-east-1.c2s.ic.gov",
    "https://dynamodb.us-isob-east-1.sc2s.sgov.gov",
]


@pytest.mark.parametrize("endpoint_url", AWS, ids=shown)
def test_create_tables_refuses_aws(endpoint_url: str) -> None:
    """On AWS the stack makes the tables, with backups and alarms: nothing is sent."""
    ledger = Ledger.connect(Settings(), local_session(), endpoint_url=endpoint_url)
    with pytest.raises(Misconfigured, match="deploy the stack"):
        ledger.create_tables()


def test_create_tables_can_be_called_again(house: House) -> None:
    """Tables that are there stay, with what they hold."""
    house.ledger.append(credit("user:42", Money(100, "EUR")), type="deposit")
    before = house.items("events")
    house.ledger.create_tables()
    assert house.items("events") == before


def test_the_tables_are_as_the_design_says(house: House) -> None:
    """The log has a stream of both images, and the keys expire by their attribute."""
    client, settings = house.faults, house.settings
    events = client.describe_table(TableName=settings.events_table)["Table"]
    assert events["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    ttl = client.describe_time_to_live(TableName=settings.idempotency_table)
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    assert ttl["TimeToLiveDescription"]["AttributeName"] == EXPIRES_AT
    for table in (settings.balances_table, settings.accounts_table, settings.quarantine_table):
        found = client.describe_table(TableName=table)["Table"]
        assert [key["AttributeName"] for key in found["KeySchema"]] == ["PK", "SK"]
        assert "StreamSpecification" not in found


class Slow:
    """A client whose tables take a while to be there."""

    def __init__(self, client: Any) -> None:
        self.meta, self.exceptions = client.meta, client.exceptions
        self.describe_time_to_live = client.describe_time_to_live
        self.waited: list[str] = []

    def create_table(self, **_: Any) -> Any:
        """As AWS answers, and engines do not."""
        return {"TableDescription": {"TableStatus": "CREATING"}}

    def get_waiter(self, _name: str) -> Any:
        """A waiter that is done at once."""
        return self

    def wait(self, **parameters: Any) -> None:
        """Note what was waited for."""
        self.waited.append(parameters["TableName"])


def test_a_table_that_is_still_being_made_is_waited_for(house: House) -> None:
    """`create_tables` returns when the tables can be used."""
    slow = Slow(house.faults)
    create_tables(slow, house.settings)
    assert len(slow.waited) == 5


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_an_engine_that_does_not_run_is_unavailable() -> None:
    """Nobody listens: `create_tables` and a write say so, as an error that can be retried."""
    endpoint_url = f"http://127.0.0.1:{closed_port()}"
    settings = Settings(attempts=2, backoff_seconds=0)
    ledger = Ledger.connect(settings, local_session(), endpoint_url=endpoint_url)
    with pytest.raises(Unavailable, match="is it running"):
        ledger.create_tables()
    with pytest.raises(Unavailable, match="nothing was written"):
        ledger.append(credit("user:42", Money(100, "EUR")), type="deposit")


class Refusing:
    """A client whose every operation is denied."""

    def __init__(self, client: Any) -> None:
        self.meta, self.exceptions = client.meta, client.exceptions

    def create_table(self, **_: Any) -> Any:
        """As AWS answers who may not."""
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "CreateTable"
        )


def test_create_tables_without_permission_is_misconfigured() -> None:
    """The operator is called, with the operation and the code."""
    client = connect.client("dynamodb", Settings(), local_session(), "http://localhost:1")
    with pytest.raises(Misconfigured, match="CreateTable: AccessDeniedException"):
        create_tables(Refusing(client), Settings())
