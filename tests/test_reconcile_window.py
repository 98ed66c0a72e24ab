"""A night's reconciliation of one window names what a full one names of it, and no drift where none is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, Money, Receipt, Transaction, build, credit, debit, ids, keys
from ledger.embedded.engine import Engine
from ledger.items import Item, entry_item, header_from, header_item
from ledger.reconcile import Report, reconcile
from ledger.reconcile.export import reconcile_window
from ledger.reconcile.report import Finding
from ledger.request import Request
from projector import seal
from projector.record import Record
from tests.conftest import NewHouse, Where
from tests.support.exports import Exporter
from tests.support.house import House
from tests.support.stage import small_caps


@pytest.fixture
def engine(session: boto3.Session, dynamodb_local: Engine) -> Where:
    """One engine: an export is read in this process, and what it is compared with is tested on both."""
    return Where("dynamodb-local", session, dynamodb_local.endpoint_url)


def run(exporter: Exporter, folders: list[str] | None = None, **arguments: Any) -> Report:
    """Reconcile the window that ends now; waiting lets time pass, and the projector catch up."""
    house = exporter.house

    def sleep(seconds: float) -> None:
        house.clock.advance(seconds)
        house.settle()

    exports = folders or exporter.take()
    return reconcile_window(
        house.runtime, exporter.objects, exports, **({"sleep": sleep} | arguments)
    )


def pay(house: House, count: int, account: str = "user:1", **more: Any) -> list[Receipt]:
    """Some deposits."""
    money = Money(5, "EUR")
    legs = [debit("world:card", money), credit(account, money)]
    transactions = [Transaction(entries=legs, type="deposit", **more)] * count
    return [o for o in house.ledger.post_many(transactions) if isinstance(o, Receipt)]


@pytest.fixture
def paged(new_house: NewHouse, monkeypatch: pytest.MonkeyPatch) -> Exporter:
    """A house whose first window is behind it: three pages on `world:card`, everything projected."""
    monkeypatch.setattr(seal, "MIN_SEAL", 4)
    monkeypatch.setattr(seal, "MAX_UNITS_AN_EVENT", 100)
    house = new_house()
    exporter = Exporter(house)
    for _ in range(3):
        pay(house, 4)
        house.ledger.append(credit("user:2", Money(3, "EUR")), type="gift")
        house.clock.advance(600)
        house.settle()
    assert len(house.pages("world:card")) == 3
    assert run(exporter).verdict == "clean"
    return exporter


def kinds(report: Report) -> set[str]:
    """Which kinds of findings there are."""
    return {finding.kind for finding in report.findings}


def test_a_sound_window_is_clean_and_sums_to_zero(paged: Exporter) -> None:
    """Its figures are those of what was written in it, and of nothing before."""
    pay(paged.house, 3)
    paged.house.ledger.append(credit("user:2", Money(7, "EUR")), type="gift")
    since = paged.since
    paged.house.clock.advance(600)
    paged.house.settle()

    report = run(paged)

    assert (report.verdict, report.findings, report.unread) == ("clean", (), ())
    assert (report.entries, report.transactions, report.singles) == (7, 3, 1)
    assert (report.accounts, report.in_flight) == (3, 0)
    total = report.totals["EUR"]
    assert (total.credits, total.debits, total.single_credits) == (15, 15, 7)
    assert report.mode == "window"
    assert report.window == (since.isoformat(), paged.since.isoformat())


def test_an_empty_window_is_clean(paged: Exporter) -> None:
    """A night without business."""
    paged.house.clock.advance(600)
    report = run(paged)
    assert (report.verdict, report.entries, report.accounts) == ("clean", 0, 0)


def test_the_windows_digests_add_up_to_the_logs(paged: Exporter) -> None:
    """Night by night they are of the same entries as a full replay's, which is their sum."""
    house, start = paged.house, paged
    first = int(reconcile(house.runtime).digest, 16)
    pay(house, 3)
    house.clock.advance(600)
    house.settle()
    second = int(run(start).digest, 16)

    assert (first + second) % (1 << 256) == int(reconcile(house.runtime).digest, 16)


