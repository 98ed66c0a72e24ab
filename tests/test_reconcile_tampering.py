"""What a hand does to the log and the view that is subtler than a wrong amount: named all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger import Misconfigured, Money, Receipt, Transaction, build, credit, debit, ids, keys
from ledger.errors import Contended
from ledger.items import Item, entry_item, header_from, header_item
from ledger.model import Header, Refusal
from ledger.read.balance import image as read_image
from ledger.reconcile import Report, candidates, compare, legs, reconcile
from ledger.request import Request
from projector import seal
from tests.conftest import NewHouse
from tests.support.house import House


@pytest.fixture
def paged(new_house: NewHouse, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with eight transactions in pages of four, everything old and projected."""
    monkeypatch.setattr(seal, "MIN_SEAL", 4)
    monkeypatch.setattr(seal, "MAX_UNITS_AN_EVENT", 100)
    house = new_house()
    for _ in range(2):
        pay(house, 4)
        house.clock.advance(600)
        house.settle()
    assert len(house.pages("world:card")) == 2
    return house


def pay(house: House, count: int) -> list[Receipt]:
    """Some deposits."""
    money = Money(5, "EUR")
    legs_ = [debit("world:card", money), credit("user:1", money)]
    outcomes = house.ledger.post_many([Transaction(entries=legs_, type="deposit")] * count)
    return [o for o in outcomes if isinstance(o, Receipt)]


def run(house: House, accounts: list[str] | None = None) -> Report:
    """Reconcile at once."""
    return reconcile(house.runtime, accounts, sleep=lambda _seconds: None)


def kinds(report: Report) -> set[str]:
    """Which kinds of findings there are."""
    return {finding.kind for finding in report.findings}


def put(house: House, table: str, item: Item) -> None:
    """Write an item behind the ledger's back."""
    name = getattr(house.settings, f"{table}_table")
    house.runtime.store.send(Request("put_item", {"TableName": name, "Item": item}))


def header_of(house: House, transaction_id: str) -> Header:
    """A header as it stands."""
    place = (keys.transaction(transaction_id), keys.HEADER)
    item = house.runtime.store.get(house.settings.events_table, *place)
    assert item is not None
    return header_from(item)


def page_item(house: House, number: int) -> Item:
    """A page of world:card as it stands."""
    page = house.pages("world:card")[number]
    sort = keys.page("EUR", page.generation, ids.unpack(page.through))
    place = (keys.account("world:card"), sort)
    item = house.runtime.store.get(house.settings.balances_table, *place)
    assert item is not None
    return item


def first_transaction(house: House) -> str:
    """The oldest transaction."""
    return house.ledger.entries("user:1", limit=1)[0].transaction_id


@pytest.mark.parametrize("accounts", [None, ["user:1"]])
def test_entries_under_a_refusal_are_nobodys(paged: House, accounts: list[str] | None) -> None:
    """Who turns a header into a refusal has not undone its entries."""
    header = header_of(paged, first_transaction(paged))
    refusal = Refusal(error="InsufficientFunds", message="made by hand")
    put(paged, "events", header_item(replace(header, refusal=refusal)))

    assert kinds(run(paged, accounts)) == {"leg injected"}


def test_a_header_that_cannot_be_read_is_named(paged: House) -> None:
    """Garbage in place of a header is drift, and its entries are nobody's."""
    transaction_id = first_transaction(paged)
    item = header_item(header_of(paged, transaction_id))
    put(paged, "events", item | {"entries": {"S": "none"}})

    assert kinds(run(paged)) == {"header altered", "leg injected"}


def test_a_header_of_a_newer_version_is_incomplete(paged: House) -> None:
    """An old reconciler cannot call a new header altered."""
    item = header_item(header_of(paged, first_transaction(paged)))
    put(paged, "events", item | {"v": {"N": "2"}})

    assert run(paged).verdict == "incomplete"


def test_an_item_whose_key_is_no_entrys_is_named(paged: House) -> None:
    """It stands among an account's entries, so it is told."""
    entry = paged.ledger.entries("user:1", limit=1)[0]
    put(paged, "events", entry_item(entry) | {"SK": {"S": keys.event("EUR", "nonsense")}})

    report = run(paged)

    assert kinds(report) == {"leg injected"}
    assert "no entry's key" in report.findings[0].message


def test_pages_with_a_gap_between_them_are_named(paged: House) -> None:
    """An event in the gap could be applied by nobody."""
    page = page_item(paged, 1)
    put(paged, "balances", page | {"from": {"B": ids.FIRST}})

    findings = run(paged).findings

    assert [(f.kind, f.message) for f in findings] == [("broken view", "pages leave a gap")]


def test_an_id_outside_its_pages_range_is_named(paged: House) -> None:
    """It would be counted again by the page that covers it."""
    first, second = page_item(paged, 0), page_item(paged, 1)
    strange = first["ids"]["BS"][0]
    put(paged, "balances", second | {"ids": {"BS": [*second["ids"]["BS"], strange]}})

    messages = {f.message for f in run(paged).findings if f.kind == "broken view"}

    assert messages == {"an id lies outside its page's range"}


