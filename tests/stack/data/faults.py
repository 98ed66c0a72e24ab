"""The projector's handler on a store that fails: what a test deploys in its place, beside the real code.

`FAULT` is what happens, `FAULT_ODDS` how likely it is at each call to DynamoDB, before it and after it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from typing import Any

from ledger.errors import Unavailable
from ledger.items import BadItem, Image
from ledger.request import Request
from ledger.store import Store
from projector import handler as projector
from projector import record

FAULT = os.environ["FAULT"]
ODDS = float(os.environ["FAULT_ODDS"])
send = Store.send


def fail() -> None:
    if random.random() >= ODDS:
        return
    if FAULT == "crash":
        os._exit(1)
    if FAULT == "hang":
        time.sleep(3600)
    if FAULT == "refuse":
        raise Unavailable("as the test asked")


def faulty(store: Store, request: Request) -> Mapping[str, Any]:
    fail()
    reply = send(store, request)
    fail()
    return reply


def too_new(_item: Image) -> None:
    """Code that is older than what wrote the item."""
    raise BadItem("unknown version", "as the test asked")


setattr(Store, "send", faulty)  # noqa: B010  # mypy knows it as a method
if FAULT == "old":
    setattr(record, "entry_from", too_new)  # noqa: B010


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    if FAULT == "raise":
        raise RuntimeError("as the test asked")
    return projector.handler(event, context)
