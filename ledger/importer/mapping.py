"""A mapping: how a bank's file becomes transactions. A value, from options or a small TOML file."""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from ledger.errors import InvalidRequest
from ledger.importer.template import Template
from ledger.validation import problems

MAX_MAPPING_BYTES = 256 * 1024


def _template(value: object) -> Template:
    if not isinstance(value, str) or not value:
        raise ValueError('expected a text, as in "client:{account_id}"')
    try:
        return Template.parse(value)
    except InvalidRequest as error:
        raise ValueError(str(error)) from None


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _zone(name: object) -> ZoneInfo:
    if not isinstance(name, str):
        raise ValueError("expected the name of a time zone")  # noqa: TRY004  # pydantic reports it
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'{name!r} is no time zone that this machine knows, as "UTC" or "Europe/Prague" is'
        ) from None


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name!r} is no text encoding that Python knows") from None


Filled = Annotated[
    Template, BeforeValidator(_template), PlainSerializer(lambda template: template.text)
]
Alternatives = Annotated[tuple[Filled, ...], BeforeValidator(_several), Field(min_length=1)]
Words = Annotated[tuple[str, ...], BeforeValidator(_several)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str)]
Encoding = Annotated[str, BeforeValidator(_encoding)]
Character = Annotated[str, Field(pattern=r"^[^\r\n\x00]$")]
Separator = Annotated[str, Field(pattern=r"^[^0-9+\r\n-]?$")]


class FileMapping(BaseModel):
    """How the columns of a file become transactions.

    Where a value may be a template, `{column}` stands for the row's value. Where there may be
    several, the first counts of which the row has every column.

    Attributes:
        source: the name of what the file is a part of; with `id` it says which row a row is.
        id: template: the row's own id within the source.
        account: template: the account that the row is about.
        counter_account: templates: where its money comes from or goes to.
        amount: templates: the amount, in major units; with a sign where there is no `direction`.
        date: template: the business time.
        direction: template: `credit` or `debit` words of which it must be one.
        credit, debit: the words for money into the account and out of it.
        type: template: the transaction's type.
        description: template: its description.
        currency: template: a code, as `EUR` or `{currency}`.
        words: column → {what the file says: what to take for it}; another word is rejected.
        columns: the columns' names, of a file without a line of headings.
        delimiter, quote: of the file's fields, a character each.
        encoding: of its text.
        decimal_separator, thousands_separator: of amounts; the latter may be empty.
        date_format: of dates, as `strptime` takes it.
        zone: of dates that name none.
        claim_keys: put the row's id under an idempotency key too: a row whose date was corrected
            since is then a conflict and no second transaction, for two write units a row.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    source: Annotated[str, Field(min_length=1, max_length=200)]
    id: Filled
    account: Filled
    counter_account: Alternatives
    amount: Alternatives
    date: Filled
    type: Filled
    currency: Filled
    direction: Filled | None = None
    credit: Words = ()
    debit: Words = ()
    description: Filled | None = None
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    delimiter: Character = ","
    quote: Character = '"'
    encoding: Encoding = "utf-8"
    decimal_separator: Annotated[str, Field(pattern=r"^[^0-9+\r\n-]$")] = "."
    thousands_separator: Separator = ""
    date_format: Annotated[str, Field(min_length=1)] = "%Y-%m-%d"
    zone: Zone = ZoneInfo("UTC")
    claim_keys: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.direction is not None) != bool(self.credit and self.debit):
            raise ValueError(
                "direction, credit and debit go together: name the column and the words for both "
                "sides, or none of the three where the amount's sign says which way it goes"
            )
        if both := set(self.credit) & set(self.debit):
            raise ValueError(f"{min(both)!r} is a word for credit and for debit")
        if self.decimal_separator == self.thousands_separator:
            raise ValueError("decimal_separator and thousands_separator are the same")
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote are the same")
        return self

    def needs(self) -> frozenset[str]:
        """Every column that it names."""
        return frozenset(self.words).union(*(template.columns for template in self._templates()))

    def _templates(self) -> Iterator[Template]:
        yield from (self.id, self.account, self.date, self.type, self.currency)
        yield from self.counter_account
        yield from self.amount
        yield from (t for t in (self.direction, self.description) if t is not None)


def file_mapping(path: Path | None = None, **options: Any) -> FileMapping:
    """A mapping from a TOML file, from options, or from both: an option goes before the file.

    Raises:
        InvalidRequest: what is wrong, field by field; or a file that cannot be read.
    """
    fields = {name: value for name, value in options.items() if value is not None}
    where = f"mapping {path.name}" if path else "mapping"
    try:
        return FileMapping.model_validate((_toml(path) if path else {}) | fields)
    except ValidationError as error:
        raise InvalidRequest(f"{where}: {problems(error)}") from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(MAX_MAPPING_BYTES).decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(f"mapping {path}: {error}") from error
