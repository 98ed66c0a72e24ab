"""One batch of the stream: its folds side by side, and the lowest record that has to come again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ledger.errors import InvalidRequest, LedgerError, Misconfigured
from ledger.items import BadItem
from ledger.log import logger
from ledger.runtime import Runtime
from projector import quarantine
from projector.apply import apply
from projector.errors import Unappliable
from projector.fold import Fold, folds
from projector.fold import parts as in_parts
from projector.publish import Bus
from projector.record import Applicable, Ignored, Quarantined, Record, meaning
from projector.tally import Tally

log = logger("projector")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch did. `failed_from` is the lowest sequence number that was not applied, or None.

    Everything from there comes again, harmlessly. `newest` is the newest record's time. `error` is
    set where tables or permissions are missing: no repetition helps before someone mends that.
    """

    tally: Tally
    failed_from: str | None
    newest: datetime | None
    error: Misconfigured | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """The result of one piece of the batch: what it did, what is in the view now, and what failed."""

    tally: Tally
    failed: Sequence[Record] = ()
    applied: Sequence[Applicable] = ()
    error: Misconfigured | None = None


def process(
    rt: Runtime, records: Sequence[Record], *, parallel: int, bus: Bus | None = None
) -> BatchResult:
    """Apply a batch, `parallel` accounts at a time, and publish what it brought to the `bus`.

    The order of records does not matter, so what cannot be understood goes into quarantine and the
    rest goes on. Only what DynamoDB refused, or the bus did not take, is reported as failed.
    """
    meanings = [meaning(record) for record in records]
    parts = [_quarantine(rt, one) for one in meanings if isinstance(one, Quarantined)]
    wanted = folds(one for one in meanings if isinstance(one, Applicable))
    parts += _side_by_side(rt, wanted, parallel)
    if bus is not None:
        parts.append(_publish(rt, bus, [one for part in parts for one in part.applied], parallel))
    repeated = _repeated(meanings, wanted)
    result = BatchResult(
        tally=sum((part.tally for part in parts), Tally(duplicates=repeated)),
        failed_from=_lowest(record for part in parts for record in part.failed),
        newest=max((record.created_at for record in records), default=None),
        error=next((part.error for part in parts if part.error), None),
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

    def work(some: Sequence[Fold]) -> list[_Part]:
        return [_apply(rt, fold) for fold in some]

    # A thread has none of the caller's context, in which its log lines say whose they are.
    contexts = [copy_context() for _ in places]
    with ThreadPoolExecutor(min(parallel, len(places))) as pool:
        parts = pool.map(lambda context, some: context.run(work, some), contexts, places)
        return [part for some in parts for part in some]


def _apply(rt: Runtime, fold: Fold) -> _Part:
    records = [one.record for one in fold.entries.values()]
    entries = {id: one.entry for id, one in fold.entries.items()}
    transactions = _transactions(fold.entries.values())
    try:
        tally = apply(rt, fold.account, fold.currency, entries)
    except (BadItem, InvalidRequest, Unappliable) as error:
        # No repetition helps: the records wait for an operator, the shard does not.
        return _together(_quarantine(rt, Quarantined(record, str(error))) for record in records)
    except Misconfigured as error:
        return _Part(Tally(), records, error=error)
    except LedgerError as error:
        log.warning(
            "not applied",
            account=fold.account,
            currency=fold.currency,
            transactions=transactions,
            error=type(error).__name__,
            message=str(error),
        )
        return _Part(Tally(), records)
    log.info(
        "applied",
        account=fold.account,
        currency=fold.currency,
        transactions=transactions,
        applied=tally.applied,
        duplicates=tally.duplicates,
        late=tally.late,
    )
    return _Part(tally, applied=list(fold.entries.values()))


def _transactions(some: Iterable[Applicable]) -> list[str]:
    """By which a line is found; a fold has at most 90."""
    return sorted({one.entry.transaction_id for one in some})


def _together(parts: Iterable[_Part]) -> _Part:
    some = list(parts)
    return _Part(
        sum((part.tally for part in some), Tally()),
        [record for part in some for record in part.failed],
        error=next((part.error for part in some if part.error), None),
    )


def _quarantine(rt: Runtime, one: Quarantined) -> _Part:
    try:
        quarantine.put(rt, one)
    except Misconfigured as error:
        return _Part(Tally(), [one.record], error=error)
    except LedgerError as error:
        log.warning(
            "not quarantined",
            stream_event=one.record.event_id,
            error=type(error).__name__,
            message=str(error),
        )
        return _Part(Tally(), [one.record])
    return _Part(Tally(quarantined=1, tampered=int(one.tampering)))


def _publish(rt: Runtime, bus: Bus, applied: Sequence[Applicable], parallel: int) -> _Part:
    """Publish what is in the view now, whether this batch applied it or an earlier one.

    That one may have died before it published. What the bus will never take waits in quarantine:
    were it reported, it would hold up the balances behind it until it is too old.
    """
    left = bus.publish([one.entry for one in applied], parallel=parallel)
    passing = [one for one in applied if one.entry.id in left and not left[one.entry.id].for_good]
    refused = [one for one in applied if one.entry.id in left and left[one.entry.id].for_good]
    for some in in_parts(passing):
        log.warning(
            "not published",
            transactions=_transactions(some),
            message=left[some[0].entry.id].reason,
        )
    why = "not published: {}: mend the cause, then `folio redrive`"
    kept = _together(
        _quarantine(rt, Quarantined(one.record, why.format(left[one.entry.id].reason)))
        for one in refused
    )
    tally = kept.tally + Tally(published=len(applied) - len(left))
    return _Part(tally, [*kept.failed, *(one.record for one in passing)], error=kept.error)
