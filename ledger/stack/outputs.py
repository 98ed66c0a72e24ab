"""The stack's outputs, as settings that a shell or an .env file takes. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

SETTINGS = {
    "EventsTable": "LEDGER_EVENTS_TABLE",
    "BalancesTable": "LEDGER_BALANCES_TABLE",
    "AccountsTable": "LEDGER_ACCOUNTS_TABLE",
    "IdempotencyTable": "LEDGER_IDEMPOTENCY_TABLE",
    "QuarantineTable": "LEDGER_QUARANTINE_TABLE",
    "Name": "LEDGER_NAME",
}
"""Outputs that are settings of payment code, and their variables."""

CURRENCIES = "{}"


def settings(outputs: Mapping[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """The `LEDGER_*` variables of a process that uses this stack's ledger."""
    found = {variable: outputs[name] for name, variable in SETTINGS.items() if name in outputs}
    # Payment code and projector must agree on which codes exist.
    if (currencies := parameters.get("Currencies", CURRENCIES)) != CURRENCIES:
        found["LEDGER_CURRENCIES"] = currencies
    return found


def lines(variables: Mapping[str, str]) -> list[str]:
    """`NAME=value`, quoted where a shell needs it."""
    return [f"{name}={shlex.quote(value)}" for name, value in variables.items()]


def others(outputs: Mapping[str, str]) -> dict[str, str]:
    """The outputs that are no settings: where the functions, the bucket and the policies are."""
    return {name: value for name, value in outputs.items() if name not in SETTINGS}
