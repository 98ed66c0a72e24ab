"""One transaction by direct reads: the header against its entries, and entries against their header."""

from __future__ import annotations

from collections.abc import Iterable

from ledger import build, fingerprint, ids, keys
from ledger.items import BadItem, Image, header_from, key_from
from ledger.model import Entry, Header, KeyRecord
from ledger.reconcile.compare import seen
from ledger.reconcile.report import Finding
from ledger.runtime import Runtime

Place = tuple[str, str, str]
"""An account, a currency and an entry's id."""


def place(entry: Entry) -> Place:
    """Where an entry stands in the log."""
    return entry.account, entry.currency, entry.id


def check(rt: Runtime, transaction_id: str, suspected: Iterable[Place]) -> list[Finding]:
    """Compare a transaction with its entries, and with others that stand under its id.

    `suspected` are places at which entries of this id were seen. Entries appended by themselves
    have no header, and are none of its business.

    Raises:
        BadItem: the header is of a schema version that this code does not know.
    """
    item = rt.store.get(rt.settings.events_table, keys.transaction(transaction_id), keys.HEADER)
    header = _understood(item) if item is not None else None
    findings = altered(transaction_id, header) if item is not None else []
    findings += check_key_of(rt, header) if header else []
    expected = named(header)
    wanted = sorted({*expected, *suspected})
    standing = _standing(rt, wanted)
    for where in wanted:
        if where in standing and standing[where] is None:
            continue  # It is altered, which the comparison of its account names.
        findings += _compare(where, expected.get(where), standing.get(where), header)
    return findings


def readable(item: Image) -> Header | None:
    """The header, or None if it cannot be understood."""
    try:
        return header_from(item)
    except BadItem:
        return None


def _understood(item: Image) -> Header | None:
    """The header, or None if it is broken: one of a newer version is not."""
    try:
        return header_from(item)
    except BadItem as error:
        if error.reason == "unknown version":
            raise
        return None


def named(header: Header | None) -> dict[Place, Entry]:
    """The entries that the log must have by a header: none by a refused one."""
    if header is None or header.refusal is not None:
        return {}
    return {place(e): e for e in build.entries(header)}


def altered(transaction_id: str, header: Header | None) -> list[Finding]:
    """What is wrong with a header by itself."""
    message = _what_is_wrong(header)
    if message is None:
        return []
    return [Finding(kind="header altered", message=message, transaction_id=transaction_id)]


def _what_is_wrong(header: Header | None) -> str | None:
    if header is None:
        return "the header cannot be read"
    if fingerprint.of_request(header) != header.fingerprint:
        return "the header was changed behind the ledger: its fingerprint is not that of its fields"
    if header.refusal is None and not balances(header):
        return "the header's entries do not sum to zero"
    return None


def balances(header: Header) -> bool:
    """Whether a header's entries sum to zero, posted and pending, per currency."""
    sums: dict[tuple[str, str], int] = {}
    for e in header.entries:
        sign = 1 if e.direction == "credit" else -1
        for name, amount in (("posted", e.amount_minor), ("pending", e.pending_minor)):
            sums[e.currency, name] = sums.get((e.currency, name), 0) + sign * amount
    return header.single or not any(sums.values())


def _standing(rt: Runtime, places: Iterable[Place]) -> dict[Place, Entry | None]:
    """What stands at places in the log; None where it is altered."""
    wanted = [(keys.account(a), keys.event(c, i)) for a, c, i in places]
    found: dict[Place, Entry | None] = {}
    for item in rt.store.get_many(rt.settings.events_table, wanted):
        currency, entry_id = keys.split_event(item["SK"]["S"])
        found[keys.account_name(item["PK"]["S"]), currency, entry_id] = seen(item).entry
    return found


def _compare(
    where: Place, expected: Entry | None, standing: Entry | None, header: Header | None
) -> list[Finding]:
    account, currency, entry_id = where
    if expected is None and standing is not None and not standing.single:
        why = "no header stands under its id" if header is None else "its header does not name it"
        kind, message = "leg injected", f"an entry of the log is nobody's: {why}"
    elif expected is not None and standing is None:
        kind, message = "leg missing", "the log lacks an entry that its header names"
    elif expected and standing and expected.fingerprint != standing.fingerprint:
        kind, message = "altered", "the entry differs from what its header names"
    else:
        return []
    return [
        Finding(
            kind=kind,  # type: ignore[arg-type]  # one of three literals
            message=message,
            account=account,
            currency=currency,
            entry_id=entry_id,
            transaction_id=entry_id[: len(ids.NIL)],
        )
    ]


def readable_key(item: Image) -> KeyRecord | None:
    """The idempotency key of an item, or None if it cannot be understood."""
    try:
        return key_from(item)
    except BadItem:
        return None


def agree(record: KeyRecord, header: Header) -> bool:
    """Whether a key and the header that it names are of one request."""
    return (record.key, record.fingerprint) == (header.idempotency_key, header.fingerprint)


def check_key(rt: Runtime, key: str) -> list[Finding]:
    """Compare an idempotency key with the header that it names, by direct reads."""
    item = rt.store.get(rt.settings.idempotency_table, keys.idempotency(key))
    if item is None:
        return []
    record = readable_key(item)
    if record is None:
        return [_key("", "an idempotency key cannot be read")]
    transaction_id = record.transaction_id
    stands = rt.store.get(rt.settings.events_table, keys.transaction(transaction_id), keys.HEADER)
    header = readable(stands) if stands is not None else None
    if header is None:
        return [_key(transaction_id, "the key names a transaction that the log does not have")]
    if not agree(record, header):
        return [_key(transaction_id, "the key's transaction is another request's")]
    return []


def check_key_of(rt: Runtime, header: Header) -> list[Finding]:
    """Whether the key that a header names stands, and names it; a key with a time may be gone."""
    key = header.idempotency_key
    if key is None or header.key_expires:
        return []
    item = rt.store.get(rt.settings.idempotency_table, keys.idempotency(key))
    if item is None:
        return [_key(header.id, "the header's idempotency key is gone: a retry would pay twice")]
    record = readable_key(item)
    if record is None or record.transaction_id != header.id:
        return [_key(header.id, "the header's idempotency key names another transaction")]
    return []


def _key(transaction_id: str, message: str) -> Finding:
    return Finding(kind="key", message=message, transaction_id=transaction_id)
