"""From a row to a transaction: values in, values out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ledger import check, ids
from ledger.errors import InvalidRequest
from ledger.fingerprint import canonical_json
from ledger.importer.mapping import FileMapping
from ledger.importer.reader import BadRow
from ledger.importer.template import Template, first_that_fits
from ledger.model import Transaction, credit, debit
from ledger.money import Currencies, Money

MAX_SHOWN = 60


def row_id(mapping: FileMapping, row: Mapping[str, str]) -> str:
    """The row's own id within its source. Raises `BadRow` when it has none."""
    if not mapping.id.has_all(row):
        raise BadRow("it has no id")
    return mapping.id.fill(row)


def row_hash(source: str, own_id: str) -> bytes:
    """What says which row of which source it is: SHA-256, of which an id takes the first 80 bits."""
    return hashlib.sha256(canonical_json([source, own_id]).encode()).digest()


def transaction(
    mapping: FileMapping, row: Mapping[str, str], currencies: Currencies
) -> Transaction:
    """The transaction that a row stands for: the same one however often it is read.

    Raises:
        BadRow: why there is none.
    """
    row = {name: value.strip() for name, value in row.items()}
    own_id = row_id(mapping, row)
    digest = row_hash(mapping.source, own_id)
    try:
        made = _transaction(mapping, _translated(mapping, row), own_id, digest, currencies)
        check.transaction(made, currencies)
    except InvalidRequest as error:
        raise BadRow(str(error)) from error
    return made


def _transaction(
    mapping: FileMapping,
    row: Mapping[str, str],
    own_id: str,
    digest: bytes,
    currencies: Currencies,
) -> Transaction:
    number = int.from_bytes(digest[-4:], "big")
    account = _filled("account", (mapping.account,), row, number)
    counter = _filled("counter_account", mapping.counter_account, row, number)
    currency = _filled("currency", (mapping.currency,), row)
    signed = _amount(mapping, row, currency, currencies)
    money = Money(abs(signed.amount_minor), currency)
    at = _time(mapping, row)
    legs = [debit(counter, money), credit(account, money)]
    if signed.amount_minor < 0:
        legs = [debit(account, money), credit(counter, money)]
    if account == counter:
        raise BadRow(f"account and counter_account are both {account}: nothing would move")
    return Transaction(
        entries=legs,
        type=_filled("type", (mapping.type,), row),
        description=mapping.description.fill(row).strip() or None if mapping.description else None,
        metadata={"source": mapping.source, "row": own_id},
        effective_at=at,
        id=ids.mint(_milliseconds(at), digest[: ids.RANDOM_BYTES]),
        idempotency_key=f"{mapping.source}:{own_id}" if mapping.claim_keys else None,
        historical=True,
    )


def _filled(
    field: str, templates: tuple[Template, ...], row: Mapping[str, str], number: int = 0
) -> str:
    template = first_that_fits(templates, row)
    if template is None:
        wanted = " or ".join(template.text for template in templates)
        raise BadRow(f"it has nothing for {field}: {wanted}")
    return template.fill(row, number)


def _translated(mapping: FileMapping, row: Mapping[str, str]) -> Mapping[str, str]:
    translated = dict(row)
    for name, words in mapping.words.items():
        said = translated[name]
        if said not in words:
            raise BadRow(f"{name} is {_short(said)}: the mapping has no word for it")
        translated[name] = words[said]
    return translated


def _amount(
    mapping: FileMapping, row: Mapping[str, str], currency: str, currencies: Currencies
) -> Money:
    """The amount; negative takes it out of the account."""
    text = _filled("amount", mapping.amount, row)
    money = currencies.money(_plain(mapping, text), currency)
    if mapping.direction is None:
        return money
    said = mapping.direction.fill(row)
    if said not in mapping.credit and said not in mapping.debit:
        raise BadRow(f"direction is {_short(said)}: the mapping has no such word")
    if money.amount_minor < 0:
        raise BadRow("the amount is negative, beside a word that says which way it goes")
    return money if said in mapping.credit else -money


def _plain(mapping: FileMapping, text: str) -> str:
    """An amount as `-12.50`. Thousands must stand in threes: `1,20` is no 120."""
    point, comma = re.escape(mapping.decimal_separator), _thousands(mapping.thousands_separator)
    whole = rf"[0-9]{{1,3}}(?:{comma}[0-9]{{3}})+|[0-9]+" if comma else "[0-9]+"
    found = re.fullmatch(rf"([+-]?)\s?({whole})(?:{point}([0-9]+))?", text)
    if found is None:
        raise BadRow(f"amount is {_short(text)}: the mapping expects {_example(mapping)}")
    sign, digits, decimals = found.groups()
    plain = re.sub("[^0-9]", "", digits) + (f".{decimals}" if decimals else "")
    return f"-{plain}" if sign == "-" else plain


def _thousands(separator: str) -> str:
    # A space in a bank's file is as often one that does not break.
    return "[ \u00a0\u202f]" if separator in (" ", "\u00a0", "\u202f") else re.escape(separator)


def _example(mapping: FileMapping) -> str:
    return f"numbers as 1{mapping.thousands_separator}234{mapping.decimal_separator}50"


def _time(mapping: FileMapping, row: Mapping[str, str]) -> datetime:
    text = _filled("date", (mapping.date,), row)
    try:
        at = datetime.strptime(text, mapping.date_format)  # noqa: DTZ007  # its zone comes next
        return (at if at.tzinfo else at.replace(tzinfo=mapping.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRow(
            f"date is {_short(text)}: the mapping expects the form {mapping.date_format}"
        ) from None


def _milliseconds(at: datetime) -> int:
    milliseconds = (at - ids.EPOCH) // timedelta(milliseconds=1)
    if milliseconds < 0:
        raise BadRow("date is before 1970: an id cannot say so")
    return milliseconds


def _short(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…")
