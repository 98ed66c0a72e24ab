"""A stack's operation, followed to its end by its events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.errors import Misconfigured
from ledger.stack import stacks
from ledger.stack.calls import Aws, refusals
from ledger.stack.stacks import Stack

POLL_SECONDS = 2.0
STACK = "AWS::CloudFormation::Stack"
ECHOES = ("resource creation cancelled", "resource update cancelled", "the following resource")
"""Reasons of resources that failed only because another one had failed."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource of the stack."""

    id: str
    at: datetime
    logical_id: str
    type: str
    status: str
    reason: str

    @property
    def is_of_stack(self) -> bool:
        """Whether it tells of the stack as a whole."""
        return self.type == STACK

    @property
    def ends_resource(self) -> bool:
        """Whether a resource is done with."""
        return self.status.endswith("_COMPLETE") and not self.is_of_stack


Told = Callable[[Event], None]


def events(aws: Aws, stack_id: str) -> list[Event]:
    """All events of the stack, oldest first."""
    with refusals():
        pages = aws.client("cloudformation").get_paginator("describe_stack_events")
        found = [e for page in pages.paginate(StackName=stack_id) for e in page["StackEvents"]]
    return [_event(one) for one in reversed(found)]


def _event(of: dict[str, Any]) -> Event:
    return Event(
        of["EventId"],
        of["Timestamp"],
        of.get("LogicalResourceId", ""),
        of.get("ResourceType", ""),
        of.get("ResourceStatus", ""),
        of.get("ResourceStatusReason", ""),
    )


def first_failure(happened: Sequence[Event]) -> Event | None:
    """The event that the others followed from: the first failure, of a resource if there is one."""
    failed = [one for one in happened if one.status.endswith("_FAILED")]
    own = [one for one in failed if not one.is_of_stack and not _is_echo(one)]
    return next(iter(own or failed), None)


def _is_echo(event: Event) -> bool:
    return event.reason.lower().startswith(ECHOES)


def follow(
    aws: Aws, stack_id: str, seen: Sequence[Event], told: Told, poll_seconds: float = POLL_SECONDS
) -> tuple[Stack | None, list[Event]]:
    """Wait until nothing is under way any more; the stack as it then stands, and what happened.

    `seen` is what had happened before; `told` hears of each new event once.
    """
    known = {one.id for one in seen}
    happened: list[Event] = []
    while True:
        stack = stacks.read(aws, stack_id)
        for event in events(aws, stack_id) if stack else ():
            if event.id not in known:
                known.add(event.id)
                happened.append(event)
                told(event)
        if stack is None or not stack.status.endswith("_IN_PROGRESS"):
            return stack, happened
        time.sleep(poll_seconds)


def check(stack: Stack | None, name: str, happened: Sequence[Event]) -> Stack:
    """The stack, if it succeeded.

    Raises:
        Misconfigured: it failed; the message names the first resource that did, and why.
    """
    if stack and stack.status in stacks.SUCCEEDED:
        return stack
    status = stack.status if stack else "gone"
    failure = first_failure(happened)
    if failure:
        why = f"{failure.logical_id} ({failure.type}): {failure.reason or failure.status}"
    else:
        why = (stack and stack.reason) or "its events name no failure"
    raise Misconfigured(f"the stack {name} ended {status}: {why}")
