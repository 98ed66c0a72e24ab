"""Each role of the stack may do all that its part does, and nothing on a table that its part never does.

What a part does is not listed here but recorded: each runs on an engine, and every call that it
makes is held against the statements of the template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from ledger.aws import policy
from ledger.embedded.engine import Engine
from tests.support import faults
from tests.support.house import House
from tests.support.iam import PARTIQL_WRITES, WRITES, Need, allowed, allows, denies, needs, table
from tests.support.parts import PARTS
from tests.support.stack import Stack, document
from tests.support.stage import small_caps

NAME = "folio"
STREAM = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}
"""No calls of the store: Lambda polls with the projector's role, `folio projector run` reads by itself."""

STATES = {"describe_continuous_backups", "describe_table", "describe_time_to_live"}
"""Operations that ask how a table is, recorded here beside those on its items."""

Needs = Mapping[str, set[Need]]


@pytest.fixture(scope="module")
def used(dynamodb_local: Engine, session: boto3.Session) -> Needs:
    """Role or policy → the permissions that its part has really used, on tables named as the stack's."""
    found = {}
    for role, part in PARTS.items():
        with pytest.MonkeyPatch.context() as monkeypatch:
            small_caps(monkeypatch)
            monkeypatch.setattr(faults, "OPERATIONS", faults.OPERATIONS | STATES)
            house = House(session, dynamodb_local.endpoint_url, settling_seconds=0)
            house.faults.heal()
            part(house)
        prefix = house.settings.events_table.removesuffix("-events")
        found[role] = {
            Need(need.action, need.resource.replace(f"table/{prefix}-", f"table/{NAME}-"))
            for need in needs(house.faults.calls)
        }
    return found


def refused(stack: Stack, used: Needs) -> set[tuple[str, Need]]:
    """What a part does and its role may not."""
    return {
        (role, need)
        for role, wanted in used.items()
        for need in wanted
        if not allows(stack.statements(role), need)
    }


def needless(stack: Stack, used: Needs) -> set[tuple[str, Need]]:
    """What a role may do on a table and its part does not."""
    return {
        (role, need)
        for role, wanted in used.items()
        for need in allowed(stack.statements(role), "dynamodb")
        if need.action.removeprefix("dynamodb:") not in STREAM and not _is_used(need, wanted)
    }


def _is_used(need: Need, wanted: set[Need]) -> bool:
    """To the letter; but the state of all tables of the stack is one permission."""
    if need.action.startswith("dynamodb:Describe") and need.resource == table(f"{NAME}-*"):
        return any(one.action == need.action for one in wanted)
    return need in wanted


def changes(suffix: str, actions: tuple[str, ...] = (*WRITES, *PARTIQL_WRITES)) -> list[Need]:
    """Every way to change a table's items, or the `actions` among them."""
    return [Need(f"dynamodb:{action}", table(f"{NAME}-{suffix}")) for action in actions]


def test_every_call_is_allowed(used: Needs) -> None:
    """No part meets a permission that it lacks."""
    assert not refused(Stack(), used)


def test_nothing_else_is_allowed_on_a_table(used: Needs) -> None:
    """Every action that a policy names, on the table or index that it names, is one that was used."""
    assert not needless(Stack(), used)


@pytest.mark.parametrize("role", PARTS)
def test_each_statement_on_tables_is_needed(used: Needs, role: str) -> None:
    """Take one out, and a call is refused: the recorded calls cover the whole policy."""
    for sid in [one["Sid"] for one in Stack().statements(role) if _of_items(one)]:
        without = document()
        _statements(without, role)[:] = [
            one for one in _statements(without, role) if one.get("Sid") != sid
        ]
        assert refused(Stack(without), used), f"{role} without {sid}"


def _of_items(statement: Mapping[str, Any]) -> bool:
    actions = {one.removeprefix("dynamodb:") for one in statement["Action"]}
    return statement["Effect"] == "Allow" and not any(
        ":" in one or one in STREAM for one in actions
    )


