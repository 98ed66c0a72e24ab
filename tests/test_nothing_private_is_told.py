"""Metadata, descriptions and images of items reach no log line, metric, event or error, whatever goes wrong."""

from __future__ import annotations

import base64
import importlib
import json
import pkgutil
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_settings import BaseSettings

import ledger
import projector
from ledger import LedgerError
from ledger.aws import translate
from ledger.items import entry_item
from projector.handler import handler
from projector.record import from_lambda, meaning
from projector.wire import to_wire
from tests.support.bus import Events
from tests.support.examples import many
from tests.support.faults import EVERY_FAULT, Fault, Killed
from tests.support.functions import Context, works_with
from tests.support.house import House
from tests.support.lines import caught
from tests.support.samples import deposit
from tests.support.stage import entry, record, signed_by_fingerprint

secrets = st.text("abcdefgh0123456789", min_size=24, max_size=32).map(lambda text: f"secret-{text}")
ATTRIBUTES = [*sorted(entry_item(entry("a", -1, 1)).keys() - {"PK", "SK"}), "counterparties", "new"]


def shapes(secret: str) -> list[dict[str, Any]]:
    """A value of DynamoDB with the secret somewhere in it, of the kind that is expected or another."""
    coded = base64.b64encode(secret.encode()).decode()
    return [
        {"S": secret},
        {"N": secret},
        {"B": coded},
        {"B": f"!{secret}"},
        {"BS": [coded]},
        {"L": [{"S": secret}]},
        {"M": {secret: {"S": secret}}},
        {"SS": [secret]},
        {secret: secret},
    ]


def everything(error: BaseException | None) -> str:
    """What an error says, and those that led to it."""
    text = ""
    while error is not None:
        text += f"{error} {error!r} "
        error = error.__cause__
    return text


@given(data=st.data(), secret=secrets)
def test_nothing_private_of_a_record_is_told(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: st.DataObject,
    secret: str,
) -> None:
    """By property: good records and poison of any shape, with a bus, through any fault of DynamoDB's."""
    port = Events()
    works_with(monkeypatch, house.runtime, port.bus())
    events = []
    for number in range(data.draw(st.integers(1, 4))):
        told = replace(entry("a", -number - 1, 5, number=number), description=secret)
        item = entry_item(signed_by_fingerprint(told))
        item["metadata"] = {"S": json.dumps({"card": secret})}
        name = data.draw(st.sampled_from(["INSERT", "INSERT", "MODIFY", "REMOVE"]))
        raw = to_wire(record(item, old=item if name != "INSERT" else None, name=name))  # type: ignore[arg-type]
        for attribute in data.draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=2)):
            raw["dynamodb"]["NewImage"][attribute] = data.draw(st.sampled_from(shapes(secret)))
        events.append(raw)
    fault: Fault = data.draw(st.sampled_from(["none", *EVERY_FAULT]))
    house.faults.always(data.draw(st.sampled_from(["update_item", "put_item"])), fault)
    raised: BaseException | None = None
    capsys.readouterr()
    with caught("DEBUG") as lines:
        try:
            answer = handler({"Records": events}, Context())
        except (Exception, Killed) as error:  # noqa: BLE001  # what it says is what is looked at
            raised, answer = error, {}
    house.faults.heal()
    said = [lines.text, capsys.readouterr().out, json.dumps(answer), str(port.calls)]
    assert lines.all() or isinstance(raised, Killed)
    assert secret not in "".join(said) + everything(raised)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_no_reason_repeats_what_stands_in_an_attribute(attribute: str) -> None:
    """Whatever stands there, of whatever kind: the reason is kept, logged and shown."""
    for shape in shapes("a-secret"):
        raw = to_wire(record(entry_item(entry("a", -1, 5))))
        raw["dynamodb"]["NewImage"][attribute] = shape
        try:
            told = getattr(meaning(from_lambda(raw)), "reason", "")
        except (ValueError, LedgerError) as error:
            told = everything(error)
        assert "a-secret" not in told


@many
@given(secret=secrets)
def test_botocores_own_errors_do_not_repeat_what_they_were_given(secret: str) -> None:
    """Its validation names the value that it refuses; the class is enough."""
    told = translate(
        ParamValidationError(report=f"Invalid type for parameter Item, value: {secret}")
    )
    assert isinstance(told, LedgerError)
    assert "ParamValidationError" in str(told)
    assert secret not in str(told)


def test_an_item_that_comes_back_with_a_refusal_is_not_told(house: House) -> None:
    """DynamoDB sends what stands there: it is for deciding, and no part of any message."""
    stands = {"description": {"S": "a-secret"}}
    refused: Any = {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": stands}
    assert "a-secret" not in repr(translate(ClientError(refused, "PutItem")))
    cancelled: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "[ConditionalCheckFailed]"},
        "CancellationReasons": [{"Code": "ConditionalCheckFailed", "Item": stands}],
    }
    assert "a-secret" not in repr(translate(ClientError(cancelled, "TransactWriteItems")))


def test_26_a_payments_secrets_stay_out_of_every_line_to_the_view(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the write to the projection, and when the log is changed behind the ledger's back."""
    port = Events()
    works_with(monkeypatch, house.runtime, port.bus())
    with caught("DEBUG") as lines:
        house.ledger.post(
            deposit(), type="deposit", description="a-secret", metadata={"card": "a-secret"}
        )
        raws = [to_wire(one) for one in house.new_records()]
        handler({"Records": raws}, Context())
        for raw in raws:
            raw["eventName"] = "REMOVE"
            raw["dynamodb"]["OldImage"] = raw["dynamodb"].pop("NewImage")
        handler({"Records": raws}, Context())
    assert lines.all("tampering")
    assert lines.all("transaction posted")
    assert "a-secret" not in lines.text + capsys.readouterr().out + str(port.calls)


def test_every_model_hides_what_it_was_given() -> None:
    """pydantic repeats the input in its errors, unless it is told not to."""
    for package in (ledger, projector):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    ours = [
        model
        for model in (*BaseModel.__subclasses__(), *BaseSettings.__subclasses__())
        if model.__module__.startswith(("ledger.", "projector."))
    ]
    assert len(ours) >= 4
    assert [m for m in ours if not m.model_config.get("hide_input_in_errors")] == []
