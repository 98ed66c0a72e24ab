"""Questions about the deployment: one call, once, whose errors are Folio's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.aws import ATTEMPT_ERRORS, translate
from ledger.errors import LedgerError, Misconfigured, Unavailable
from ledger.store import where

VIEW_TYPE = "NEW_AND_OLD_IMAGES"
ENABLED = ("Enabled", "Enabling", "Creating", "Updating")
"""An event source mapping's states in which it reads, or is about to."""


def ask(client: Any, operation: str, **parameters: Any) -> Mapping[str, Any]:
    """The answer of one call of one client (`describe_table`, …), not repeated.

    Raises:
        Misconfigured: no such thing, or no permission.
        Unavailable: it does not answer.
    """
    try:
        answer: Mapping[str, Any] = getattr(client, operation)(**parameters)
    except ATTEMPT_ERRORS as error:
        meant = translate(error, where(client, parameters))
        if isinstance(meant, LedgerError):
            raise meant from error
        raise Unavailable(
            f"{operation}: no answer ({meant}; {where(client, parameters)})"
        ) from error
    return answer


def table(dynamodb: Any, name: str) -> Mapping[str, Any]:
    """What DynamoDB says of a table. Raises as `ask` does."""
    description: Mapping[str, Any] = ask(dynamodb, "describe_table", TableName=name)["Table"]
    return description


def stream_arn(description: Mapping[str, Any]) -> str:
    """The stream of the log, from its table's description; `stream_fault` says what it would raise.

    Raises:
        Misconfigured: it has none, it is off, or it shows too little.
    """
    if fault := stream_fault(description):
        raise Misconfigured(fault)
    return str(description["LatestStreamArn"])


def stream_fault(description: Mapping[str, Any]) -> str | None:
    """Why the log's stream cannot be read, or None. A stream that was turned off keeps its ARN."""
    name, stream = description["TableName"], description.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or not description.get("LatestStreamArn"):
        return (
            f"table {name} has no stream, or it is off: enable one with {VIEW_TYPE}, as the stack "
            "does (aws dynamodb update-table --stream-specification), then `folio repair` for what "
            "was written meanwhile"
        )
    if stream["StreamViewType"] != VIEW_TYPE:
        return (
            f"the stream of table {name} shows {stream['StreamViewType']}, and Folio needs "
            f"{VIEW_TYPE}: disable it, enable it anew with that, then `folio repair`"
        )
    return None


def mappings(lambda_: Any, arn: str) -> list[Mapping[str, Any]]:
    """The event source mappings on a stream. Raises as `ask` does: engines have no Lambda."""
    found: list[Mapping[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        reply = ask(lambda_, "list_event_source_mappings", EventSourceArn=arn, **marker)
        found += reply["EventSourceMappings"]
        if not reply.get("NextMarker"):
            return found
        marker = {"Marker": reply["NextMarker"]}


def enabled(found: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of some mappings that read the stream."""
    return [one for one in found if one.get("State") in ENABLED]
