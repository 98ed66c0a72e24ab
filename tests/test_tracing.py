"""Tracing is an option: segments of the function and its calls, from every thread, with nothing private in them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from ledger import Misconfigured, Settings
from ledger.embedded.engine import Engine
from ledger.items import entry_item
from ledger.tracing import tracing
from tests.support.functions import lambda_event
from tests.support.house import House
from tests.support.stage import entry, record, signed_by_fingerprint

TRACE = "1-5759e988-bd862e3fe1be46a994272793"
FUNCTION = "53995c3f42cd8ad8"

CODE = """
import json, sys
from projector.handler import handler
handler(json.load(sys.stdin), None)
print(json.dumps({"sdk": "aws_xray_sdk" in sys.modules}))
"""


class Daemon:
    """A socket where the X-Ray daemon would listen."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def segments(self) -> list[dict[str, Any]]:
        """What has arrived, without the header that precedes each."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                packet = self._socket.recv(65_536)
            except TimeoutError:
                return found
            found.append(json.loads(packet.split(b"\n", 1)[1]))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """One for the test."""
    made = Daemon()
    yield made
    made.close()


def traced(house: House, daemon: Daemon, event: object, tracing: str) -> list[dict[str, Any]]:
    """What a fresh process prints that is told to trace, or not."""
    tables = {
        f"LEDGER_{name.upper()}_TABLE": str(getattr(house.settings, f"{name}_table"))
        for name in ("events", "balances", "accounts", "quarantine")
    }
    ran = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(event),
        env={
            "AWS_ENDPOINT_URL_DYNAMODB": str(house.endpoint_url),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "folio",
            "AWS_SECRET_ACCESS_KEY": "folio",
            "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
            "LAMBDA_TASK_ROOT": "/var/task",
            "_X_AMZN_TRACE_ID": f"Root={TRACE};Parent={FUNCTION};Sampled=1",
            "LEDGER_TRACING": tracing,
            "LEDGER_NAME": "prod",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **tables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


ACCOUNTS = [f"a{number}" for number in range(12)]


@pytest.fixture
def local(dynamodb_local: Engine, session: Any) -> House:
    """A house that another process can work on."""
    return House(session, dynamodb_local.endpoint_url)


def test_every_call_of_every_thread_belongs_to_the_function(local: House, daemon: Daemon) -> None:
    """One segment with the ledger's name; beneath the function one for each write, none lost, none astray."""
    event = lambda_event(
        record(entry_item(signed_by_fingerprint(entry(name, -n - 1, 5, number=n))))
        for n, name in enumerate(ACCOUNTS)
    )
    event["Records"][0]["dynamodb"]["NewImage"]["description"] = {"S": "a-secret"}

    printed = traced(local, daemon, event, "true")
    segments = daemon.segments()

    assert printed[-1] == {"sdk": True}
    assert {one["trace_id"] for one in segments} == {TRACE}
    (own,) = [one for one in segments if one["name"] == "## projector"]
    assert own["annotations"] == {"ledger": "prod"}
    assert not own["in_progress"]
    updates = [one for one in segments if one.get("aws", {}).get("operation") == "UpdateItem"]
    assert len(updates) == len(ACCOUNTS) - 1
    known = {FUNCTION, *(one["id"] for one in segments)}
    assert {one["parent_id"] for one in segments} <= known
    assert {one["aws"]["table_name"] for one in updates} == {local.settings.balances_table}
    assert "a-secret" not in json.dumps(segments)


def test_without_it_nothing_is_loaded_or_sent(local: House, daemon: Daemon) -> None:
    """Who does not trace pays nothing for it."""
    event = lambda_event([record(entry_item(entry("a", -1, 5)))])
    assert traced(local, daemon, event, "false")[-1] == {"sdk": False}
    assert daemon.segments() == []


def test_without_its_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first call, and not by an import error in the middle of one."""
    monkeypatch.setitem(sys.modules, "aws_xray_sdk", None)
    with pytest.raises(Misconfigured, match=r"folio-ledger\[tracing\]"):
        tracing(Settings(tracing=True), "projector")
    assert tracing(Settings(), "projector") is nullcontext