def _statements(source: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """A role's statements as the template has them, to be changed in place."""
    properties = source["Resources"][role]["Properties"]
    own = properties["Policies"][0] if "Policies" in properties else properties
    found: list[dict[str, Any]] = own["PolicyDocument"]["Statement"]
    return found


@pytest.mark.parametrize("role", PARTS)
def test_a_needless_permission_is_noticed(used: Needs, role: str) -> None:
    """The check can fail: an action more, or a wildcard."""
    for action in ("dynamodb:DeleteItem", "dynamodb:*"):
        wider = document()
        extra = {"Effect": "Allow", "Action": [action], "Resource": table(f"{NAME}-balances")}
        _statements(wider, role).append(extra)
        assert needless(Stack(wider), used)


def test_fault_27_the_projector_cannot_write_its_own_source(used: Needs) -> None:
    """No action that writes is allowed on the log, and each is denied, whatever else a role is given."""
    statements = Stack().statements("ProjectorRole")
    for change in changes("events"):
        assert not allows(statements, change)
        assert denies(statements, change)
    assert not [one for one in used["ProjectorRole"] if one in changes("events")]


def test_a_writer_cannot_update_or_delete_an_event() -> None:
    """It puts. A put over an item that stands there IAM cannot tell from a first one."""
    statements = Stack().statements("WriterPolicy")
    (put,) = changes("events", ("PutItem",))
    for change in {*changes("events")} - {put}:
        assert denies(statements, change)
    assert allows(statements, put)


@pytest.mark.parametrize("suffix", ["events", "balances", "accounts", "idempotency", "quarantine"])
def test_the_reconciler_cannot_write_any_table(suffix: str) -> None:
    """Denied, not only not allowed."""
    for change in changes(suffix):
        assert denies(Stack().statements("ReconcilerRole"), change)


def test_people_on_duty_cannot_change_the_log() -> None:
    """They mend the view from it."""
    for change in changes("events"):
        assert denies(Stack().statements("OperatorPolicy"), change)


@pytest.mark.parametrize("role", ["WriterPolicy", "ReaderPolicy", "OperatorPolicy"])
def test_the_policy_that_an_error_names_allows_what_was_refused(used: Needs, role: str) -> None:
    """Who attaches it, as the message says, is not refused the same thing again."""
    for need in used[role]:
        named = policy(need.action, need.resource)
        assert allows(Stack().statements(named), need), f"{named} for {need}"


@pytest.mark.parametrize("role", PARTS)
def test_without_a_key_of_ones_own_nobody_is_given_keys(role: str) -> None:
    """With one, it can be used by way of DynamoDB and S3 alone."""
    assert not allowed(Stack().statements(role), "kms")
    (key,) = [one for one in Stack(KmsKeyArn="k").statements(role) if one.get("Sid") == "Key"]
    assert key["Resource"] == "k"
    assert key["Condition"] == {"StringLike": {"kms:ViaService": ["dynamodb.*", "s3.*"]}}


@pytest.mark.parametrize("role", ["ProjectorRole", "OperatorPolicy"])
def test_the_bus_is_published_to_only_where_there_is_one(role: str) -> None:
    """And to that bus alone."""
    assert not allowed(Stack().statements(role), "events")
    (publish,) = allowed(Stack(EventBus="payments").statements(role), "events")
    assert publish.action == "events:PutEvents"
    assert publish.resource.endswith(":event-bus/payments")


@pytest.mark.parametrize("role", PARTS)
def test_a_policy_is_no_longer_than_iam_takes(role: str) -> None:
    """6,144 characters for a managed policy, with the longest names and everything switched on."""
    full = Stack(Name="n" * 40, KmsKeyArn="k" * 80, EventBus="b" * 256, Tracing="true")
    assert len(json.dumps(full.statements(role), separators=(",", ":"))) < 5000
