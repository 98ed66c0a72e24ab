"""A change set: made, read, applied, or taken back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import Misconfigured
from ledger.stack import changes
from ledger.stack.calls import Aws, refusals
from ledger.stack.changes import Change
from ledger.stack.stacks import Way

WAIT_SECONDS = 300
POLL_SECONDS = 1.0
MADE = frozenset({"CREATE_COMPLETE", "FAILED"})


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What a deployment would change; empty where there is nothing to do."""

    id: str
    stack_id: str
    way: Way
    changes: Sequence[Change]


def make(
    aws: Aws,
    name: str,
    way: Way,
    *,
    template_url: str,
    parameters: Sequence[Mapping[str, Any]],
    tags: Mapping[str, str],
) -> ChangeSet:
    """Have CloudFormation say what would change. Nothing changes yet.

    Raises:
        Misconfigured: CloudFormation refuses the template or a parameter.
    """
    # Without tags the stack keeps those that it has; an empty list would take them off.
    tagged: dict[str, Any] = {"Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
    with refusals():
        answer = aws.client("cloudformation").create_change_set(
            StackName=name,
            ChangeSetName=f"folio-{uuid.uuid4().hex}",
            ChangeSetType=way,
            TemplateURL=template_url,
            Parameters=parameters,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **(tagged if tags else {}),
        )
    made = ChangeSet(answer["Id"], answer["StackId"], way, ())
    return _awaited(aws, made)


def _awaited(aws: Aws, made: ChangeSet) -> ChangeSet:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        status, reason, listed = _described(aws, made)
        if status not in MADE:
            time.sleep(POLL_SECONDS)
            continue
        if status == "FAILED" and not changes.is_empty(status, reason):
            discard(aws, made)
            raise Misconfigured(f"CloudFormation could not work out the changes: {reason}")
        return ChangeSet(made.id, made.stack_id, made.way, changes.read(listed))
    raise Misconfigured(f"CloudFormation did not work out the changes within {WAIT_SECONDS} s")


def _described(aws: Aws, made: ChangeSet) -> tuple[str, str, list[dict[str, Any]]]:
    listed: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        with refusals():
            page = aws.client("cloudformation").describe_change_set(
                ChangeSetName=made.id, StackName=made.stack_id, **more
            )
        listed += page.get("Changes", ())
        if not page.get("NextToken"):
            return page["Status"], page.get("StatusReason", ""), listed
        more = {"NextToken": page["NextToken"]}


def discard(aws: Aws, made: ChangeSet) -> None:
    """Take it back, and the empty stack that it was made with."""
    cloudformation = aws.client("cloudformation")
    with refusals():
        cloudformation.delete_change_set(ChangeSetName=made.id, StackName=made.stack_id)
        if made.way == "CREATE":
            cloudformation.delete_stack(StackName=made.stack_id)


def apply(aws: Aws, made: ChangeSet) -> None:
    """Begin to change what it says."""
    with refusals():
        aws.client("cloudformation").execute_change_set(
            ChangeSetName=made.id, StackName=made.stack_id
        )
