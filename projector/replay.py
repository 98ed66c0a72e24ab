"""Replay: every entry of the log through the projector's apply: fills a view that was lost.

It is harmless beside live projection and when it is run again, for what is in the view is not added
twice. So a replay that was killed is simply started anew. It publishes nothing: whoever listens to
the events has had them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ledger import ids, keys
from ledger.errors import LedgerError
from ledger.items import Image
from ledger.model import Entry
from ledger.reconcile.compare import seen
from ledger.reconcile.scans import scan
from ledger.runtime import Runtime
from projector.apply import apply
from projector.fold import parts

MAX_TOLD = 100
"""Of what failed, how much is told; `unsound` and `refused` count all."""


@dataclass(slots=True)
class Replayed:
    """What a replay did.

    Attributes:
        read: entries of the log.
        applied: those that the view lacked.
        already: those that it had.
        unsound: items that are not what they were written as, or not understood: not applied.
        refused: entries that DynamoDB refused: run it again.
        told: the first hundred of `unsound` and `refused`, and why.
    """

    read: int = 0
    applied: int = 0
    already: int = 0
    unsound: int = 0
    refused: int = 0
    told: list[str] = field(default_factory=list)

    def tell(self, why: str) -> None:
        """Note why something was not applied."""
        if len(self.told) < MAX_TOLD:
            self.told.append(why)


def replay(
    rt: Runtime, *, segments: int = 4, progress: Callable[[Replayed], None] | None = None
) -> Replayed:
    """Apply the whole log, `segments` parts of it side by side, each reply by reply.

    An account lies wholly in one segment, in the order of its ids: its view is built front to back,
    and nothing of it is late. Memory is a reply of 1 MB for each segment, whatever the log holds.

    Raises:
        Misconfigured, Unavailable: the log cannot be read; what is applied stays applied.
    """
    done, lock = Replayed(), Lock()

    def one(segment: int) -> None:
        part = {"Segment": segment, "TotalSegments": segments} if segments > 1 else {}
        for items in rt.store.pages(_entries(rt, **part)):
            _page(rt, items, done, lock)
            if progress is not None:
                progress(done)

    if segments == 1:
        one(0)
        return done
    with ThreadPoolExecutor(segments) as pool:
        list(pool.map(one, range(segments)))
    return done


def _entries(rt: Runtime, **part: Any) -> Any:
    return scan(
        rt.settings.events_table,
        FilterExpression="begins_with(SK, :event)",
        ExpressionAttributeValues={":event": {"S": keys.EVENT}},
        **part,
    )


def _page(rt: Runtime, items: Iterable[Image], done: Replayed, lock: Lock) -> None:
    for (account, currency), entries in _by_balance(items, done, lock).items():
        for part in parts(entries):
            _apply(rt, account, currency, part, done, lock)


def _by_balance(
    items: Iterable[Image], done: Replayed, lock: Lock
) -> dict[tuple[str, str], list[Entry]]:
    grouped: dict[tuple[str, str], list[Entry]] = {}
    with lock:
        for item in items:
            done.read += 1
            one = seen(item)
            if one.entry is None:
                done.unsound += 1
                done.tell(f"{item['PK']['S']} {item['SK']['S']}: {one.why}")
                continue
            grouped.setdefault((one.entry.account, one.entry.currency), []).append(one.entry)
    return grouped


def _apply(
    rt: Runtime, account: str, currency: str, part: Iterable[Entry], done: Replayed, lock: Lock
) -> None:
    entries = {ids.pack(entry.id): entry for entry in part}
    try:
        tally = apply(rt, account, currency, entries)
    except LedgerError as error:
        with lock:
            done.refused += len(entries)
            done.tell(f"{account} in {currency}: {type(error).__name__}: {error}")
        return
    with lock:
        done.applied += tally.applied
        done.already += tally.duplicates
