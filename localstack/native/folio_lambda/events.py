"""What can happen to a running function. All of it comes through one queue, in its order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ready:
    """The handler is imported: it asks for its first invocation."""


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The handler could not be imported; the body is the error in Lambda's JSON."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """An invocation ended with a value, or with the handler's exception, as JSON."""

    request_id: str
    body: bytes
    is_error: bool


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone, with an exit code, or minus a signal's number."""

    code: int


Event = Ready | InitFailed | Answered | Exited
