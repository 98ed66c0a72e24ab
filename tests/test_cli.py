"""The command line: what it does, what it says, and what its exit code means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledger.cli.app import app
from ledger.embedded.engine import Engine

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def endpoint(dynamodb_local: Engine) -> str:
    """The engine, with tables of this file's own."""
    result = folio(dynamodb_local.endpoint_url, "init")
    assert result.exit_code == 0, result.output
    return dynamodb_local.endpoint_url


ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "folio",
    "AWS_SECRET_ACCESS_KEY": "folio",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    **{
        f"LEDGER_{name.upper()}_TABLE": f"cli-{name}"
        for name in ("events", "balances", "accounts", "idempotency", "quarantine")
    },
}


def folio(endpoint: str, *arguments: str) -> Result:
    """Run a command on the engine."""
    return RUNNER.invoke(app, ["--endpoint-url", endpoint, *arguments], env=ENVIRONMENT)


def answer(endpoint: str, *arguments: str) -> Any:
    """The JSON that a command answers."""
    result = folio(endpoint, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_money_moves_and_is_seen(endpoint: str) -> None:
    """Transfer, post, and the reads that show them, in JSON and as tables."""
    moved = answer(
        endpoint, "transfer", "world:card", "user:1", "12.50", "EUR", "--type", "deposit"
    )
    legs = ["--debit", "user:1 2.50 EUR", "--credit", "shop:1 2.50 EUR"]
    answer(endpoint, "post", "--type", "purchase", *legs)

    held = answer(endpoint, "balance", "user:1", "EUR")["EUR"]
    assert held["posted"] == {"amount_minor": 1000, "currency": "EUR"}
    listed = answer(endpoint, "entries", "user:1")
    assert [e["type"] for e in listed["items"]] == ["deposit", "purchase"]
    assert answer(endpoint, "transaction", moved["id"])["type"] == "deposit"
    assert "user:1" in answer(endpoint, "accounts", "--prefix", "user:")["items"]
    assert "10.00 EUR" in folio(endpoint, "balance", "user:1").stdout


def test_a_retry_with_a_key_says_that_it_is_one(endpoint: str) -> None:
    """The same key and request is a replay; another request is an error of exit code 1."""
    call = ("transfer", "world:card", "user:2", "1.00", "EUR", "--type", "deposit", "--key", "k")
    first, second = answer(endpoint, *call), answer(endpoint, *call)
    assert (first["id"], first["replayed"], second["replayed"]) == (second["id"], False, True)

    other = folio(endpoint, "--json", *call[:3], "2.00", *call[4:])

    assert other.exit_code == 1
    told = json.loads(other.stdout)
    assert (told["error"], told["idempotency_key"]) == ("IdempotencyConflict", "k")


@pytest.mark.parametrize(
    "arguments",
    [
        ("transfer", "world:card", "user#1", "1.00", "EUR", "--type", "deposit"),
        ("transfer", "world:card", "user:1", "1e3", "EUR", "--type", "deposit"),
        ("transfer", "world:card", "user:1", "1.00", "XYZ", "--type", "deposit"),
        ("post", "--type", "deposit", "--debit", "world:card 1.00"),
        ("post", "--type", "deposit", "--debit", "a 1.00 EUR", "--credit", "b 2.00 EUR"),
        ("transaction", "nonsense"),
        ("entries", "user:1", "--cursor", "nonsense"),
        ("no-such-command",),
    ],
)
def test_nonsense_is_refused_with_exit_code_2(endpoint: str, arguments: tuple[str, ...]) -> None:
    """One line that says what was expected, and no traceback."""
    result = folio(endpoint, *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_reconcile_and_repair_say_what_they_found(endpoint: str) -> None:
    """Nothing projects here, so all is missing: drift, 3; repaired, and then clean, 0."""
    answer(endpoint, "transfer", "world:card", "user:3", "1.00", "EUR", "--type", "deposit")

    drift = folio(endpoint, "--json", "reconcile", "user:3", "--grace", "0")
    assert (drift.exit_code, json.loads(drift.stdout)["verdict"]) == (3, "drift")
    repaired = folio(endpoint, "--json", "repair", "--yes", "--grace", "0")
    assert (repaired.exit_code, json.loads(repaired.stdout)["failed"]) == (0, [])
    clean = folio(endpoint, "reconcile", "--grace", "0")
    assert clean.exit_code == 0
    assert "clean: " in clean.stdout


def test_what_a_terminal_would_obey_is_shown_and_not_obeyed(endpoint: str) -> None:
    """Escape sequences and markup in a description come out as text."""
    text = "\x1b[31mred [bold]"
    call = ("transfer", "world:card", "user:4", "1.00", "EUR", "--type", "deposit")
    assert folio(endpoint, *call, "--description", text).exit_code == 0

    shown = folio(endpoint, "entries", "user:4").stdout

    assert "\x1b" not in shown
    assert "\\x1b[31mred [bold]" in shown


def test_an_import_is_finished_by_running_it_again(endpoint: str, tmp_path: Path) -> None:
    """A second import adds nothing, and a bad row goes to the rejects: exit code 5."""
    mapping = Path(__file__).parent / "data" / "czech-bank.toml"
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "trans_id,account_id,date,type,operation,amount,balance,k_symbol,bank,account\n"
        "1,2378,930101,PRIJEM,VKLAD,700.00,700.00,,,\n"
        "2,2378,930102,VYDAJ,VYBER,nonsense,700.00,,,\n"
    )
    call = ("import", str(rows), "--mapping", str(mapping), "--rejects", str(tmp_path / "bad.csv"))

    first, second = (folio(endpoint, "--json", *call) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (5, 5)
    assert json.loads(first.stdout)["imported"] == 1
    assert json.loads(second.stdout)["imported"] == 0
    assert json.loads(second.stdout)["replayed"] == 1


def test_the_demo_is_right_at_its_end() -> None:
    """With lost replies, repeated payments and a projector that dies, to the last cent."""
    result = RUNNER.invoke(app, ["--json", "demo", "--transactions", "200"], env=ENVIRONMENT)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["right"], told["verdict"], told["wrong_balances"]) == (True, "clean", 0)
