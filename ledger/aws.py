"""AWS's errors, sorted by what they say of an attempt: one table, no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from ledger.errors import InvalidRequest, Misconfigured
from ledger.items import Item

Kind = Literal["throttled", "conflict", "unsent", "lost"]

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "LimitExceededException",
    }
)
CONFLICT = frozenset(
    {"TransactionConflict", "TransactionConflictException", "ReplicatedWriteConflictException"}
)
# While the first attempt with a token still runs, nothing is known of it.
LOST = frozenset({"TransactionInProgressException"})
INVALID = frozenset(
    {
        "ItemCollectionSizeLimitExceeded",
        "ItemCollectionSizeLimitExceededException",
        "RequestEntityTooLarge",
        "ValidationError",
        "ValidationException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
# What DynamoDB says of a well-built request when the table is another version's.
OTHER_TABLE = re.compile(
    r"not have the specified index|not match the schema|conditions on the keys is invalid"
    r"|Missing the key|required keys was not given|Type mismatch for key|backfilling",
    re.IGNORECASE,
)
DENIED_WHAT = re.compile(r"not authorized to perform: (\S+)(?: on resource: (\S+))?")
WRITERS = re.compile(
    r"dynamodb:(PutItem (?!\S*-(balances|quarantine)\b)|BatchGetItem \S*-accounts$)", re.IGNORECASE
)
# No policy of the stack lets anybody change or remove what stands in the log.
NEVER = re.compile(r"dynamodb:(UpdateItem|DeleteItem) \S*-events\b", re.IGNORECASE)
READERS = re.compile(
    r"dynamodb:(GetItem|Query|BatchGetItem(?! \S*-idempotency\b)) (?!\S*-quarantine\b)",
    re.IGNORECASE,
)
UNSENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
# A connection's encryption may fail while the reply is read, too.
LOST_REPLY = (HTTPClientError, IncompleteReadError, ResponseParserError, SSLError)
ATTEMPT_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""All that boto3 raises for one attempt."""


class ConditionFailed(Exception):
    """The condition of a single write did not hold; `item` is what stands there."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition failed")
        self.item = item


@dataclass(frozen=True, slots=True)
class Reason:
    """Whether one item's condition failed in a cancelled transaction, and what stands there."""

    failed: bool
    item: Item | None


class Cancelled(Exception):
    """A transaction was cancelled on conditions; one reason for each of its items, in order."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__("transaction cancelled")
        self.reasons = reasons


class Repeat(Exception):
    """An attempt that may be repeated.

    `kind`: `throttled`, `conflict` and `unsent` wrote nothing; of `lost` nothing is known.
    """

    def __init__(self, kind: Kind, code: str) -> None:
        super().__init__(f"{kind}: {code}")
        self.kind = kind


def translate(error: Exception, where: str = "") -> Exception:
    """What an attempt's error means: a condition that failed, an attempt to repeat, or the end.

    `where` names the tables, region and endpoint that were asked, for the message.
    """
    if isinstance(error, ClientError):
        return _answered(error, where)
    if isinstance(error, ParamValidationError):
        return Misconfigured("ParamValidationError: this boto3 refuses a request of this version")
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, UNSENT):
        return Repeat("unsent", what)
    if isinstance(error, LOST_REPLY):
        return Repeat("lost", what)
    return Misconfigured(what)


def _answered(error: ClientError, where: str) -> Exception:
    response: dict[str, Any] = dict(error.response)
    code = response.get("Error", {}).get("Code", "")
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(response.get("Item"))
    if code == "TransactionCanceledException":
        return _cancelled(response.get("CancellationReasons", ()), where)
    if kind := _kind(code, response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)):
        return Repeat(kind, code)
    return _final(code, response.get("Error", {}).get("Message", ""), error.operation_name, where)


def _kind(code: str, status: int) -> Kind | None:
    if code in THROTTLED:
        return "throttled"
    if code in CONFLICT:
        return "conflict"
    return "lost" if code in LOST or status >= 500 else None


def _final(code: str, message: str, operation: str, where: str) -> Exception:
    if code in INVALID and OTHER_TABLE.search(message):
        return Misconfigured(
            f"{operation}: the table is of an older version, or not Folio's ({message}): "
            f"`folio health` says what differs{_at(where)}"
        )
    if code in INVALID:
        return InvalidRequest(f"DynamoDB refused the {operation}: {message}")
    if code == "ResourceNotFoundException":
        return Misconfigured(
            f"{operation}: there is no such table or stream{_at(where)} ({message}): check the "
            "region (--region, AWS_REGION), the endpoint (--endpoint-url, "
            "AWS_ENDPOINT_URL_DYNAMODB) and the names (LEDGER_EVENTS_TABLE, … as the stack's "
            "outputs give them); deploy the stack, or `folio init` on a local engine"
        )
    if code in DENIED:
        return Misconfigured(_denied(code, message, operation, where))
    return Misconfigured(f"{operation}: {code}: {message}{_at(where)}")


def _at(where: str) -> str:
    return f" ({where})" if where else ""


def _denied(code: str, message: str, operation: str, where: str) -> str:
    """Which action on which resource was refused, and the stack's policy that allows it."""
    found = DENIED_WHAT.search(message)
    action = found[1] if found else f"dynamodb:{operation}"
    resource = (found[2] if found else None) or where or "its resource"
    what = f"{operation}: {code}: no permission for {action} on {resource.rstrip('.')}"
    if NEVER.match(f"{action} {resource}"):
        return f"{what}: nothing but the drill after a restore may do that; AWS says: {message}"
    return (
        f"{what}: attach the stack's {policy(action, resource)} to this role or user (its output "
        f"of that name); AWS says: {message}"
    )


def policy(action: str, resource: str) -> str:
    """The managed policy of the stack that allows an action: read, write, or operate."""
    what = f"{action} {resource}"
    if WRITERS.match(what):
        return "WriterPolicy"
    if READERS.match(what):
        return "ReaderPolicy"
    return "OperatorPolicy"


def _cancelled(reasons: Sequence[dict[str, Any]], where: str) -> Exception:
    codes = [reason.get("Code", "None") for reason in reasons]
    if "ConditionalCheckFailed" in codes:
        return Cancelled(
            [Reason(r.get("Code") == "ConditionalCheckFailed", r.get("Item")) for r in reasons]
        )
    for code, reason in zip(codes, reasons, strict=True):
        if code != "None":
            kind = _kind(code, 0)
            message = reason.get("Message", "")
            if kind:
                return Repeat(kind, code)
            return _final(code, message, "TransactWriteItems", where)
    return Repeat("lost", "TransactionCanceledException without reasons")
