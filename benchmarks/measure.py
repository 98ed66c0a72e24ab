"""Measuring: CPU of this process, in rounds that alternate, and units on requests really sent."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import boto3

from benchmarks.stage import Stage
from ledger.metering import Cost


@dataclass(frozen=True, slots=True)
class Round:
    """The same work twice, prepared: by the ledger, and by bare boto3 calls."""

    events: int
    folio: Callable[[], object]
    bare: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is counted as an event, what the bare call is, and how rounds are prepared.

    `prepare(stage, events)` sets the stage up once and returns what prepares each round.
    """

    name: str
    event: str
    bare: str
    prepare: Callable[[Stage, int], Callable[[], Round]]
    events: int
    """Of one round."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one event costs on one side."""

    calls: float
    write_units: float
    read_units: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Row:
    """A case, measured. `ratio` is the median over the rounds of the ledger's CPU to the bare one's."""

    name: str
    event: str
    events: int
    rounds: int
    folio: Side
    bare: Side
    bare_is: str
    ratio: float


def measure(
    case: Case, session: boto3.Session, endpoint_url: str, *, rounds: int, scale: float
) -> Row:
    """Measure one case on tables of its own; `scale` multiplies the events of a round."""
    stage = Stage(session, endpoint_url)
    prepare = case.prepare(stage, max(1, round(case.events * scale)))
    _timed(prepare())  # The first time, clients and caches come to be.
    timed = [_timed(prepare(), bare_first=bool(n % 2)) for n in range(rounds)]
    folio, bare, counted = Cost(), Cost(), 0
    with stage.metered() as (own, other):
        for _ in range(-(-rounds // 2)):
            one = prepare()
            before = own.total, other.total
            one.folio()
            one.bare()
            folio, bare = folio + own.total - before[0], bare + other.total - before[1]
            counted += one.events
    events = timed[0].events
    return Row(
        name=case.name,
        event=case.event,
        events=events,
        rounds=rounds,
        folio=_side(folio, counted, [t.folio_us for t in timed]),
        bare=_side(bare, counted, [t.bare_us for t in timed]),
        bare_is=case.bare,
        ratio=median(t.folio_us / t.bare_us for t in timed),
    )


@dataclass(frozen=True, slots=True)
class _Timed:
    """CPU microseconds an event of one round."""

    events: int
    folio_us: float
    bare_us: float


def _timed(one: Round, *, bare_first: bool = False) -> _Timed:
    """Both sides of a round, one right after the other, so that both meet the same machine."""
    if bare_first:
        bare = _cpu_us(one.bare)
        folio = _cpu_us(one.folio)
    else:
        folio = _cpu_us(one.folio)
        bare = _cpu_us(one.bare)
    return _Timed(one.events, folio / one.events, bare / one.events)


def _cpu_us(work: Callable[[], object]) -> float:
    """CPU of all threads of this process, without the engine's; waiting costs nothing."""
    gc.collect()
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1_000_000


def _side(cost: Cost, events: int, cpu_us: list[float]) -> Side:
    return Side(
        calls=cost.calls / events,
        write_units=cost.write_units / events,
        read_units=cost.read_units / events,
        cpu_us=median(cpu_us),
    )
