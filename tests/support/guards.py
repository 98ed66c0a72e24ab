"""Taking a guard out: a condition of the projector's requests that from now on always holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from projector import requests

ALWAYS = "(attribute_exists(PK) OR attribute_not_exists(PK))"


def take_out(monkeypatch: pytest.MonkeyPatch, builder: str, guard: str) -> None:
    """From now on `guard`, a pattern, always holds in the conditions that `builder` writes."""
    build = getattr(requests, builder)

    def weakened(*arguments: Any) -> Any:
        request = build(*arguments)
        found = 0
        for operation in operations(request.parameters):
            condition, count = re.subn(guard, _always, operation["ConditionExpression"])
            operation["ConditionExpression"] = condition
            found += count
        if not found:
            raise LookupError(f"{builder} has no {guard}: the test takes out what is not there")
        return request

    monkeypatch.setattr(requests, builder, weakened)


def operations(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The writes of a request."""
    if "TransactItems" not in parameters:
        yield parameters
    for item in parameters.get("TransactItems", ()):
        yield from item.values()


def _always(found: re.Match[str]) -> str:
    # What it names stays in use: DynamoDB refuses values that no expression mentions.
    return f"({found[0]} OR {ALWAYS})"
