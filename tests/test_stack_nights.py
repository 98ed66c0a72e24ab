"""What the template of the nights promises: who may write where, what starts a night, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from ledger.reconcile.export.exports import ready
from ledger.stack import template
from tests.conftest import NewHouse
from tests.support.command import Folio
from tests.support.exports import Backups, Memory
from tests.support.iam import Need, allowed, allows, denies
from tests.support.stack import ACCOUNT, REGION, Stack

ROLE = "folio-ReconcilerRole-1"
KEEPER = f"arn:aws:iam::{ACCOUNT}:role/keeper"


def nights(**parameters: Any) -> Stack:
    """The stack beside the ledger's."""
    source = json.loads(json.dumps(cfn_yaml.loads(template.text(template.NIGHTS))))
    return Stack(source, ReconcilerRole=ROLE, **parameters)


@pytest.fixture
def stack() -> Stack:
    """With the defaults."""
    return nights()


def of_bucket(stack: Stack) -> list[dict[str, Any]]:
    """The statements of the bucket's policy."""
    found: list[dict[str, Any]] = stack.properties("NightsBucketPolicy")["PolicyDocument"][
        "Statement"
    ]
    return found


def test_the_template_is_sound() -> None:
    """By CloudFormation's own rules, and short enough to be sent as it is."""
    assert lint(template.text(template.NIGHTS), regions=[REGION, "us-east-1"]) == []
    assert len(template.text(template.NIGHTS).encode()) < template.MAX_BYTES


def test_it_is_of_the_ledgers_stack(stack: Stack) -> None:
    """The function, the tables and the role are those that the ledger's template makes."""
    ledger = Stack()
    function = ledger.properties("ReconcilerFunction")["FunctionName"]
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    for rule in ("NightRule", "ExportedRule"):
        assert [t["Arn"] for t in stack.properties(rule)["Targets"]] == [arn]
    assert ledger.outputs["ReconcilerRole"] == "<ReconcilerRole>"
    tables = {ledger.outputs["EventsTable"], ledger.outputs["BalancesTable"]}
    exports = {n.resource for n in allowed(stack.statements("NightsPolicy"), "dynamodb")}
    assert {resource.rpartition("/")[2] for resource in exports} == tables


def test_the_reconciler_still_writes_no_table(stack: Stack) -> None:
    """It may have tables exported, and that is all that it may do to them."""
    actions = {n.action for n in allowed(stack.statements("NightsPolicy"), "dynamodb")}
    assert actions == {
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:ExportTableToPointInTime",
    }


def test_the_reconciler_writes_exports_and_nights_and_removes_none(stack: Stack) -> None:
    """Nothing else of the bucket, and no other bucket."""
    statements = stack.statements("NightsPolicy")
    written = {n.resource for n in allowed(statements, "s3") if n.action == "s3:PutObject"}
    assert written == {"<NightsBucket.Arn>/exports/*", "<NightsBucket.Arn>/nights/*"}
    night = "<NightsBucket.Arn>/nights/2026-09-21T15:00:00Z.json"
    assert allows(statements, Need("s3:PutObject", night))
    assert denies(statements, Need("s3:DeleteObject", night))
    assert denies(statements, Need("s3:DeleteObjectVersion", night))


@pytest.mark.parametrize(("given", "others"), [({}, []), ({"KeeperArn": KEEPER}, [KEEPER])])
def test_nobody_else_keeps_a_night(given: dict[str, str], others: list[str]) -> None:
    """Whatever other policies allow: a writer's role cannot, unless it is named as the keeper."""
    tls, keeping = of_bucket(nights(**given))
    assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert (keeping["Effect"], keeping["Principal"]) == ("Deny", "*")
    assert set(keeping["Action"]) == {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"}
    assert keeping["Resource"] == "<NightsBucket.Arn>/nights/*"
    role = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    assert keeping["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": [role, *others]}}


@pytest.mark.parametrize("key", ["", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"])
def test_the_bucket_is_as_closed_as_the_other_one(key: str) -> None:
    """Encrypted, private, versioned, kept when the stack is deleted, as the bucket of failures is."""
    own, other = nights(KmsKeyArn=key), Stack(KmsKeyArn=key)
    mine, model = own.properties("NightsBucket"), other.properties("FailureBucket")
    for name in (
        "BucketEncryption",
        "PublicAccessBlockConfiguration",
        "OwnershipControls",
        "VersioningConfiguration",
    ):
        assert mine[name] == model[name]
    kept = {own.resources["NightsBucket"][p] for p in ("DeletionPolicy", "UpdateReplacePolicy")}
    assert kept == {"Retain"}


def test_exports_expire_and_nights_do_not(stack: Stack) -> None:
    """No rule of the lifecycle reaches a night."""
    rules = stack.properties("NightsBucket")["LifecycleConfiguration"]["Rules"]
    assert {rule["Prefix"] for rule in rules} == {"exports/"}
    assert [rule["ExpirationInDays"] for rule in rules] == [14]


def test_the_schedule_starts_a_night(stack: Stack) -> None:
    """It says to the function what the function takes."""
    rule = stack.properties("NightRule")
    assert rule["State"] == "ENABLED"
    assert json.loads(rule["Targets"][0]["Input"]) == {
        "bucket": "<NightsBucket>",
        "export": "start",
    }


def test_the_last_object_of_an_export_wakes_the_reconciler(
    stack: Stack, new_house: NewHouse
) -> None:
    """And no other object does, a night's own document least of all."""
    pattern = stack.properties("ExportedRule")["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"]["bucket"] == {"name": ["<NightsBucket>"]}
    suffixes = tuple(one["suffix"] for one in pattern["detail"]["object"]["key"])
    house, bucket = new_house(), Memory()
    backups = Backups(house, bucket)
    house.clock.advance(3600)
    since, until = backups.earliest, house.clock.moment() - backups.latest_behind
    for table in ("events", "balances"):
        backups.exporter.export(table, f"exports/x/{table}", since, until)
    waking = [key for key in bucket.objects if key.endswith(suffixes)]
    assert len(waking) == 2
    bucket.put("nights/2026-09-21T15:00:00Z.json", b"{}")
    assert ready(bucket, "exports/x")
    bucket.objects.pop(waking[-1])
    assert ready(bucket, "exports/x") is None


def test_each_rule_may_call_the_function(stack: Stack) -> None:
    """And nobody else by these permissions."""
    found = stack.of_type("Lambda::Permission").values()
    assert {p["SourceArn"] for p in found} == {"<NightRule.Arn>", "<ExportedRule.Arn>"}
    assert {p["Principal"] for p in found} == {"events.amazonaws.com"}
    assert stack.properties("NightsBucket")["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_the_command_prints_it(bare_folio: Folio) -> None:
    """To the letter, as it prints the ledger's own."""
    assert bare_folio("stack", "template", "--nights").out == template.text(template.NIGHTS)
    assert bare_folio("stack", "template").out == template.text()
