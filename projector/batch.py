"""One batch of the stream: its folds side by side, and the lowest record that has to come again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ledger.errors import InvalidRequest, LedgerError
from ledger.items import BadItem
from ledger.log import logger
from ledger.runtime import Runtime
from projector import quarantine
from projector.apply import apply
from projector.errors import Unappliable
from projector.fold import Fold, folds
from projector.record import Applicable, Ignored, Quarantined, Record, meaning
from projector.tally import Tally

log = logger("projector")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch did. `failed_from` is the lowest sequence number that was not applied, or None.

    Everything from there comes again, harmlessly. `newest` is the newest record's time.
    """

    tally: Tally
    failed_from: str | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class _Part:
    """The result of one piece of the batch: what it did, and which of its records failed."""

    tally: Tally
    failed: Sequence[Record] = ()


def process(rt: Runtime, records: Sequence[Record], *, parallel: int) -> BatchResult:
    """Apply a batch, `parallel` accounts at a time.

    The order of records does not matter, so what cannot be understood goes into quarantine and the
    rest goes on. Only what DynamoDB refused is reported as failed.
    """
    meanings = [meaning(record) for record in records]
    parts = [_quarantine(rt, one) for one in meanings if isinstance(one, Quarantined)]
    wanted = folds(one for one in meanings if isinstance(one, Applicable))
    parts += _side_by_side(rt, wanted, parallel)
    repeated = _repeated(meanings, wanted)
    result = BatchResult(
        tally=sum((part.tally for part in parts), Tally(duplicates=repeated)),
        failed_from=_lowest(record for part in parts for record in part.failed),
        newest=max((record.created_at for record in records), default=None),
    )
    log.info(
        "batch",
        records=len(records),
        ignored=sum(isinstance(one, Ignored) for one in meanings),
        failed_from=result.failed_from,
        **result.tally.counts(),
    )
    return result


def _repeated(meanings: Iterable[object], wanted: Iterable[Fold]) -> int:
    """How many records stood in the batch more than once."""
    applicable = sum(isinstance(one, Applicable) for one in meanings)
    return applicable - sum(len(fold.entries) for fold in wanted)


def _lowest(records: Iterable[Record]) -> str | None:
    return min((record.sequence_number for record in records), key=int, default=None)


def _side_by_side(rt: Runtime, wanted: Sequence[Fold], parallel: int) -> list[_Part]:
    """Accounts side by side. The folds of one go in turn, or they would cancel each other's seals."""
    places = [list(some) for _, some in groupby(wanted, lambda fold: (fold.account, fold.currency))]
    if parallel == 1 or len(places) <= 1:
        return [_apply(rt, fold) for fold in wanted]
    with ThreadPoolExecutor(min(parallel, len(places))) as pool:
        parts = pool.map(lambda some: [_apply(rt, fold) for fold in some], places)
        return [part for some in parts for part in some]


def _apply(rt: Runtime, fold: Fold) -> _Part:
    records = [one.record for one in fold.entries.values()]
    entries = {id: one.entry for id, one in fold.entries.items()}
    try:
        return _Part(apply(rt, fold.account, fold.currency, entries))
    except (BadItem, InvalidRequest, Unappliable) as error:
        # No repetition helps: the records wait for an operator, the shard does not.
        kept = [_quarantine(rt, Quarantined(record, str(error))) for record in records]
        return _Part(
            sum((part.tally for part in kept), Tally()),
            [record for part in kept for record in part.failed],
        )
    except LedgerError as error:
        log.warning(
            "not applied",
            account=fold.account,
            currency=fold.currency,
            error=type(error).__name__,
            message=str(error),
        )
        return _Part(Tally(), records)


def _quarantine(rt: Runtime, one: Quarantined) -> _Part:
    try:
        quarantine.put(rt, one)
    except LedgerError as error:
        log.warning("not quarantined", error=type(error).__name__, message=str(error))
        return _Part(Tally(), [one.record])
    return _Part(Tally(quarantined=1, tampered=int(one.tampering)))
