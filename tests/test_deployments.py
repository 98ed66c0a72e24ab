"""A bad deployment says what is wrong with it: permissions, region, tables, streams, a second reader."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ledger import Ledger, Misconfigured, Settings, connect, control
from ledger.aws import policy, translate
from ledger.cli.session import Session
from ledger.embedded import local_session
from ledger.read.accounts import names
from projector.poller import stream_arn
from tests.support.command import Folio
from tests.support.house import House

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/folio-events"
UUID = "00000000-0000-0000-0000-00000000000{}"
ROLE = "arn:aws:sts::123456789012:assumed-role/pay/i-1"


def denied(action: str, resource: str, code: str = "AccessDeniedException") -> ClientError:
    """What AWS answers without a permission."""
    message = (
        f"User: {ROLE} is not authorized to perform: {action} on resource: {resource} because no "
        f"identity-based policy allows the {action} action"
    )
    answer: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError(answer, action.partition(":")[2])


@pytest.mark.parametrize(
    ("action", "table", "wanted"),
    [
        ("dynamodb:PutItem", "folio-events", "WriterPolicy"),
        ("dynamodb:PutItem", "folio-balances", "OperatorPolicy"),
        ("dynamodb:UpdateItem", "folio-balances", "OperatorPolicy"),
        ("dynamodb:DeleteItem", "folio-quarantine", "OperatorPolicy"),
        ("dynamodb:Query", "folio-events", "ReaderPolicy"),
        ("dynamodb:BatchGetItem", "folio-accounts/index/listing", "ReaderPolicy"),
        ("lambda:ListEventSourceMappings", "*", "OperatorPolicy"),
    ],
)
def test_a_missing_permission_names_action_resource_and_policy(
    action: str, table: str, wanted: str
) -> None:
    """The three things that whoever grants it has to know."""
    resource = TABLE.replace("folio-events", table)
    meant = translate(denied(action, resource))
    assert isinstance(meant, Misconfigured)
    assert f"no permission for {action} on {resource}:" in str(meant)
    assert wanted in str(meant)
    assert policy(action, resource) == wanted


def test_no_policy_is_offered_for_changing_the_log() -> None:
    """The drill after a restore brings a role of its own."""
    told = str(translate(denied("dynamodb:DeleteItem", TABLE)))
    assert "the drill after a restore" in told
    assert "Policy to" not in told


def test_a_transaction_that_is_cancelled_for_a_permission_says_so_too() -> None:
    """DynamoDB may give it as the reason of one item."""
    reasons = [
        {"Code": "None"},
        {"Code": "AccessDenied", "Message": str(denied("dynamodb:PutItem", TABLE))},
    ]
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": reasons,
    }
    meant = translate(ClientError(answer, "TransactWriteItems"))
    assert isinstance(meant, Misconfigured)
    assert "WriterPolicy" in str(meant)


def test_a_table_that_is_not_there_is_named_with_region_and_endpoint(house: House) -> None:
    """The wrong region looks like a missing table: so the message says where it was looked for."""
    client, settings = house.faults, house.settings.model_copy(update={"events_table": "nowhere"})
    ledger = Ledger(house.new_runtime(events_table="nowhere"))
    with pytest.raises(Misconfigured) as told:
        ledger.entries("user:1", currency="EUR")
    for said in (settings.events_table, client.meta.region_name, client.meta.endpoint_url):
        assert said in str(told.value)
    assert all(said in str(told.value) for said in ("LEDGER_EVENTS_TABLE", "--region"))
    with pytest.raises(Misconfigured, match="nowhere"):
        control.table(client, "nowhere")


def test_each_table_of_a_transaction_is_named(house: House) -> None:
    """DynamoDB does not say which of them it lacks."""
    ledger = Ledger(house.new_runtime(idempotency_table="no-keys"))
    with pytest.raises(Misconfigured, match="no-keys"):
        ledger.transfer(
            source="a",
            destination="b",
            money=ledger.money("1", "EUR"),
            type="t",
            idempotency_key="k",
        )


def test_a_table_of_an_older_version_is_misconfigured_and_not_a_wrong_call(house: House) -> None:
    """An index that is missing, keys that differ: `folio health` says what."""
    old = house.new_runtime(accounts_table=house.settings.events_table)
    with pytest.raises(Misconfigured, match="folio health"):
        list(names(old, "", "", 10))
    other_keys = house.new_runtime(idempotency_table=house.settings.events_table)
    with pytest.raises(Misconfigured, match="folio health"):
        Ledger(other_keys).transaction_by_key("k")


def test_a_stream_that_is_off_is_told_though_its_arn_is_still_there(house: House) -> None:
    """DynamoDB goes on naming the last stream of a table that has none."""
    client, table = house.faults, house.settings.events_table
    client.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    with pytest.raises(Misconfigured, match="no stream, or it is off"):
        stream_arn(client, table)
    description = {"TableName": "folio-events", "LatestStreamArn": "arn:x"}
    off = {"StreamSpecification": {"StreamEnabled": False}}
    assert "is off" in str(control.stream_fault(description | off))


def test_a_stream_of_the_wrong_view_type_is_told() -> None:
    """Without old images nobody sees what tampering did."""
    spec = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    description = {"TableName": "t", "LatestStreamArn": "arn:x", "StreamSpecification": spec}
    with pytest.raises(Misconfigured, match=r"KEYS_ONLY.*NEW_AND_OLD_IMAGES"):
        control.stream_arn(description)
    spec["StreamViewType"] = "NEW_AND_OLD_IMAGES"
    assert control.stream_arn(description) == "arn:x"


def lambda_with(monkeypatch: pytest.MonkeyPatch, *states: str, refused: str = "") -> None:
    """A Lambda API whose answer is given, checked by botocore's own description of it."""
    client = connect.client("lambda", Settings(), local_session(), "http://localhost:1")
    stub = Stubber(client)
    if refused:
        stub.add_client_error("list_event_source_mappings", refused, http_status_code=403)
    for place, state in enumerate(states):
        reply: dict[str, Any] = {
            "EventSourceMappings": [
                {"UUID": UUID.format(place), "State": state, "FunctionArn": "arn:aws:lambda:f"}
            ]
        }
        if place < len(states) - 1:
            reply["NextMarker"] = "more"
        stub.add_response("list_event_source_mappings", reply)
    stub.activate()
    own = Session.client

    def clients(self: Session, service: str, settings: Settings) -> Any:
        return client if service == "lambda" else own(self, service, settings)

    monkeypatch.setattr(Session, "client", clients)


