"""Tables that are there before the stack: found, held against what this version needs, taken over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ledger.control import VIEW_TYPE
from ledger.errors import InvalidRequest, Misconfigured
from ledger.settings import Settings
from ledger.stack.calls import Aws, code, refusals
from ledger.stack.code import Say
from ledger.tables import definitions, misshapen

STREAM_SECONDS = 120

TABLES = ("events", "balances", "accounts", "idempotency", "quarantine")


def named(name: str) -> Settings:
    """The settings of the tables that a stack of this name has."""
    return Settings(**{f"{table}_table": f"{name}-{table}" for table in TABLES})


def check_none(aws: Aws, name: str) -> None:
    """Hold that no table stands where a new stack would make one.

    Raises:
        InvalidRequest: some are there, as after a stack that was deleted.
    """
    there = [
        wanted["TableName"]
        for wanted in definitions(named(name))
        if _described(aws, wanted["TableName"])
    ]
    if there:
        raise InvalidRequest(
            f"tables of this name are there already: {', '.join(there)}: take them over with "
            "--existing-tables, or take another --name"
        )


def take_over(aws: Aws, name: str, say: Say) -> dict[str, str]:
    """The parameters of a stack on the tables that are there; the log's stream is switched on.

    Raises:
        Misconfigured: a table is missing or of an older version, or the stream shows too little.
    """
    wanted = definitions(named(name))
    found = {w["TableName"]: _described(aws, w["TableName"]) for w in wanted}
    wrong = [problem for w in wanted for problem in differences(w, found[w["TableName"]])]
    if wrong:
        raise Misconfigured(f"--existing-tables: {'; '.join(wrong)}")
    events = wanted[0]["TableName"]
    arn = _stream(found[events] or {}) or _switch_on(aws, events, say)
    return {"Tables": "existing", "EventsStreamArn": arn}


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> list[str]:
    """What a table lacks of its definition. Pure."""
    name = wanted["TableName"]
    if found is None:
        return [f"there is no table {name} in this account and region"]
    problems = [
        f"{name} is of an older version, or not Folio's: {p}" for p in misshapen(wanted, found)
    ]
    if "StreamSpecification" in wanted:
        problems += _blind_stream(name, found.get("StreamSpecification", {}))
    return problems


def _blind_stream(name: str, of: Mapping[str, Any]) -> list[str]:
    view = of.get("StreamViewType")
    if not of.get("StreamEnabled") or view == VIEW_TYPE:
        return []
    problem = (
        f"the stream of {name} shows {view}, expected {VIEW_TYPE}: stop all writers, let the "
        "projector catch up, and switch the stream off; then it is switched on as it must be"
    )
    return [problem]


def _stream(table: Mapping[str, Any]) -> str | None:
    """The stream's ARN while it is on; a stream that was switched off keeps its ARN for a day."""
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        return None
    return table.get("LatestStreamArn")


def _described(aws: Aws, table: str) -> dict[str, Any] | None:
    with refusals():
        try:
            found: dict[str, Any] = aws.client("dynamodb").describe_table(TableName=table)["Table"]
        except ClientError as error:
            if code(error) == "ResourceNotFoundException":
                return None
            raise
    return found


def _switch_on(aws: Aws, table: str, say: Say) -> str:
    say("switching the log's stream on", table=table, view=VIEW_TYPE)
    with refusals():
        aws.client("dynamodb").update_table(
            TableName=table,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": VIEW_TYPE},
        )
    end = time.monotonic() + STREAM_SECONDS
    while time.monotonic() < end:
        found = _described(aws, table) or {}
        if found.get("TableStatus") == "ACTIVE" and (arn := _stream(found)):
            return arn
        time.sleep(1)
    raise Misconfigured(f"the stream of {table} was not on after {STREAM_SECONDS} s: try again")