def test_fault_35_what_lags_is_waited_for(paged: Exporter) -> None:
    """The window's last entries are as old as the grace time before any view is read."""
    house = paged.house
    pay(house, 3)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        assert keys.balance("EUR") not in str(house.faults.calls)
        waited.append(seconds)
        house.clock.advance(seconds)
        house.settle()

    folders = paged.take()
    house.faults.heal()
    assert run(paged, folders, sleep=sleep).verdict == "clean"
    assert waited == [60.0]


@pytest.mark.parametrize("part", ["header", "entry"])
def test_a_transaction_that_the_windows_edge_cuts_is_no_drift(paged: Exporter, part: str) -> None:
    """One part lies in each window: direct reads find the other, and no trial balance has it."""
    house = paged.house
    pay(house, 2)
    (cut,) = pay(house, 1)
    house.clock.advance(600)
    house.settle()

    def withheld(item: Item) -> bool:
        header = item["SK"]["S"] == keys.HEADER
        mine = item["PK"]["S"] in (keys.transaction(cut.id), keys.account("user:1"))
        return mine and (header or cut.id in item["SK"]["S"]) and header is (part == "header")

    first = run(paged, paged.take(withheld=withheld))
    second = run(paged)

    assert (first.verdict, second.verdict) == ("clean", "clean")
    assert first.entries + second.entries == 6
    assert all(t.balanced for report in (first, second) for t in report.totals.values())


def test_fault_29_late_entries_of_old_pages_are_found_in_them(paged: Exporter) -> None:
    """A delayed writer's entry carries an old id: the window has it by the time of its write."""
    house = paged.house
    old = ids.mint(house.clock.time_ms() - 1_100_000, bytes(10))
    pay(house, 1, id=old, historical=True)
    house.settle()
    house.clock.advance(600)
    assert any(ids.pack(f"{old}#00") in page.ids for page in house.pages("world:card"))

    assert run(paged).verdict == "clean"


def test_fault_23_entries_that_the_view_lacks_are_missing(paged: Exporter) -> None:
    """Also late ones, whose page nobody wrote, and also young ones: the window is old enough."""
    house = paged.house
    old = ids.mint(house.clock.time_ms() - 1_100_000, bytes(10))
    receipts = [*pay(house, 1, id=old, historical=True), *pay(house, 1)]
    house.new_records()  # and trimmed

    report = run(paged)

    assert kinds(report) == {"missing"}
    assert {f.entry_id for f in report.findings} == {e.id for r in receipts for e in r.entries}


# What a hand does between two nights, given the house and its ledger's oldest deposit.


def put(house: House, table: str, item: Item) -> None:
    """Write an item behind the ledger's back."""
    name = getattr(house.settings, f"{table}_table")
    house.runtime.store.send(Request("put_item", {"TableName": name, "Item": item}))


def delete(house: House, table: str, item: Item) -> None:
    """Remove an item behind the ledger's back."""
    name = getattr(house.settings, f"{table}_table")
    key = {"PK": item["PK"], "SK": item["SK"]}
    house.runtime.store.send(Request("delete_item", {"TableName": name, "Key": key}))


def page(house: House, number: int = 0) -> Item:
    """A page of world:card."""
    items = [i for i in house.items("balances") if i["SK"]["S"].startswith("PAGE#")]
    return sorted(
        (i for i in items if i["PK"]["S"] == keys.account("world:card")),
        key=lambda i: str(i["SK"]["S"]),
    )[number]


def balance(house: House, account: str = "world:card") -> Item:
    """A balance item."""
    place = (keys.account(account), keys.balance("EUR"))
    item = house.runtime.store.get(house.settings.balances_table, *place)
    assert item is not None
    return item


def entry(house: House, account: str = "user:1") -> Item:
    """The oldest entry of an account."""
    return entry_item(house.ledger.entries(account, limit=1)[0])


def header(house: House) -> Item:
    """The header of the oldest deposit."""
    id = house.ledger.entries("user:1", limit=1)[0].transaction_id
    item = house.runtime.store.get(house.settings.events_table, keys.transaction(id), keys.HEADER)
    assert item is not None
    return item


def nobody_s(house: House, *, age_ms: int = 0) -> Item:
    """An entry that no header names, with a fingerprint of its own."""
    template = house.ledger.entries("user:1", limit=1)[0]
    id = ids.mint(house.clock.time_ms() - age_ms, house.random.randbytes(10))
    return entry_item(build._signed(replace(template, transaction_id=id, place=0)))


