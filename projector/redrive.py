"""Redrive: what waits in quarantine is looked at again and applied, if this version understands it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ledger.errors import LedgerError
from ledger.runtime import Runtime
from projector import quarantine
from projector.apply import apply
from projector.publish import Bus
from projector.quarantine import Kept
from projector.record import Applicable, Ignored, Quarantined, meaning

Fate = Literal["applied", "duplicate", "ignored", "tampering", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of one record. It left quarantine when it was `applied`, `duplicate` or `ignored`."""

    kept: Kept
    fate: Fate
    reason: str = ""


def redrive(rt: Runtime, bus: Bus | None = None) -> Iterator[Redriven]:
    """Look at everything in quarantine again, one record at a time; publish what was applied."""
    for one in quarantine.kept(rt):
        yield _again(rt, one, bus)


def _again(rt: Runtime, one: Kept, bus: Bus | None) -> Redriven:
    if one.tampering:
        return Redriven(one, "tampering", one.reason)
    if one.record is None:
        return Redriven(
            one, "kept", "only its keys were kept: `folio repair` applies it from the log"
        )
    found = meaning(one.record)
    if isinstance(found, Quarantined):
        return Redriven(one, "kept", found.reason)
    if isinstance(found, Ignored):
        quarantine.remove(rt, one)
        return Redriven(one, "ignored")
    return _apply(rt, one, found, bus)


def _apply(rt: Runtime, one: Kept, found: Applicable, bus: Bus | None) -> Redriven:
    entry = found.entry
    try:
        tally = apply(rt, entry.account, entry.currency, {found.id: entry})
    except LedgerError as error:
        return Redriven(one, "failed", f"{type(error).__name__}: {error}")
    if bus is not None and (left := bus.publish([entry], parallel=1)):
        return Redriven(one, "failed", f"applied, and not published: {left[entry.id].reason}")
    quarantine.remove(rt, one)
    return Redriven(one, "applied" if tally.applied else "duplicate")
