"""What the stack's template promises: nothing is lost, nothing is silent, and each guard is missed when it is gone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]

from ledger import Settings
from ledger.stack import template
from ledger.tables import definitions
from tests.support import stack_checks as must
from tests.support.stack import REGION, Stack, document

ROOT = Path(__file__).parents[1]
EXISTING: dict[str, Any] = {
    "Tables": "existing",
    "EventsStreamArn": "arn:aws:dynamodb:eu-west-1:1:table/t/stream/s",
}


class Guard(NamedTuple):
    """What must hold, and where to put what in the template so that it does not (None: taken out)."""

    check: Callable[[Stack], None]
    path: str
    put: Any = None


MAPPING = "ProjectorMapping.Properties"
GUARDS = [
    Guard(must.partial_batches, f"{MAPPING}.FunctionResponseTypes", []),
    Guard(must.from_the_horizon, f"{MAPPING}.StartingPosition", "LATEST"),
    Guard(must.one_lane, f"{MAPPING}.ParallelizationFactor", 2),
    Guard(must.bounded_by_age, f"{MAPPING}.MaximumRetryAttempts", 5),
    Guard(must.bounded_by_age, f"{MAPPING}.MaximumRecordAgeInSeconds", -1),
    Guard(must.bounded_by_age, f"{MAPPING}.BisectBatchOnFunctionError", False),
    Guard(must.given_up_is_kept, f"{MAPPING}.DestinationConfig", {}),
    Guard(must.given_up_is_kept, "FailureBucket.Type", "AWS::SQS::Queue"),
    Guard(must.given_up_is_kept, f"{MAPPING}.MetricsConfig", {}),
    Guard(must.wakes_for_entries_and_tampering, f"{MAPPING}.FilterCriteria.Filters.0"),
    Guard(must.wakes_for_entries_and_tampering, f"{MAPPING}.FilterCriteria.Filters.1"),
    Guard(
        must.wakes_for_entries_and_tampering, f"{MAPPING}.FilterCriteria.Filters.0.Pattern", "{}"
    ),
    Guard(must.data_outlives_the_stack, "BalancesTable.DeletionPolicy", "Delete"),
    Guard(must.data_outlives_the_stack, "FailureBucket.UpdateReplacePolicy", "Delete"),
    Guard(must.tables_are_protected, "EventsTable.Properties.DeletionProtectionEnabled", False),
    Guard(
        must.tables_are_protected, "QuarantineTable.Properties.PointInTimeRecoverySpecification", {}
    ),
    Guard(must.keys_alone_expire, "IdempotencyTable.Properties.TimeToLiveSpecification"),
    Guard(
        must.keys_alone_expire,
        "EventsTable.Properties.TimeToLiveSpecification",
        {"AttributeName": "expires_at", "Enabled": True},
    ),
    Guard(must.the_bucket_is_closed, "FailureBucket.Properties.VersioningConfiguration", {}),
    Guard(
        must.the_bucket_is_closed,
        "FailureBucket.Properties.PublicAccessBlockConfiguration.BlockPublicPolicy",
        False,
    ),
    Guard(must.the_night_is_scheduled, "ReconcilerSchedule.Properties.State", "DISABLED"),
    Guard(must.the_night_is_scheduled, "ReconcilerSchedule.Properties.Targets", []),
    Guard(must.the_night_is_scheduled, "ReconcilerPermission.Properties.SourceArn", "*"),
    Guard(must.logs_do_not_grow_for_ever, "ProjectorLogs.Properties.RetentionInDays", 3653),
    Guard(must.logs_do_not_grow_for_ever, "ReconcilerLogs.Properties.LogGroupName", "/folio"),
    Guard(must.every_alarm_reaches_somebody, "DriftAlarm.Properties.AlarmActions", []),
    Guard(must.every_alarm_has_its_section, "DriftAlarm"),
    Guard(must.every_alarm_has_its_section, "DriftAlarm.Properties.AlarmDescription", "Drift."),
    Guard(
        must.silence_is_no_alarm_but_of_the_night,
        "ReconciliationMissingAlarm.Properties.TreatMissingData",
        "notBreaching",
    ),
    Guard(must.a_missed_night_is_noticed, "ReconciliationMissingAlarm.Properties.Period", 86_400),
    Guard(must.alarms_watch_what_is_emitted, "TamperedAlarm.Properties.MetricName", "Tampering"),
    Guard(
        must.alarms_watch_what_is_emitted,
        "DriftAlarm.Properties.Dimensions.0.Value",
        "projector",
    ),
    Guard(must.alarms_watch_what_is_emitted, "SuspectAlarm.Properties.Dimensions.1"),
    Guard(must.all_is_tagged, "AccountsTable.Properties.Tags", []),
]


def without(guard: Guard) -> Stack:
    """The stack of a template from which the guard has been taken."""
    changed = document()
    at: Any = changed["Resources"]
    *path, last = [int(step) if step.isdigit() else step for step in guard.path.split(".")]
    for step in path:
        at = at[step]
    if guard.put is None:
        del at[last]
    else:
        at[last] = guard.put
    return Stack(changed)


@pytest.mark.parametrize(
    "check", dict.fromkeys(guard.check for guard in GUARDS), ids=lambda check: check.__name__
)
def test_the_template_holds(check: Callable[[Stack], None]) -> None:
    """With the defaults of its parameters."""
    check(Stack())


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.check.__name__}-{guard.path}")
def test_and_a_guard_that_is_gone_is_missed(guard: Guard) -> None:
    """The same check, on a template without it."""
    with pytest.raises(AssertionError):
        guard.check(without(guard))


def test_cfn_lint_finds_nothing() -> None:
    """No error and no warning, in no condition that parameters can make; and it does look."""
    assert lint(template.text(), regions=[REGION, "us-east-1"]) == []
    assert lint(template.text().replace("TRIM_HORIZON", "HORIZON"), regions=[REGION])


def test_it_fits_into_a_call() -> None:
    """So that no bucket is needed for it."""
    assert len(template.text().encode()) < template.MAX_BYTES


def test_the_tables_are_those_of_an_engine() -> None:
    """Names, keys, indexes and the stream: what every test of the ledger runs on."""
    wanted = {one["TableName"]: one for one in definitions(Settings())}
    tables = {one["TableName"]: one for one in Stack().of_type("DynamoDB::Table").values()}
    assert tables.keys() == wanted.keys()
    for name, table in tables.items():
        stream = wanted[name].pop("StreamSpecification", {"StreamViewType": None})
        view_type = table.get("StreamSpecification", {}).get("StreamViewType")
        assert view_type == stream["StreamViewType"]
        assert {field: table[field] for field in wanted[name]} == wanted[name]
        assert ("GlobalSecondaryIndexes" in table) == ("GlobalSecondaryIndexes" in wanted[name])


def test_tables_that_exist_are_used_and_not_made() -> None:
    """After a restore, or after a stack was deleted: all else is as with new ones."""
    stack, new = Stack(**EXISTING), Stack()
    assert new.resources.keys() - stack.resources.keys() == new.of_type("DynamoDB::Table").keys()
    assert stack.properties("ProjectorMapping")["EventSourceArn"] == EXISTING["EventsStreamArn"]
    assert stack.outputs == new.outputs | {"StreamArn": EXISTING["EventsStreamArn"]}
    assert "EventsTable" not in json.dumps(stack.resources)


def test_a_topic_and_key_of_ones_own_are_used() -> None:
    """The stack then makes no topic, and encrypts tables, bucket and logs with the key."""
    stack = Stack(AlarmTopicArn="arn:aws:sns:eu-west-1:1:duty", KmsKeyArn="k", AlarmEmail="a@b.c")
    assert not {"AlarmTopic", "AlarmSubscription"} & stack.resources.keys()
    for alarm in stack.of_type("CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:1:duty"]
    for table in stack.of_type("DynamoDB::Table").values():
        assert table["SSESpecification"]["KMSMasterKeyId"] == "k"
    for logs in stack.of_type("Logs::LogGroup").values():
        assert logs["KmsKeyId"] == "k"
    assert "'KMSMasterKeyID': 'k'" in str(stack.properties("FailureBucket"))


@pytest.mark.parametrize("part", ["Projector", "Reconciler"])
def test_a_function_goes_where_it_is_told(part: str) -> None:
    """Into one's own network, under one's own boundary, traced; by default none of that."""
    told = Stack(
        SubnetIds=["subnet-1"],
        SecurityGroupIds=["sg-1"],
        PermissionsBoundaryArn="arn:aws:iam::1:policy/boundary",
        Tracing="true",
    )
    function, role = told.properties(f"{part}Function"), told.properties(f"{part}Role")
    assert function["VpcConfig"] == {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert role["PermissionsBoundary"] == "arn:aws:iam::1:policy/boundary"
    assert role["ManagedPolicyArns"][0].endswith("/AWSLambdaVPCAccessExecutionRole")
    assert "xray:PutTraceSegments" in json.dumps(role)

    plain, bare = Stack().properties(f"{part}Function"), Stack().properties(f"{part}Role")
    assert "VpcConfig" not in plain
    assert plain["TracingConfig"] == {"Mode": "PassThrough"}
    assert not {"PermissionsBoundary", "ManagedPolicyArns"} & bare.keys()
    assert "xray" not in json.dumps(bare)


def test_a_lag_that_rings_nobody_is_no_drift() -> None:
    """The nightly job waits as long as the projector may be behind, and a run is expected in time."""
    given = Stack().parameters
    assert given["GraceSeconds"] >= given["IteratorAgeAlarmSeconds"]
    assert given["MaximumRecordAgeSeconds"] > 10 * given["IteratorAgeAlarmSeconds"]
    assert given["SettlingSeconds"] == Settings().settling_seconds


@pytest.mark.parametrize("part", ["Projector", "Reconciler"])
def test_a_function_is_what_its_settings_say(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler is there, and its variables make settings of the stack's name, tables and bus."""
    stack = Stack(Name="pay", EventBus="bus", Currencies='{"PTS":0}', LogLevel="DEBUG")
    function = stack.properties(f"{part}Function")
    module, _, name = function["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), name))
    for variable, value in function["Environment"]["Variables"].items():
        monkeypatch.setenv(variable, str(value))
    settings = Settings()
    assert set(stack.outputs.values()) >= {
        settings.events_table,
        settings.balances_table,
        settings.accounts_table,
        settings.idempotency_table,
        settings.quarantine_table,
    }
    assert (settings.name, settings.currencies) == ("pay", {"PTS": 0})
    assert settings.event_bus == ("bus" if part == "Projector" else None)
    assert (settings.log_level, settings.tracing) == ("DEBUG", False)
    unknown = {n.removeprefix("LEDGER_").lower() for n in function["Environment"]["Variables"]}
    assert unknown <= Settings.model_fields.keys()


def test_the_dashboard_is_json_and_shows_every_alarm() -> None:
    """And Folio's metrics under the names that are emitted."""
    body = json.loads(Stack().properties("Dashboard")["DashboardBody"])
    shown = {name for one in body["widgets"] for name in one["properties"].get("alarms", ())}
    assert shown == {f"<{name}.Arn>" for name in Stack().of_type("CloudWatch::Alarm")}
    emitted = {one.name for one in must.emitted("folio")}
    assert emitted - {"NewestRecordAge"} <= set(re.findall(r'"(\w+)"', json.dumps(body)))


def test_the_wheel_carries_the_template(tmp_path: Path) -> None:
    """As `ledger/stack/template.yaml`, byte for byte."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        assert built.read("ledger/stack/template.yaml").decode() == template.text()