def inject(house: House, *, age_ms: int = 0, projected: bool = True) -> None:
    """The projector cannot know that it is nobody's."""
    put(house, "events", nobody_s(house, age_ms=age_ms))
    if projected:
        house.settle()
    else:
        house.new_records()  # and trimmed


def with_number(item: Item, name: str, change: int) -> Item:
    """The item with another number."""
    return item | {name: {"N": str(int(item[name]["N"]) + change)}}


def without_one(item: Item, name: str) -> Item:
    """The item with one id less."""
    return item | {name: {"BS": item[name]["BS"][1:]}}


def with_phantom(item: Item, name: str, house: House) -> Item:
    """The item with the id of an entry that never was, in its range."""
    like = max(item[name]["BS"])
    phantom = like[:-2] + bytes((like[-2] ^ 1, 0)) if name == "ids" else like[:16] + b"\x07"
    return item | {name: {"BS": [*item[name]["BS"], phantom]}}


def gone_header(house: House) -> None:
    """A header in the oldest deposit's place is removed."""
    delete(house, "events", header(house))


def no_pages_key(house: House) -> str:
    """A key among those of the pages."""
    key: str = page(house)["SK"]["S"]
    return key.rsplit("#", 2)[0] + "#00nonsense"


TAMPERINGS: dict[str, Callable[[House], object]] = {
    "entry altered": lambda h: put(h, "events", with_number(entry(h), "amount_minor", 1)),
    "entry altered, on an account that rests": lambda h: put(
        h, "events", with_number(entry(h, "user:2"), "amount_minor", 1)
    ),
    "entry removed": lambda h: delete(h, "events", entry(h)),
    "entry removed, appended by itself": lambda h: delete(h, "events", entry(h, "user:2")),
    "entry injected": inject,
    "entry injected with an old id": lambda h: inject(h, age_ms=1_100_000),
    "entry injected, never projected": lambda h: inject(h, projected=False),
    "header altered": lambda h: put(h, "events", header(h) | {"type": {"S": "other"}}),
    "header garbled": lambda h: put(h, "events", header(h) | {"entries": {"S": "none"}}),
    "header removed": gone_header,
    "no entry's key": lambda h: put(
        h, "events", entry(h) | {"SK": {"S": keys.event("EUR", "nonsense")}}
    ),
    "no entry's key, before the oldest": lambda h: put(
        h, "events", entry(h) | {"SK": {"S": keys.event("EUR", "00nonsense")}}
    ),
    "balance sums": lambda h: put(h, "balances", with_number(balance(h), "debits", 1)),
    "balance sums, on an account that rests": lambda h: put(
        h, "balances", with_number(balance(h, "user:2"), "credits", 1)
    ),
    "balance gone": lambda h: delete(h, "balances", balance(h)),
    "balance garbled": lambda h: put(h, "balances", balance(h) | {"through": {"S": "?"}}),
    "page sums": lambda h: put(h, "balances", with_number(page(h), "debits", 1)),
    "page gone": lambda h: delete(h, "balances", page(h, 1)),
    "page garbled": lambda h: put(h, "balances", page(h) | {"ids": {"S": "?"}}),
    "no page's key": lambda h: put(h, "balances", page(h) | {"SK": {"S": no_pages_key(h)}}),
    "page's range": lambda h: put(h, "balances", page(h, 1) | {"from": {"B": ids.FIRST}}),
    "missing in a page": lambda h: put(h, "balances", without_one(page(h), "ids")),
    "missing in open": lambda h: put(h, "balances", without_one(balance(h, "user:2"), "open")),
    "phantom in a page": lambda h: put(h, "balances", with_phantom(page(h), "ids", h)),
    "phantom in open": lambda h: put(h, "balances", with_phantom(balance(h, "user:2"), "open", h)),
    "a balance of nobody": lambda h: put(
        h, "balances", balance(h) | {"PK": {"S": keys.account("nobody")}}
    ),
}


def identities(findings: tuple[Finding, ...]) -> set[tuple[str, ...]]:
    """What tells findings apart."""
    return {finding.identity for finding in findings}


