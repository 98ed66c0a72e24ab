"""Fingerprints: SHA-256 over the canonical form of what the caller gave, by schema version.

A retry from another region, later, or after an upgrade has the same ones: the region is not part of
them, and a version's form never changes. They detect accidents and naive tampering; who can write
the table can also write a new fingerprint, which the reconciler's kept digests are for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ledger.model import Entry, Header

VERSION = 1
"""The schema version that is written today."""


def instant(at: datetime | None) -> str | None:
    """A time's canonical text: UTC, with microseconds."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def canonical_json(value: Any) -> str:
    """One text for one value: keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _entry_1(entry: Entry) -> list[Any]:
    return [
        "entry/1",
        entry.account,
        entry.currency,
        entry.transaction_id,
        entry.place,
        entry.type,
        entry.direction,
        str(entry.amount_minor),
        str(entry.pending_minor),
        entry.single,
        entry.counterparties,
        instant(entry.effective_at),
        entry.description,
    ]


def _request_1(header: Header) -> list[Any]:
    return [
        "request/1",
        [
            (e.account, e.direction, e.currency, str(e.amount_minor), str(e.pending_minor))
            for e in header.entries
        ],
        header.type,
        header.single,
        instant(header.effective_at),
        header.description,
        header.metadata,
    ]


ENTRY_FORMS: dict[int, Callable[[Entry], list[Any]]] = {1: _entry_1}
REQUEST_FORMS: dict[int, Callable[[Header], list[Any]]] = {1: _request_1}


def of_entry(entry: Entry) -> bytes:
    """The fingerprint of an entry's own fields, checked from the entry alone."""
    return _digest(ENTRY_FORMS[entry.version](entry))


def of_request(header: Header) -> bytes:
    """The fingerprint of the whole request, on the header and the idempotency key."""
    return _digest(REQUEST_FORMS[header.version](header))


def _digest(form: list[Any]) -> bytes:
    return hashlib.sha256(canonical_json(form).encode()).digest()
