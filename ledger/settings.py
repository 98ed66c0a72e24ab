"""Settings: a value, or the `LEDGER_*` variables, read when it is made and never at import."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from ledger.errors import InvalidRequest, Misconfigured
from ledger.money import Currencies

Table = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
Bus = Annotated[str, Field(pattern=r"^[/A-Za-z0-9_.:-]{1,1600}$")]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseSettings):
    """How a ledger is set up. Each field is also read from `LEDGER_<FIELD>`, as JSON where it is a mapping.

    Raises:
        Misconfigured: a value is not allowed; the message names the field.

    Attributes:
        name: the ledger's, as the stack's prefix: the dimension `ledger` of its metrics.
        events_table, balances_table, accounts_table, idempotency_table, quarantine_table: names.
        region: the origin written on every entry; the session's region when absent.
        home: the region that is home to every account; this region when absent.
        homes: account prefix → home region, the longest prefix first; before `home`.
        currencies: codes beyond ISO 4217 → exponent, as `{"PTS": 0, "ETH": 18}`.
        accounts: `open` makes an account with its first entry; `declared` refuses unknown ones.
        idempotency_ttl_seconds: how long an idempotency key lives; for ever when absent.
        settling_seconds: how old an applied id must be before it is sealed into a page.
        grace_seconds: how old an entry must be before its absence from the view is drift.
        attempts: how often a call is tried, the first included.
        backoff_seconds: the longest first wait between attempts; it doubles, with jitter.
        connect_timeout_seconds, read_timeout_seconds: of each attempt.
        pool_connections: connections of one client; threads beyond them wait.
        bulk_calls: calls that `post_many` has in flight.
        event_bus: the EventBridge bus, by name or ARN, to which the projector publishes the entries
            that it applied; none when absent or empty.
        tracing: whether the functions trace with X-Ray; needs the extra `tracing`.
        log_level: the lowest level of the functions' log lines.
    """

    model_config = SettingsConfigDict(
        env_prefix="LEDGER_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    name: str = Field(default="folio", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    events_table: Table = "folio-events"
    balances_table: Table = "folio-balances"
    accounts_table: Table = "folio-accounts"
    idempotency_table: Table = "folio-idempotency"
    quarantine_table: Table = "folio-quarantine"
    region: str | None = None
    home: str | None = None
    homes: dict[str, str] = Field(default_factory=dict)
    currencies: dict[str, int] = Field(default_factory=dict)
    accounts: Literal["open", "declared"] = "open"
    idempotency_ttl_seconds: int | None = Field(default=None, ge=60)
    settling_seconds: float = Field(default=5.0, ge=0, le=3600)
    grace_seconds: float = Field(default=60.0, ge=0, le=86_400)
    attempts: int = Field(default=6, ge=1, le=20)
    backoff_seconds: float = Field(default=0.05, ge=0, le=10)
    connect_timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    read_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    pool_connections: int = Field(default=32, ge=1, le=1000)
    bulk_calls: int = Field(default=4, ge=1, le=64)
    event_bus: Bus | None = None
    tracing: bool = False
    log_level: LogLevel = "INFO"

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise Misconfigured(f"settings: {_readable(error)}") from None
        except SettingsError as error:
            raise Misconfigured(f"settings: {error}") from None

    @field_validator("currencies")
    @classmethod
    def _check_currencies(cls, declared: dict[str, int]) -> dict[str, int]:
        try:
            Currencies(declared)
        except InvalidRequest as error:
            raise ValueError(str(error)) from error
        return declared

    @field_validator("event_bus", mode="before")
    @classmethod
    def _empty_is_none(cls, given: object) -> object:
        """A template's parameter that is not set is an empty text."""
        return None if given == "" else given

    def home_of(self, account: str) -> str | None:
        """The home region of an account, known before it exists; None: wherever it is written."""
        prefixes = [prefix for prefix in self.homes if account.startswith(prefix)]
        return self.homes[max(prefixes, key=len)] if prefixes else self.home


def _readable(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in error.errors()
    )
