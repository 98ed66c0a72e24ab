"""What an earlier write means for this call: the same request is a replay, another one a conflict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from ledger import build, fingerprint
from ledger.errors import REFUSALS, IdempotencyConflict, LedgerError, Misconfigured
from ledger.items import Item
from ledger.model import Entry, Header, Receipt, Refusal

REQUEST_FIELDS = ("type", "single", "effective_at", "description", "metadata")
ENTRY_FIELDS = (
    "type",
    "direction",
    "amount_minor",
    "pending_minor",
    "single",
    "counterparties",
    "effective_at",
    "description",
)


def what_stands(item: Item | None) -> Item:
    """The item for which a condition failed; every request asks for it."""
    if item is None:
        raise Misconfigured("a condition failed and nothing stands there: the engine misbehaves")
    return item


def replay(wanted: Header, standing: Header) -> Receipt:
    """The first result of `wanted`, given the header that stands under its id or key.

    Raises:
        IdempotencyConflict: what stands there is another request, or under another key.
        LedgerError: what stands there is a refusal; it is raised again.
    """
    key = wanted.idempotency_key
    if key is not None and standing.idempotency_key != key:
        raise _conflict(wanted, standing.id, ("idempotency_key",))
    # Under the version that it was written with: an upgrade must not make a retry a conflict.
    if fingerprint.of_request(replace(wanted, version=standing.version)) != standing.fingerprint:
        raise _conflict(wanted, standing.id, tuple(_differing(wanted, standing)))
    if standing.refusal:
        raise refused(standing, standing.refusal)
    return Receipt(
        id=standing.id,
        entries=build.entries(standing),
        replayed=True,
        idempotency_key=standing.idempotency_key,
    )


def refused(header: Header, refusal: Refusal) -> LedgerError:
    """The refusal that stands in a header, as the error that it was."""
    kind = REFUSALS.get(refusal.error, LedgerError)
    return kind(refusal.message, id=header.id, idempotency_key=header.idempotency_key)


def _conflict(wanted: Header, standing_id: str, differing: tuple[str, ...]) -> IdempotencyConflict:
    what = "id" if wanted.id == standing_id else "idempotency key"
    return IdempotencyConflict(
        f"the {what} stands for another request, transaction {standing_id}: "
        f"{', '.join(differing) or 'its fingerprint'} differ; nothing was written. "
        "Another request needs another id and key",
        fields=differing,
        id=standing_id,
        idempotency_key=wanted.idempotency_key,
    )


def _differing(wanted: Header, standing: Header) -> Iterator[str]:
    for name in REQUEST_FIELDS:
        if getattr(wanted, name) != getattr(standing, name):
            yield name
    if len(wanted.entries) != len(standing.entries):
        yield "entries"
        return
    for place, (ours, theirs) in enumerate(zip(wanted.entries, standing.entries, strict=True)):
        for name in (field.name for field in fields(ours)):
            if getattr(ours, name) != getattr(theirs, name):
                yield f"entries[{place}].{name}"


def replay_entry(wanted: Entry, standing: Entry) -> Receipt:
    """The first result of an append, given the entry that stands at its key.

    Raises:
        IdempotencyConflict: what stands there is another entry.
    """
    ours = replace(wanted, version=standing.version)
    if fingerprint.of_entry(ours) == standing.fingerprint:
        return Receipt(id=standing.transaction_id, entries=(standing,), replayed=True)
    differing = tuple(
        name for name in ENTRY_FIELDS if getattr(ours, name) != getattr(standing, name)
    )
    raise IdempotencyConflict(
        f"the id stands for another entry on this account and currency: "
        f"{', '.join(differing) or 'its fingerprint'} differ; nothing was written. "
        "Another entry needs another id",
        fields=differing,
        id=wanted.transaction_id,
    )
