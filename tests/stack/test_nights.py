"""A night by the day on the stack: what S3 receives wakes the reconciler, whose report is kept beside it.

LocalStack makes no exports: the test writes them, as DynamoDB would, from what the tables hold.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import Money
from ledger.clock import Clock
from ledger.request import Request
from ledger.settings import Settings
from ledger.stack import template
from tests.stack.support.deployed import Deployed
from tests.stack.support.waiting import eventually
from tests.support.exports import Exporter

STACK = "folio-nights"


class Tables:
    """The stack's tables, to be exported."""

    def __init__(self, deployed: Deployed) -> None:
        self._runtime = deployed.ledger.runtime
        self.settings: Settings = self._runtime.settings
        self.clock = Clock(time.time)

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table."""
        name = getattr(self.settings, f"{table}_table")
        request = Request("scan", {"TableName": name, "ConsistentRead": True})
        return [item for items in self._runtime.store.pages(request) for item in items]


@pytest.fixture(scope="module")
def bucket(deployed: Deployed) -> Iterator[str]:
    """The bucket of the stack beside the ledger's."""
    given = {"Name": deployed.name, "ReconcilerRole": deployed.outputs["ReconcilerRole"]}
    stacks = deployed.client("cloudformation")
    stacks.create_stack(
        StackName=STACK,
        TemplateBody=template.text(template.NIGHTS),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    def stands() -> dict[str, Any]:
        (stack,) = stacks.describe_stacks(StackName=STACK)["Stacks"]
        return dict(stack)

    made = eventually(stands, lambda s: s["StackStatus"] != "CREATE_IN_PROGRESS", seconds=90)
    assert made["StackStatus"] == "CREATE_COMPLETE", made
    yield {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}["NightsBucket"]
    stacks.delete_stack(StackName=STACK)


def test_a_window_that_arrives_is_reconciled_and_kept(
    deployed: Deployed, bucket: str, account: str
) -> None:
    """By way of the bucket, its events and the function; both exports wake it, one night is kept."""
    s3 = deployed.client("s3")
    tables = Tables(deployed)
    since = datetime.now(UTC).replace(microsecond=0)
    exporter = Exporter(tables)
    exporter.take()
    exporter.objects.objects.clear()
    deployed.ledger.transfer(
        source="world:card", destination=account, money=Money(7, "EUR"), type="deposit"
    )
    deployed.wait_for_balances({account: 7})
    until = since + timedelta(hours=1)
    folder = f"exports/{since:%Y%m%dT%H%M%SZ}-{until:%Y%m%dT%H%M%SZ}"
    for table in ("events", "balances"):
        exporter.export(table, f"{folder}/{table}", since, until)

    for key, body in exporter.objects.objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    def nights() -> list[str]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="nights/").get("Contents", [])
        return [one["Key"] for one in found]

    (key,) = eventually(nights, bool, seconds=90)
    night = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert (night["verdict"], night["entries"], night["unread"]) == ("clean", 2, [])
    assert night["window"] == [since.isoformat(), until.isoformat()]
