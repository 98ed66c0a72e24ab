"""What a batch did, as counts: the numbers behind the metrics and the log lines."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many events were applied, and what else happened on the way.

    `applied` counts late events too; `late` says how many of the applied were late. `published`
    counts what the event bus took, what was applied before included.
    """

    applied: int = 0
    duplicates: int = 0
    late: int = 0
    quarantined: int = 0
    tampered: int = 0
    suspects: int = 0
    seals: int = 0
    splits: int = 0
    published: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in NAMES})

    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(field.name for field in fields(Tally))