def run_a_moment(folio: Folio, *arguments: str) -> Any:
    """`folio projector run`, told to stop a second later."""
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        return folio("projector", "run", *arguments)
    finally:
        timer.cancel()


@pytest.fixture
def survives_sigterm() -> Any:
    """A SIGTERM that comes when the command has ended already ends nothing."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_poller_beside_the_lambda_is_refused(
    folio: Folio, monkeypatch: pytest.MonkeyPatch, survives_sigterm: None
) -> None:
    """An enabled mapping on any page of Lambda's answer is one: the refusal names it, and why."""
    lambda_with(monkeypatch, "Disabled", "Enabled")
    said = run_a_moment(folio)
    assert said.code == 1
    assert all(word in said.err for word in (UUID.format(1), "two readers", "--beside-lambda"))


def test_a_poller_beside_the_lambda_runs_when_it_is_asked_for(
    folio: Folio, monkeypatch: pytest.MonkeyPatch, survives_sigterm: None
) -> None:
    """With the flag Lambda is not even asked."""
    lambda_with(monkeypatch)
    assert run_a_moment(folio, "--beside-lambda").code == 0


def test_a_mapping_that_is_off_keeps_no_poller_from_running(
    folio: Folio, monkeypatch: pytest.MonkeyPatch, survives_sigterm: None
) -> None:
    """It reads nothing."""
    lambda_with(monkeypatch, "Disabled")
    assert run_a_moment(folio).code == 0


def test_where_lambda_cannot_be_asked_the_poller_says_so_and_runs(
    folio: Folio, monkeypatch: pytest.MonkeyPatch, survives_sigterm: None
) -> None:
    """No permission, or an engine without Lambda."""
    lambda_with(monkeypatch, refused="AccessDeniedException")
    said = run_a_moment(folio)
    assert said.code == 0
    assert "cannot ask Lambda" in said.err
