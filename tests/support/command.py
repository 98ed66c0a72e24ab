"""The `folio` command as a script runs it: arguments in; an exit code, output and errors out."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest

from ledger.cli.app import run

NUMBERS = itertools.count(1)
TABLES = ("events", "balances", "accounts", "idempotency", "quarantine")


@dataclass(frozen=True)
class Said:
    """What one run said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


class Folio:
    """Runs `folio` in this process, on tables of its own on an engine."""

    def __init__(
        self, endpoint_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.endpoint_url = endpoint_url
        self.monkeypatch = monkeypatch
        self._capsys = capsys
        self.set("AWS_ACCESS_KEY_ID", "folio")
        self.set("AWS_SECRET_ACCESS_KEY", "folio")
        self.set("AWS_DEFAULT_REGION", "us-east-1")
        self.set("AWS_ENDPOINT_URL", endpoint_url)
        self.set("LEDGER_BACKOFF_SECONDS", "0")
        number = next(NUMBERS)
        for name in TABLES:
            self.set(f"LEDGER_{name.upper()}_TABLE", f"cli{number}-{name}")

    def set(self, variable: str, value: str) -> None:
        """Set an environment variable for the runs to come."""
        self.monkeypatch.setenv(variable, value)

    def __call__(self, *arguments: object) -> Said:
        """Run a command."""
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def answer(self, *arguments: object) -> Any:
        """What a command that succeeds says in JSON."""
        said = self(*arguments, "--json")
        assert said.code == 0, said.out + said.err
        return said.json

    def deposit(self, account: str, amount: str = "1.00", *more: object) -> Any:
        """Money into an account."""
        move = ("transfer", "world:card", account, amount, "EUR", "--type", "deposit")
        return self.answer(*move, *more)
