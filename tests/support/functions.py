"""The functions as Lambda calls them: their event, their context, and the ledger that they find."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import pytest

from ledger.runtime import Runtime
from projector import handler as projector
from projector.publish import Bus
from projector.record import Record
from projector.wire import to_wire


class Context:
    """What Lambda passes beside the event."""

    function_name = "folio-projector"

    def __init__(self, request_id: str = "request-1") -> None:
        self.aws_request_id = request_id


def lambda_event(records: Iterable[Record]) -> dict[str, Any]:
    """What Lambda passes, as its documentation shows it."""
    around = {"eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1"}
    return {"Records": [json.loads(json.dumps(to_wire(one) | around)) for one in records]}


def works_with(monkeypatch: pytest.MonkeyPatch, rt: Runtime, bus: Bus | None = None) -> None:
    """The projector's handler works with these."""
    parts = projector.Parts(rt, bus, nullcontext)
    monkeypatch.setattr(projector, "parts", lambda: parts)