@pytest.mark.parametrize("what", TAMPERINGS)
@pytest.mark.parametrize("busy", [True, False])
def test_fault_36_and_37_what_a_full_run_names_the_window_names(
    paged: Exporter, what: str, busy: bool
) -> None:
    """By the same findings, whatever else happened in the window, and not by one that is not there."""
    house = paged.house
    if busy:
        pay(house, 2)
        house.settle()
    TAMPERINGS[what](house)
    house.clock.advance(600)
    full = reconcile(house.runtime, sleep=lambda _seconds: None)
    assert full.findings

    report = run(paged, sleep=lambda _seconds: None)

    assert report.verdict == "drift"
    assert identities(full.findings) <= identities(report.findings)
    more = {f.kind for f in report.findings if f.identity not in identities(full.findings)}
    assert more <= {"altered", "header altered"}, "only the export knows what stood there before"


def test_what_was_there_before_is_not_looked_for_again(paged: Exporter) -> None:
    """The night before named the page. Later ones say that its account's sums disagree, if it moves."""
    house = paged.house
    put(house, "balances", with_number(page(house), "debits", 1))
    house.clock.advance(600)
    assert kinds(run(paged)) == {"page sums"}
    (receipt,) = pay(house, 1)
    house.new_records()  # and trimmed
    house.clock.advance(600)

    report = run(paged, sleep=lambda _seconds: None)

    assert kinds(report) == {"missing", "balance sums"}
    assert {f.transaction_id for f in report.findings if f.entry_id} == {receipt.id}
    full = reconcile(house.runtime, sleep=lambda _seconds: None)
    assert kinds(full) == {"missing", "page sums"}


def test_a_tampering_that_was_undone_is_no_drift(paged: Exporter) -> None:
    """What stands there again when it is looked at is what stood there before."""
    before = entry(paged.house)
    put(paged.house, "events", with_number(before, "amount_minor", 1))
    paged.house.clock.advance(600)
    folders = paged.take()
    put(paged.house, "events", before)

    assert run(paged, folders).verdict == "clean"


@pytest.mark.parametrize("what", ["altered", "removed"])
def test_fault_36_only_the_export_knows_an_entry_that_was_forged_well(
    paged: Exporter, what: str
) -> None:
    """Appended by itself, with a new fingerprint and the old amount: nothing else disagrees with it."""
    before = paged.house.ledger.entries("user:2", limit=1)[0]
    if what == "altered":
        forged = build._signed(replace(before, description="somebody else's"))
        put(paged.house, "events", entry_item(forged))
    else:
        delete(paged.house, "events", entry_item(before))
    paged.house.clock.advance(600)

    report = run(paged)

    assert ("altered", before.id) in {(f.kind, f.entry_id) for f in report.findings}
    full = reconcile(paged.house.runtime, sleep=lambda _seconds: None)
    assert what == "removed" or full.verdict == "clean"


def test_a_header_of_a_newer_version_is_incomplete(paged: Exporter) -> None:
    """An old reconciler cannot call a new header altered."""
    (receipt,) = pay(paged.house, 1)
    item = paged.house.runtime.store.get(
        paged.house.settings.events_table, keys.transaction(receipt.id), keys.HEADER
    )
    assert item is not None
    put(paged.house, "events", header_item(header_from(item)) | {"v": {"N": "2"}})
    paged.house.clock.advance(600)
    paged.house.settle()

    assert run(paged).verdict == "incomplete"


def test_a_key_that_is_gone_is_named_by_its_header(paged: Exporter) -> None:
    """A retry would pay twice."""
    legs = [debit("world:card", Money(1, "EUR")), credit("user:1", Money(1, "EUR"))]
    paged.house.ledger.post(legs, type="deposit", idempotency_key="k")
    name = paged.house.settings.idempotency_table
    key = {"PK": {"S": keys.idempotency("k")}}
    paged.house.runtime.store.send(Request("delete_item", {"TableName": name, "Key": key}))
    paged.house.clock.advance(600)
    paged.house.settle()

    assert kinds(run(paged)) == {"key"}


def test_exports_of_other_tables_or_windows_are_refused(paged: Exporter) -> None:
    """No verdict is given over what was not meant."""
    first = paged.take()
    paged.house.clock.advance(600)
    second = paged.take()
    for wrong in ([first[0]], [first[0], second[1]], [first[0], first[0]], [*first, second[0]]):
        with pytest.raises(InvalidRequest, match="export"):
            run(paged, wrong)


