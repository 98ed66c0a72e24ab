"""Settings are a value, or the LEDGER_* variables read when it is made; what is wrong is named."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Misconfigured, Settings
from tests.support.examples import many
from tests.support.unplugged import shown


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine reaches these tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LEDGER_{name.upper()}", raising=False)


def test_the_defaults_are_a_working_ledger() -> None:
    """Nothing need be set: tables have names, accounts open themselves, keys live for ever."""
    settings = Settings()
    assert settings.events_table == "folio-events"
    assert settings.accounts == "open"
    assert settings.idempotency_ttl_seconds is None
    assert settings.home_of("user:42") is None
    assert (settings.name, settings.log_level) == ("folio", "INFO")
    assert (settings.event_bus, settings.tracing) == (None, False)


def test_every_field_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """LEDGER_<FIELD> sets a field, mappings as JSON, and what is passed by name wins."""
    monkeypatch.setenv("LEDGER_EVENTS_TABLE", "prod-events")
    monkeypatch.setenv("LEDGER_CURRENCIES", json.dumps({"PTS": 0}))
    monkeypatch.setenv("LEDGER_HOMES", json.dumps({"us:": "us-east-1"}))
    monkeypatch.setenv("LEDGER_IDEMPOTENCY_TTL_SECONDS", "86400")
    monkeypatch.setenv("LEDGER_REGION", "eu-west-1")
    settings = Settings(region="eu-central-1")
    assert settings.events_table == "prod-events"
    assert settings.currencies == {"PTS": 0}
    assert settings.home_of("us:1") == "us-east-1"
    assert settings.idempotency_ttl_seconds == 86_400
    assert settings.region == "eu-central-1"


BUS_ARN = "arn:aws:events:eu-west-1:123456789012:event-bus/payments"


@pytest.mark.parametrize(
    ("text", "bus"),
    [("", None), ("default", "default"), ("my/bus.v1", "my/bus.v1"), (BUS_ARN, BUS_ARN)],
)
def test_an_empty_bus_is_none(monkeypatch: pytest.MonkeyPatch, text: str, bus: str | None) -> None:
    """A stack sets each variable, that of a bus which nobody asked for to nothing."""
    monkeypatch.setenv("LEDGER_EVENT_BUS", text)
    assert Settings().event_bus == bus


def test_what_the_functions_take_from_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, level of log lines and tracing, as a stack writes them."""
    monkeypatch.setenv("LEDGER_NAME", "prod-ledger")
    monkeypatch.setenv("LEDGER_TRACING", "true")
    monkeypatch.setenv("LEDGER_LOG_LEVEL", "WARNING")
    settings = Settings()
    assert (settings.name, settings.tracing, settings.log_level) == ("prod-ledger", True, "WARNING")


def test_importing_reads_no_variable() -> None:
    """A wrong variable is an error of the ledger that is made, never of an import."""
    code = "import ledger, ledger.connect, projector"
    environment = {"LEDGER_ATTEMPTS": "many", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


BAD: list[tuple[str, Any]] = [
    ("events_table", "a"),
    ("events_table", "my table"),
    ("accounts", "closed"),
    ("attempts", 0),
    ("attempts", 21),
    ("attempts", "many"),
    ("idempotency_ttl_seconds", 59),
    ("settling_seconds", -1),
    ("grace_seconds", float("nan")),
    ("backoff_seconds", 11),
    ("connect_timeout_seconds", 0),
    ("read_timeout_seconds", 61),
    ("pool_connections", 0),
    ("bulk_calls", 65),
    ("name", ""),
    ("name", "two words"),
    ("name", "n" * 65),
    ("event_bus", "two words"),
    ("tracing", "perhaps"),
    ("log_level", "LOUD"),
    ("currencies", {"EUR": 2}),
    ("currencies", {"points": 0}),
    ("currencies", {"PTS": 99}),
    ("currencies", {"P#T": 0}),
    ("homes", ["eu-west-1"]),
    ("tables", "prod"),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=shown)
def test_a_value_that_is_not_allowed_is_named(field: str, value: Any) -> None:
    """The error names the field, calls the operator, and does not repeat what was given."""
    with pytest.raises(Misconfigured, match=field) as error:
        Settings(**{field: value})
    assert "input_value" not in str(error.value)


def test_a_variable_that_is_not_allowed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the value is refused or is not even JSON: Misconfigured, with the field's name."""
    monkeypatch.setenv("LEDGER_ATTEMPTS", "many")
    with pytest.raises(Misconfigured, match="attempts"):
        Settings()
    monkeypatch.setenv("LEDGER_ATTEMPTS", "6")
    monkeypatch.setenv("LEDGER_CURRENCIES", "PTS=0")
    with pytest.raises(Misconfigured, match="currencies"):
        Settings()


def test_settings_cannot_change() -> None:
    """They are shared by threads: another setting is another value."""
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.attempts = 3  # type: ignore[misc]


@many
@given(
    homes=st.dictionaries(st.text("ab:", max_size=4), st.sampled_from(["r1", "r2", "r3"])),
    account=st.text("ab:", max_size=6),
)
def test_an_accounts_home_is_the_longest_prefixs(homes: dict[str, str], account: str) -> None:
    """Of all prefixes of the account the longest decides; without one the general home does."""
    found = Settings(homes=homes, home="r0").home_of(account)
    beginnings = [account[:length] for length in range(len(account), -1, -1)]
    assert found == next((homes[start] for start in beginnings if start in homes), "r0")
