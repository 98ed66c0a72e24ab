"""Health: each check of a deployment fails for what it is for, says what to do, and never hangs."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.stub import Stubber

from ledger import Money, Settings, connect
from ledger.clock import Clock
from ledger.embedded import local_session
from ledger.health import Check, Clients, check, quick, run
from ledger.health.stream import reader_faults
from ledger.health.tables import differing
from ledger.tables import definitions
from tests.support.command import Folio
from tests.support.house import House

AWS = "https://dynamodb.eu-west-1.amazonaws.com"
UUID = "00000000-0000-0000-0000-000000000001"
ROLE = "arn:aws:sts::123456789012:assumed-role/pay/i-1"
MAPPING: dict[str, Any] = {
    "UUID": UUID,
    "State": "Enabled",
    "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:folio-projector",
    "StartingPosition": "TRIM_HORIZON",
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "ParallelizationFactor": 1,
}


def clients(*mappings: Mapping[str, Any], refused: bool = False) -> Clients:
    """Lambda's and STS's answers, checked by botocore's own descriptions of them."""
    lambda_ = connect.client("lambda", Settings(), local_session(), "http://localhost:1")
    sts = connect.client("sts", Settings(), local_session(), "http://localhost:1")
    of_lambda, of_sts = Stubber(lambda_), Stubber(sts)
    if refused:
        of_lambda.add_client_error("list_event_source_mappings", "AccessDeniedException")
        of_sts.add_client_error("get_caller_identity", "InternalFailure", http_status_code=500)
    else:
        of_lambda.add_response(
            "list_event_source_mappings", {"EventSourceMappings": list(mappings)}
        )
        of_sts.add_response("get_caller_identity", {"Arn": ROLE})
    of_lambda.activate()
    of_sts.activate()
    return Clients(lambda_, sts)


def states(house: House, *mappings: Mapping[str, Any], **options: Any) -> dict[str, str]:
    """Each check's state, by its name without the table's."""
    given = mappings or (MAPPING,)
    return {one.name: one.state for one in check(house.runtime, clients(*given), **options)}


def failing(checks: list[Check]) -> dict[str, Check]:
    """The checks that fail, but for what engines lack."""
    engines = ("point-in-time recovery", "deletion protection")
    return {c.name: c for c in checks if c.state == "failing" and not c.name.startswith(engines)}


def test_a_sound_deployment_is_healthy(house: House) -> None:
    """Every check is ok, but for what an engine cannot say, or does not do."""
    house.ledger.transfer(source="a", destination="b", money=Money(1, "EUR"), type="t")
    house.settle()
    checks = check(house.runtime, clients(MAPPING))
    assert failing(checks) == {}
    found = {one.name: one for one in checks}
    assert found["identity"].found == ROLE
    assert {found[name].state for name in ("stream", "stream's reader", "clock", "lag")} == {"ok"}
    assert len([name for name in found if name.startswith("table ")]) == 5


def test_a_table_that_is_not_there_fails_and_the_rest_is_looked_at(house: House) -> None:
    """The message is the one of every call: name, region, endpoint."""
    house.faults.delete_table(TableName=house.settings.quarantine_table)
    found = failing(check(house.runtime, clients(MAPPING)))
    assert set(found) == {f"table {house.settings.quarantine_table}", "quarantine"}
    assert "region" in found["quarantine"].found


def test_tables_of_an_older_version_are_named_with_what_differs(house: House) -> None:
    """An index that is missing, other keys."""
    older = house.new_runtime(
        accounts_table=house.settings.balances_table,
        quarantine_table=house.settings.idempotency_table,
    )
    found = failing(check(older, clients(MAPPING)))
    assert "no index listing" in found[f"table {house.settings.balances_table}"].found
    assert "expected PK, SK" in found[f"table {house.settings.idempotency_table}"].found


