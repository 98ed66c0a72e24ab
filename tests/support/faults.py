"""A client that fails on order: what a network, a throttle or a kill does to one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

Fault = Literal[
    "none",
    "reply lost",  # it commits, the caller never hears
    "time-out",  # it never arrives, the caller cannot know
    "reset",  # as a time-out, by a reset connection
    "server error",  # 5xx, before anything was written
    "throttled",
    "conflict",  # TransactionConflict, before anything was written
    "killed before",  # the process dies before the call
    "killed after",  # the process dies after the call has committed
]
Plan = Callable[[int, str, dict[str, Any]], Fault]
"""Given the number of the call (0 …), its operation and parameters: what happens to it."""

EVERY_FAULT: tuple[Fault, ...] = tuple(fault for fault in get_args(Fault) if fault != "none")

OPERATIONS = frozenset(
    {
        "batch_get_item",
        "delete_item",
        "get_item",
        "put_item",
        "query",
        "scan",
        "transact_write_items",
        "update_item",
    }
)


class Killed(BaseException):
    """The process died here. Not an Exception: no code of ours may catch it."""


def healthy(number: int, operation: str, parameters: dict[str, Any]) -> Fault:
    """No fault."""
    return "none"


class FaultyClient:
    """A DynamoDB client under a plan of faults. `calls` lists what was asked, in order."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.plan: Plan = healthy
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in OPERATIONS:
            return method

        def call(**parameters: Any) -> Any:
            fault = self.plan(len(self.calls), name, parameters)
            self.calls.append((name, parameters))
            return _suffer(fault, name, lambda: method(**parameters))

        return call

    def once(self, operation: str, fault: Fault, *, skip: int = 0) -> None:
        """From now on: `fault` at the first call of `operation` after `skip` of them."""
        healthy_first: list[Fault] = ["none"] * skip
        self.script(operation, *healthy_first, fault)

    def script(self, operation: str, *faults: Fault) -> None:
        """From now on: these faults at the next calls of `operation`, in order, then none."""
        left = list(faults)

        def plan(number: int, name: str, parameters: dict[str, Any]) -> Fault:
            return left.pop(0) if name == operation and left else "none"

        self.plan = plan

    def always(self, operation: str, fault: Fault) -> None:
        """From now on: `fault` at every call of `operation`."""
        self.plan = lambda _number, name, _parameters: fault if name == operation else "none"

    def before(self, operation: str, action: Callable[[], object]) -> None:
        """From now on: `action` runs wholly before the next call of `operation` is sent."""
        left = [action]

        def plan(number: int, name: str, parameters: dict[str, Any]) -> Fault:
            if name == operation and left:
                left.pop()()
            return "none"

        self.plan = plan

    @contextmanager
    def calm(self) -> Iterator[None]:
        """No faults for a while, and no calls noted: the test looks at what stands there."""
        plan, noted = self.plan, len(self.calls)
        self.plan = healthy
        yield
        self.plan = plan
        del self.calls[noted:]

    def heal(self) -> None:
        """No more faults; the calls so far are forgotten."""
        self.plan = healthy
        self.calls.clear()


def _suffer(fault: Fault, operation: str, call: Callable[[], Any]) -> Any:
    if fault == "killed before":
        raise Killed
    if fault in ("reply lost", "killed after"):
        call()
        raise Killed if fault == "killed after" else ReadTimeoutError(endpoint_url="test")
    if fault == "time-out":
        raise ReadTimeoutError(endpoint_url="test")
    if fault == "reset":
        raise ConnectionClosedError(endpoint_url="test")
    if fault != "none":
        raise error(fault, operation)
    return call()


def error(fault: Fault, operation: str) -> ClientError:
    """AWS's answer for a fault."""
    code, status = {
        "server error": ("InternalServerError", 500),
        "throttled": ("ThrottlingException", 400),
        "conflict": ("TransactionConflictException", 400),
    }[fault]
    response: Any = {
        "Error": {"Code": code, "Message": "made by the test"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if fault == "conflict" and operation == "transact_write_items":
        response["Error"]["Code"] = "TransactionCanceledException"
        response["CancellationReasons"] = [{"Code": "TransactionConflict"}]
    return ClientError(response, operation)
