"""Folding a batch: the new entries of one account and currency, each once, as one update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ledger.model import Entry
from ledger.view import Sums
from projector.record import Applicable

T = TypeVar("T")

MAX_FOLD = 90
"""Ids in one update: an expression holds 300 operators, and 99 `NOT contains` were measured to fit."""


@dataclass(frozen=True, slots=True)
class Fold:
    """At most 90 entries of one account and currency, by id."""

    account: str
    currency: str
    entries: Mapping[bytes, Applicable]


def folds(applicable: Iterable[Applicable]) -> list[Fold]:
    """The folds of a batch. A record that stands twice in it counts once."""
    groups: dict[tuple[str, str], dict[bytes, Applicable]] = {}
    for one in applicable:
        group = groups.setdefault((one.entry.account, one.entry.currency), {})
        group.setdefault(one.id, one)
    return [
        Fold(account, currency, dict(part))
        for (account, currency), group in groups.items()
        for part in parts(sorted(group.items()))
    ]


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """`items` in runs of at most 90."""
    return (items[start : start + MAX_FOLD] for start in range(0, len(items), MAX_FOLD))


def sums(entries: Iterable[Entry]) -> Sums:
    """What entries add up to."""
    total = Sums()
    for entry in entries:
        total = total.plus(entry)
    return total