def test_each_difference_of_a_table_is_told() -> None:
    """Its state, keys, their types, an index's keys and state."""
    accounts = definitions(Settings())[2] | {"TableStatus": "ACTIVE"}
    assert list(differing(accounts, accounts)) == []
    index = accounts["GlobalSecondaryIndexes"][0]
    swapped = [{"AttributeName": "account", "KeyType": "HASH"}]
    numbers = [a | {"AttributeType": "N"} for a in accounts["AttributeDefinitions"]]
    for change, wanted in (
        ({"TableStatus": "CREATING"}, "it is CREATING"),
        ({"KeySchema": accounts["KeySchema"][:1]}, "keys PK, expected PK, SK"),
        ({"AttributeDefinitions": numbers}, "PK is of type N, expected S"),
        ({"GlobalSecondaryIndexes": []}, "no index listing"),
        ({"GlobalSecondaryIndexes": [index | {"KeySchema": swapped}]}, "index listing has keys"),
        ({"GlobalSecondaryIndexes": [index | {"IndexStatus": "CREATING"}]}, "index listing is"),
    ):
        assert wanted in "; ".join(differing(accounts, accounts | change))


def test_a_stream_that_is_off_fails(house: House) -> None:
    """And no reader is looked for on it."""
    client, table = house.faults, house.settings.events_table
    client.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    found = states(house)
    assert found["stream"] == "failing"
    assert "stream's reader" not in found


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"StartingPosition": "LATEST"}, "starts at LATEST"),
        ({"FunctionResponseTypes": []}, "ReportBatchItemFailures"),
        ({"ParallelizationFactor": 4}, "parallelization factor 4"),
    ],
)
def test_a_reader_that_would_lose_or_delay_events_fails(
    house: House, change: dict[str, Any], wanted: str
) -> None:
    """FAULTS 21 and 43 on what is deployed, not on the template."""
    assert wanted in "; ".join(reader_faults(MAPPING | change))
    assert states(house, MAPPING | change)["stream's reader"] == "failing"


def test_no_reader_fails_unless_a_poller_is_said_to_read(house: House) -> None:
    """A mapping that is off is none. A poller cannot be seen: the lag tells."""
    assert states(house, MAPPING | {"State": "Disabled"})["stream's reader"] == "failing"
    nobody = check(house.runtime, clients())
    assert failing(nobody)["stream's reader"].todo.endswith("--poller")
    assert states(house, poller=True)["stream's reader"] == "unknown"


def test_what_nobody_can_say_is_unknown_and_no_failure(house: House) -> None:
    """An engine without Lambda and STS, or a permission that is missing."""
    checks = check(house.runtime, clients(refused=True))
    unknown = {one.name for one in checks if one.state == "unknown"}
    assert {"identity", "stream's reader"} <= unknown
    assert failing(checks) == {}