def test_a_key_that_names_nothing_is_named(paged: House) -> None:
    """A key made by hand would swallow the payment that it is used for."""
    key = {
        "PK": {"S": keys.idempotency("stolen")},
        "v": {"N": "1"},
        "transaction": {"S": paged.ledger.new_id()},
        "fingerprint": {"B": bytes(32)},
    }
    put(paged, "idempotency", key)

    assert kinds(run(paged)) == {"key"}


def test_a_view_that_never_rests_is_incomplete(
    paged: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late events without end are no drift, and not clean either."""
    real = read_image
    lates = iter(range(1000))

    def restless(*place: Any) -> Any:
        return replace(real(*place), lates=next(lates))

    monkeypatch.setattr("ledger.reconcile.account.image", restless)

    report = run(paged)

    assert report.verdict == "incomplete"
    assert any(Contended.__name__ in line for line in report.unread)


def test_more_findings_than_a_report_holds_are_counted(
    paged: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap of the stream may be longer than a report: what is left out is told as a number."""
    for module in (compare, candidates):
        monkeypatch.setattr(module, "MAX_FINDINGS", 2)
    pay(paged, 5)
    paged.clock.advance(600)

    report = run(paged)

    assert report.verdict == "drift"
    assert len(report.findings) + report.omitted == 10


def test_more_transactions_than_are_read_again_are_counted(
    paged: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a whole log is wrong, a run reads some of it again and counts the rest."""
    monkeypatch.setattr(legs, "MAX_BUCKETS", 1)
    template = paged.ledger.entries("user:1", limit=1)[0]
    for _ in range(3):
        injected = replace(template, transaction_id=paged.ledger.new_id(), place=0)
        put(paged, "events", entry_item(build._signed(injected)))
    paged.settle()
    paged.clock.advance(600)

    report = run(paged)

    assert (report.verdict, len(report.findings), report.omitted) == ("drift", 1, 2)


def test_headers_of_a_named_account_are_read_a_hundred_at_a_time(house: House) -> None:
    """However many transactions an account has."""
    pay(house, 101)
    house.settle()

    report = run(house, ["user:1"])

    assert (report.verdict, report.transactions) == ("clean", 101)


@pytest.mark.parametrize("projected", [True, False])
def test_fault_36_an_entry_dated_in_the_future_is_not_in_flight_for_ever(
    paged: House, projected: bool
) -> None:
    """Nobody mints such an id, so it is compared like an old one, applied or not."""
    template = paged.ledger.entries("user:1", limit=1)[0]
    next_year = ids.mint(paged.clock.time_ms() + 365 * 86_400_000, bytes(10))
    injected = build._signed(replace(template, transaction_id=next_year, place=0))
    put(paged, "events", entry_item(injected))
    if projected:
        paged.settle()

    report = run(paged)

    assert report.verdict == "drift"
    assert "leg injected" in kinds(report)
    assert ("missing" in kinds(report)) is not projected
    assert {f.entry_id for f in report.findings} == {injected.id}


def test_what_was_not_looked_at_again_is_no_drift(
    paged: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import writes old ids between the accounts' queries and the scan: more than is read again."""
    monkeypatch.setattr(legs, "MAX_BUCKETS", 1)
    old = [ids.mint(paged.clock.time_ms() - 3_600_000, bytes([n] * 10)) for n in range(5)]
    waiting = [True]

    def write_meanwhile(_number: int, name: str, parameters: dict[str, Any]) -> Any:
        if name == "scan" and parameters["TableName"] == paged.settings.events_table and waiting:
            waiting.clear()
            for transaction_id in old:
                paged.ledger.transfer(
                    source="world:card",
                    destination="user:1",
                    money=Money(1, "EUR"),
                    type="import",
                    id=transaction_id,
                )
            paged.settle()
        return "none"

    paged.faults.plan = write_meanwhile

    report = run(paged)

    assert (report.verdict, report.findings) == ("incomplete", ())
    assert report.omitted > 0
    paged.faults.heal()
    assert run(paged).verdict == "clean"


def test_an_idempotency_key_that_cannot_be_read_is_named(paged: House) -> None:
    """Garbage in its place is found from the key's side and from its header's."""
    deposit = [debit("world:card", Money(1, "EUR")), credit("user:1", Money(1, "EUR"))]
    paged.ledger.post(deposit, type="deposit", idempotency_key="k")
    paged.settle()
    paged.clock.advance(600)
    put(paged, "idempotency", {"PK": {"S": keys.idempotency("k")}, "v": {"N": "1"}})

    assert kinds(run(paged)) == {"key"}
    with pytest.raises(Misconfigured, match="bad item"):
        paged.ledger.post(deposit, type="deposit", idempotency_key="k")
    with pytest.raises(Misconfigured, match="bad item"):
        paged.ledger.transaction_by_key("k")
