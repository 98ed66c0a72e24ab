"""A request, built apart from its sending: what decides makes these, and the store sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Operation = Literal[
    "get_item",
    "put_item",
    "update_item",
    "delete_item",
    "query",
    "scan",
    "batch_get_item",
    "transact_write_items",
]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, built apart from its sending."""

    operation: Operation
    parameters: dict[str, Any]
