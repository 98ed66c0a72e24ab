"""A stack that is deployed on LocalStack, and what tests ask of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from folio_localstack.environment import exports

from ledger import Ledger
from ledger.settings import Settings
from ledger.stack import outputs
from tests.stack.support.waiting import eventually


@dataclass(frozen=True)
class Answer:
    """What an invocation ended with."""

    value: Any
    error: str | None
    """`Unhandled` when the function failed; `value` is the error then."""


class Clients:
    """AWS's clients, by service, of one LocalStack."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.environment = exports(endpoint_url)
        """What a process of its own needs to work on it."""
        self.session = boto3.Session(
            self.environment["AWS_ACCESS_KEY_ID"],
            self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        )
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of a service: one for all tests."""
        if service not in self._made:
            # A function may take its time: a request that is sent again is a second invocation.
            config = Config(read_timeout=300, retries={"total_max_attempts": 1})
            self._made[service] = self.session.client(  # type: ignore[call-overload]  # any service
                service, endpoint_url=self.endpoint_url, config=config
            )
        return self._made[service]

    def invoke(self, function: str, event: object) -> Answer:
        """Invoke a function, and wait for its answer."""
        reply = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return Answer(json.loads(reply["Payload"].read()), reply.get("FunctionError"))

    def log(self, function: str) -> list[str]:
        """All lines that a function has logged, each environment's in their order."""
        logs, group = self.client("logs"), f"/aws/lambda/{function}"
        try:
            streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:  # it has not logged yet
            return []
        return [
            line
            for stream in sorted(streams, key=lambda one: str(one["logStreamName"]))
            for line in self._lines(group, stream["logStreamName"])
        ]

    def _lines(self, group: str, stream: str) -> Iterator[str]:
        logs = self.client("logs")
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, **token
            )
            for event in page["events"]:
                yield event["message"].rstrip("\n")
            if not page["events"]:  # the last page is empty, and leads to itself
                return
            token = {"nextToken": page["nextForwardToken"]}

    def metric(self, namespace: str, name: str, **dimensions: str) -> float:
        """The sum of a metric's values in the last hour, of exactly these dimensions."""
        now = datetime.now(UTC)
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))


class Deployed(Clients):
    """The stack of a name, with its ledger."""

    def __init__(self, endpoint_url: str, name: str = "folio") -> None:
        super().__init__(endpoint_url)
        self.name = name

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's, by name."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    @cached_property
    def variables(self) -> dict[str, str]:
        """The `LEDGER_*` variables that the outputs give."""
        return outputs.settings(self.outputs, {})

    def settings(self, **more: object) -> Settings:
        """Payment code's settings, by the outputs; `more` are fields."""
        given = {
            name.removeprefix("LEDGER_").lower(): value for name, value in self.variables.items()
        }
        return Settings(**given, **more)

    @cached_property
    def ledger(self) -> Ledger:
        """Payment code's ledger."""
        return Ledger.connect(self.settings(), self.session, endpoint_url=self.endpoint_url)

    def wait_for_balances(
        self, expected: Mapping[str, int], currency: str = "EUR", seconds: float = 60
    ) -> None:
        """Wait until the view, which only the projector writes, holds exactly these posted sums (in minor units)."""

        def posted() -> dict[str, int]:
            return {
                account: self.ledger.balance(
                    account, currency, consistency="view"
                ).posted.amount_minor
                for account in expected
            }

        eventually(posted, lambda found: found == dict(expected), seconds=seconds)
