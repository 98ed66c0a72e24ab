"""A stack of CloudFormation: how it stands, and whether it can be deployed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from botocore.exceptions import ClientError

from ledger.errors import Misconfigured
from ledger.stack.calls import Aws, code, message, refusals

STANDING = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
NEVER_CAME_UP = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
EMPTY = "REVIEW_IN_PROGRESS"
"""Made by a change set that was not applied; it has no resources."""

WAY_OUT = {
    "DELETE_FAILED": "see in its events what could not be deleted, and delete it again",
    "UPDATE_FAILED": "roll it back: aws cloudformation rollback-stack --stack-name {name}",
    "UPDATE_ROLLBACK_FAILED": (
        "see in its events why, mend that, and then: "
        "aws cloudformation continue-update-rollback --stack-name {name}"
    ),
    "IMPORT_ROLLBACK_FAILED": "see in its events why, and mend that",
}

Way = Literal["CREATE", "UPDATE"]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it stands."""

    name: str
    id: str
    status: str
    reason: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it has come up, and nothing is under way."""
        return self.status in STANDING


def read(aws: Aws, name: str) -> Stack | None:
    """The stack of that name or id, None if there is none.

    Raises:
        Misconfigured: AWS refuses.
    """
    with refusals():
        try:
            found = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if code(error) == "ValidationError" and "does not exist" in message(error):
                return None
            raise
    if found["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        parameters={
            one["ParameterKey"]: one.get("ParameterValue", "")
            for one in found.get("Parameters", ())
        },
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
        created=found.get("CreationTime"),
        updated=found.get("LastUpdatedTime"),
    )


def way(stack: Stack | None, name: str) -> Way:
    """Whether a deployment creates the stack or updates it.

    Raises:
        Misconfigured: in its state it can neither be created nor updated.
    """
    if stack is None or stack.status == EMPTY:
        return "CREATE"
    if stack.stands:
        return "UPDATE"
    if stack.status.endswith("_IN_PROGRESS"):
        raise Misconfigured(
            f"the stack {name} is {stack.status}: another operation is under way; wait for its end"
        )
    if stack.status in NEVER_CAME_UP:
        raise Misconfigured(
            f"the stack {name} is {stack.status}: it never came up, and must be deleted first"
        )
    out = WAY_OUT.get(stack.status, "it cannot be updated in this state")
    raise Misconfigured(f"the stack {name} is {stack.status}: {out.format(name=name)}")


def absent(aws: Aws, name: str) -> Misconfigured:
    """The error of a command that needs a stack, where there is none."""
    return Misconfigured(
        f"there is no stack {name} in {aws.region}: check --name and --region, or `folio stack deploy`"
    )
