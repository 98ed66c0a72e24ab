"""Entries whose ids, amounts and order of arrival the test chooses, and projectors in each other's way."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger import fingerprint, ids
from ledger.items import entry_item
from ledger.model import Entry
from projector import fold, late, seal
from projector.record import EventName, Record
from tests.support.faults import Fault
from tests.support.house import START, House

SEQUENCE = itertools.count(10**20)
ITEMS_A_PUT = 25

NEXT = {
    "apply": [-1],
    "seal": [-8, -7, -6],
    "late": [-35],
    "split": [-36, -34, -33],
    "all": [-39, -36, -34, -9, -8, -7, -6, -1],
}
"""What comes next on an account whose page ends at -10 and holds 4 ids of at most 6."""


def small_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that a dozen events fill pages, and split them."""
    monkeypatch.setattr(fold, "MAX_FOLD", 4)
    monkeypatch.setattr(seal, "MIN_SEAL", 3)
    monkeypatch.setattr(seal, "MAX_OPEN", 8)
    monkeypatch.setattr(seal, "KEEP_OPEN", 4)
    monkeypatch.setattr(seal, "MAX_UNITS_AN_EVENT", 100)
    monkeypatch.setattr(late, "MAX_PAGE_IDS", 6)


def entry(
    account: str, second: float, signed: int, *, number: int = 0, currency: str = "EUR"
) -> Entry:
    """An entry recorded `second` seconds after the set clock's beginning.

    `signed` is its amount in minor units, a debit when negative; `number` tells entries of one
    moment apart.
    """
    milliseconds = int((START + second) * 1000)
    return signed_by_fingerprint(
        Entry(
            account=account,
            currency=currency,
            transaction_id=ids.mint(milliseconds, number.to_bytes(10, "big")),
            place=0,
            type="test",
            direction="credit" if signed > 0 else "debit",
            amount_minor=abs(signed),
            origin="eu-west-1",
            single=True,
        )
    )


def entries(
    account: str, seconds: Iterable[float], signed: int = 100, currency: str = "EUR"
) -> list[Entry]:
    """One entry for each of `seconds`, all of one amount."""
    return [
        entry(account, second, signed, number=number, currency=currency)
        for number, second in enumerate(seconds)
    ]


def signed_by_fingerprint(unsigned: Entry) -> Entry:
    """The entry with the fingerprint that its fields have."""
    return replace(unsigned, fingerprint=fingerprint.of_entry(unsigned))


def write(house: House, written: Sequence[Entry]) -> list[Record]:
    """Put entries into the log as a writer would, note them, and return their stream records."""
    for start in range(0, len(written), ITEMS_A_PUT):
        puts = [
            {"PutRequest": {"Item": entry_item(one)}}
            for one in written[start : start + ITEMS_A_PUT]
        ]
        house.faults.batch_write_item(RequestItems={house.settings.events_table: puts})
    for one in written:
        sign = 1 if one.direction == "credit" else -1
        house.books.add(one.account, one.currency, one.id, sign * one.amount_minor)
    return [record(entry_item(one)) for one in written]


def record(
    new: dict[str, Any] | None, *, old: dict[str, Any] | None = None, name: EventName = "INSERT"
) -> Record:
    """A stream record; each has a higher sequence number than the one before."""
    number = next(SEQUENCE)
    image = new or old or {}
    return Record(
        event_id=f"{number:032x}",
        name=name,
        sequence_number=str(number),
        keys={key: image[key] for key in ("PK", "SK") if key in image},
        new=new,
        old=old,
        created_at=datetime.fromtimestamp(START, UTC),
    )


class Interruption:
    """A plan of faults: before the call numbered `at` (from 0), `other` runs wholly."""

    def __init__(self, at: int, other: Callable[[], object]) -> None:
        self._left = at
        self._other = other
        self.happened = False

    def __call__(self, *_call: Any) -> Fault:
        if not self.happened:
            if not self._left:
                self.happened = True
                self._other()
            self._left -= 1
        return "none"


def interrupted(
    house: House, at: int, run: Callable[[], object], other: Callable[[], object]
) -> bool:
    """Run `run`, and `other` wholly before its call numbered `at`; whether there was such a call."""
    plan = Interruption(at, other)
    house.faults.plan = plan
    try:
        run()
    finally:
        house.faults.heal()
    return plan.happened


class Lockstep:
    """Several runs on one house, of which one at a time goes on, by a schedule, to its next call.

    Each run has a thread, and no two of them ever run at once: the same schedule always gives the
    same interleaving.
    """

    def __init__(self, house: House, runs: Sequence[Callable[[], object]]) -> None:
        self._house = house
        self._go = [threading.Semaphore(0) for _ in runs]
        self._parked = threading.Semaphore(0)
        self._errors: list[BaseException] = []
        self._alive = dict(enumerate(runs))
        self._mine = threading.local()

    def play(self, schedule: Iterator[int]) -> None:
        """Let run `n` do its next call for each `n` of the schedule, which must not end too early."""
        threads = [
            threading.Thread(target=self._run, args=(number, run))
            for number, run in self._alive.items()
        ]
        self._house.faults.plan = self._plan
        for thread in threads:
            thread.start()
        while self._alive:
            alive = sorted(self._alive)
            self._go[alive[next(schedule) % len(alive)]].release()
            self._parked.acquire()
        for thread in threads:
            thread.join()
        self._house.faults.heal()
        if self._errors:
            raise self._errors[0]

    def _run(self, number: int, run: Callable[[], object]) -> None:
        self._mine.number = number
        self._go[number].acquire()
        try:
            run()
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that plays
            self._errors.append(error)
        del self._alive[number]
        self._parked.release()

    def _plan(self, *_call: Any) -> Fault:
        self._parked.release()
        self._go[self._mine.number].acquire()
        return "none"