class Backed:
    """AWS, as far as it says anything of backups and protection."""

    def __init__(self, house: House, *, on: bool) -> None:
        self._client, self._on = house.faults, on
        self.meta = SimpleNamespace(region_name="eu-west-1", endpoint_url=AWS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_continuous_backups(self, **_: Any) -> Any:
        status = {"PointInTimeRecoveryStatus": "ENABLED" if self._on else "DISABLED"}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": status}}

    def describe_table(self, **parameters: Any) -> Any:
        table = self._client.describe_table(**parameters)["Table"]
        return {"Table": table | {"DeletionProtectionEnabled": self._on}}


@pytest.mark.parametrize("on", [True, False])
def test_backups_and_protection_of_what_cannot_be_replayed(house: House, on: bool) -> None:
    """Of the log, the accounts and the keys: the view is only replayed."""
    house.runtime.store.client = Backed(house, on=on)
    found = states(house)
    names = [n for n in found if n.startswith(("point-in-time", "deletion protection"))]
    assert len(names) == 6
    assert {found[name] for name in names} == {"ok" if on else "failing"}


def test_an_engine_without_backups_is_no_failure(house: House) -> None:
    """LocalStack answers that they are off: on an engine they may be."""
    house.runtime.store.client = Backed(house, on=False)
    house.runtime.store.client.meta.endpoint_url = "http://localhost:4566"
    assert states(house)["backups and protection"] == "unknown"
    assert failing(check(house.runtime, clients(MAPPING))) == {}


def test_what_waits_in_quarantine_fails_by_a_bounded_look(house: House) -> None:
    """However much waits there."""
    for number in range(30):
        item = {"PK": {"S": "2026-09-21"}, "SK": {"S": f"{number:02}"}}
        house.faults.put_item(TableName=house.settings.quarantine_table, Item=item)
    house.faults.heal()
    found = failing(check(house.runtime, clients(MAPPING)))["quarantine"]
    assert found.found == "at least 25 records wait"
    assert "redrive" in found.todo


def test_a_lag_beyond_the_limit_fails(house: House) -> None:
    """Of a sample, by the limit that is given."""
    house.ledger.transfer(source="a", destination="b", money=Money(1, "EUR"), type="t")
    house.advance(90)
    assert states(house)["lag"] == "failing"
    assert states(house, limit_seconds=100)["lag"] == "ok"


def test_a_clock_that_is_far_off_fails(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS refuses its signatures; the seconds are told."""
    monkeypatch.setattr(Clock, "ahead", lambda _self: -301.0)
    assert "-301.0 s" in failing(check(house.runtime, clients(MAPPING)))["clock"].found
    monkeypatch.setattr(Clock, "ahead", lambda _self: -299.0)
    assert states(house)["clock"] == "ok"


def test_the_clocks_difference_is_read_from_replies() -> None:
    """A machine that is ten minutes ahead."""
    clock = Clock(lambda: 1_000_600.0)
    clock.observe(1_000_600.0, 1_000_600.0, "Mon, 12 Jan 1970 13:46:40 GMT")
    assert clock.ahead() == pytest.approx(599.0)


def test_no_check_begins_when_the_time_is_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not looked at is unknown, and said to be."""
    monkeypatch.setattr(run, "DEADLINE_SECONDS", -1.0)
    found = {one.name: one for one in check(house.runtime, clients(MAPPING))}
    assert found["lag"].found == "no time was left for it"
    assert {found[name].state for name in ("stream", "backups", "quarantine", "lag")} == {"unknown"}


def test_quick_only_asks_whether_the_tables_answer(house: House) -> None:
    """One small read a table."""
    house.faults.heal()
    assert {one.state for one in quick(house.runtime)} == {"ok"}
    assert [name for name, _ in house.faults.calls] == ["get_item"] * 5
    house.faults.always("get_item", "throttled")
    assert [one.state for one in quick(house.runtime)] == ["failing"]


def test_a_probe_does_not_hang_on_an_endpoint_that_never_answers(
    folio: Folio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and says nothing: the probe ends, and fails."""
    folio.set("LEDGER_READ_TIMEOUT_SECONDS", "0.5")
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        folio.set("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for arguments in (("health",), ("health", "--quick")):
            begun = time.monotonic()
            assert folio(*arguments).code == 7
            assert time.monotonic() - begun < 10


def test_the_command_for_people_and_for_probes(folio: Folio) -> None:
    """0 when healthy, 7 when not; a table for people, a document for machines."""
    quickly = folio.answer("health", "--quick")
    assert [one["state"] for one in quickly["checks"]] == ["ok"] * 5
    said = folio("health")
    assert (said.code, said.out.splitlines()[-1]) == (0, "healthy"), said.out
    folio.set("LEDGER_EVENTS_TABLE", "nowhere")
    told = folio("health", "--json")
    assert (told.code, told.json["exit_code"]) == (7, 7)
    assert "table nowhere" in {c["name"] for c in told.json["checks"] if c["state"] == "failing"}
