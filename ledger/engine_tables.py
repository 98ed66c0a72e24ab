"""Creating the tables on an engine. On AWS the stack does, with backups, alarms and the projector."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ledger.aws import ATTEMPT_ERRORS, Repeat, translate
from ledger.errors import Misconfigured, Unavailable
from ledger.items import EXPIRES_AT
from ledger.settings import Settings
from ledger.tables import definitions

# What AWS's endpoints end with, in each of its partitions.
AWS_DOMAINS = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".adc-e.uk",
    ".aws.scloud",
    ".ic.gov",
    ".sgov.gov",
)


def create_tables(client: Any, settings: Settings) -> None:
    """Create the tables that are not there yet, and wait until they can be used.

    Raises:
        Misconfigured: the endpoint is AWS, or the engine refused.
        Unavailable: the engine does not answer.
    """
    if is_aws(client) and not _mocked():
        raise Misconfigured(
            "create_tables is for engines; this endpoint is AWS: deploy the stack, which also "
            "brings backups, alarms and the projector"
        )
    try:
        for definition in definitions(settings):
            _create(client, definition)
        _expire_keys(client, settings)
    except ATTEMPT_ERRORS as error:
        outcome = translate(error)
        if isinstance(outcome, Repeat):
            outcome = Unavailable(f"the engine does not answer ({outcome}): is it running?")
        raise outcome from error


def is_aws(client: Any) -> bool:
    """Whether a client's endpoint is AWS's own, and no engine's."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.rstrip(".").endswith(AWS_DOMAINS)


def _mocked() -> bool:
    """Whether moto answers in AWS's name in this process."""
    moto = sys.modules.get("moto.core.models")
    return bool(moto and moto.botocore_stubber.enabled)


def _create(client: Any, definition: dict[str, Any]) -> None:
    with suppress(client.exceptions.ResourceInUseException):  # It is there, as was asked for.
        made = client.create_table(**definition)["TableDescription"]
        if made["TableStatus"] == "ACTIVE":
            return
    waiter = client.get_waiter("table_exists")
    waiter.wait(TableName=definition["TableName"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _expire_keys(client: Any, settings: Settings) -> None:
    table = settings.idempotency_table
    state = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if state.get("TimeToLiveStatus") in (None, "DISABLED"):
        client.update_time_to_live(
            TableName=table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT},
        )