class Nights:
    """A house whose records arrive as the test draws, and the reports of its nights."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.exporter = Exporter(house)
        self.reports: list[Report] = []
        self.written = 0
        self._waiting: list[Record] = []
        self._seen: list[Record] = []

    def pay(self, many: int) -> None:
        """Deposits."""
        self.written += 2 * len(pay(self.house, many, f"user:{many % 3}"))

    def give(self, many: int) -> None:
        """An entry by itself."""
        self.house.ledger.append(credit(f"user:{many % 3}", Money(many, "EUR")), type="gift")
        self.written += 1

    def pay_late(self, many: int) -> None:
        """A deposit whose id is up to half an hour old."""
        age_ms = self.house.random.randrange(10_000, 2_000_000)
        id = ids.mint(self.house.clock.time_ms() - age_ms, self.house.random.randbytes(10))
        self.written += 2 * len(pay(self.house, 1, f"user:{many % 3}", id=id, historical=True))

    def project(self, many: int) -> None:
        """Some of the records that wait, in any order."""
        self._waiting += self.house.new_records()
        self.house.random.shuffle(self._waiting)
        part, self._waiting = self._waiting[: many * 4], self._waiting[many * 4 :]
        self.house.project(part)
        self._seen += part

    def repeat(self, many: int) -> None:
        """Records that came before come again."""
        self.house.project(self.house.random.sample(self._seen, min(len(self._seen), many)))

    def wait(self, many: int) -> None:
        """Minutes."""
        self.house.clock.advance(many * 100)

    def night(self, _many: int = 1) -> None:
        """The window ends; while its reconciliation waits, the projector catches up."""
        self.house.clock.advance(1)
        self.reports.append(run(self.exporter, sleep=self._catch_up))

    def _catch_up(self, seconds: float) -> None:
        self.house.clock.advance(seconds)
        self.house.project([*self._waiting, *self.house.new_records()])
        self._waiting = []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "give", "pay_late", "project", "repeat", "wait", "night"]),
        st.integers(min_value=1, max_value=6),
    ),
    min_size=6,
    max_size=22,
)


@given(steps=STEPS, seed=st.integers(0, 999))
def test_any_history_is_clean_night_by_night(
    new_house: NewHouse, steps: list[tuple[str, int]], seed: int
) -> None:
    """Lags, duplicates, late ids, seals and splits between and within windows: no drift is invented.

    And the nights together have compared every entry once.
    """
    with pytest.MonkeyPatch.context() as patch:
        small_caps(patch)
        nights = Nights(new_house(seed=seed, settling_seconds=1))
        for what, many in steps:
            getattr(nights, what)(many)
        nights.night()
    assert {report.verdict for report in nights.reports} == {"clean"}
    assert sum(report.entries for report in nights.reports) == nights.written
    assert all(t.balanced for report in nights.reports for t in report.totals.values())


def test_a_window_that_runs_out_of_time_is_incomplete(paged: Exporter) -> None:
    """Wherever it ends, in the export or among the views: never clean, and it says so."""
    pay(paged.house, 2)
    paged.house.clock.advance(600)
    paged.house.settle()
    folders = paged.take()

    def looks(allowed: int) -> Report:
        left = iter([100.0] * allowed)
        return run(paged, folders, remaining=lambda: next(left, 0.0))

    reports = [looks(allowed) for allowed in range(0, 60, 4)]

    ended = [report for report in reports if report.unread]
    assert 3 <= len(ended) < len(reports)
    assert all(report.verdict == "incomplete" for report in ended)
    assert all("out of time" in " ".join(report.unread) for report in ended)
    assert {report.verdict for report in reports if not report.unread} == {"clean"}


def test_a_long_export_is_not_read_past_the_time(
    paged: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading it asks DynamoDB nothing, so the time that is left is looked at line by line."""
    paged.house.ledger.append(credit("user:2", Money(3, "EUR")), type="gift")
    paged.house.clock.advance(600)
    paged.house.settle()
    folders = paged.take()
    read: list[str] = []
    chunks = paged.objects.chunks

    def noted(key: str) -> Iterator[bytes]:
        read.append(key)
        return chunks(key)

    monkeypatch.setattr(paged.objects, "chunks", noted)

    report = run(paged, folders, remaining=lambda: 0.0)

    assert report.verdict == "incomplete"
    assert not any("/balances/" in key for key in read if key.endswith(".gz"))
