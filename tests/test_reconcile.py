"""The reconciler's verdict is right in both directions: no drift invented, none missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger import (
    InvalidRequest,
    Misconfigured,
    Money,
    NotFound,
    Receipt,
    Settings,
    Transaction,
    build,
    credit,
    debit,
    keys,
)
from ledger.fingerprint import of_request
from ledger.ids import pack
from ledger.items import entry_item, header_from, header_item
from ledger.reconcile import Finding, Report, reconcile
from ledger.request import Request
from tests.conftest import NewHouse
from tests.support.house import House

SHOPS = ["shop:1", "shop:2", "shop:3"]


def no_sleep(seconds: float) -> None:
    """Time is the test's."""


def run(house: House, accounts: list[str] | None = None, **arguments: Any) -> Report:
    """Reconcile at once, with a grace time of a minute."""
    return reconcile(house.runtime, accounts, sleep=no_sleep, **arguments)


def kinds(report: Report) -> set[str]:
    """Which kinds of findings there are."""
    return {finding.kind for finding in report.findings}


def only(report: Report) -> Finding:
    """The one finding that there is."""
    assert report.verdict == "drift"
    (finding,) = report.findings
    return finding


@pytest.fixture
def busy(new_house: NewHouse) -> House:
    """A house with 60 transactions, sealed into pages, and everything old and projected."""
    house = new_house()
    sales = [
        Transaction(
            entries=[debit("world:card", money), credit(SHOPS[number % 3], money)],
            type="sale",
            idempotency_key=f"sale-{number}" if number % 2 else None,
        )
        for number, money in enumerate(Money(100 + n, "EUR") for n in range(60))
    ]
    house.posted(house.ledger.post_many(sales))
    house.posted([house.ledger.append(credit("shop:1", Money(5, "EUR")), type="gift")])
    house.clock.advance(600)
    house.settle()
    assert len(house.pages("world:card")) >= 1
    return house


def key_of(house: House, account: str, entry_id: str, currency: str = "EUR") -> dict[str, Any]:
    """The key of an entry in the log."""
    return {"PK": {"S": keys.account(account)}, "SK": {"S": keys.event(currency, entry_id)}}


def tamper(house: House, table: str, key: dict[str, Any], /, **changed: Any) -> None:
    """Change attributes behind the ledger's back."""
    name = getattr(house.settings, f"{table}_table")
    item = house.runtime.store.get(name, *(v["S"] for v in key.values()))
    assert item is not None
    house.runtime.store.send(Request("put_item", {"TableName": name, "Item": item | changed}))


def remove(house: House, table: str, key: dict[str, Any]) -> None:
    """Delete an item behind the ledger's back."""
    name = getattr(house.settings, f"{table}_table")
    house.runtime.store.send(Request("delete_item", {"TableName": name, "Key": key}))


def first_of(house: House, account: str) -> str:
    """The oldest entry of an account, which lies in a page."""
    entry_id = house.ledger.entries(account, limit=1)[0].id
    assert pack(entry_id) <= house.image(account).through or not house.pages(account)
    return entry_id


def test_a_sound_ledger_is_clean_and_its_books_sum_to_zero(busy: House) -> None:
    """Nothing is found where nothing is wrong, and the figures are those of the model."""
    report = run(busy)

    assert (report.verdict, report.exit_code, report.findings, report.unread) == (
        "clean",
        0,
        (),
        (),
    )
    assert (report.accounts, report.entries, report.transactions) == (4, 121, 60)
    assert (report.singles, report.in_flight) == (1, 0)
    total = report.totals["EUR"]
    assert total.balanced
    assert total.credits == sum(range(100, 160))
    assert total.single_credits == 5


def test_an_empty_ledger_is_clean(house: House) -> None:
    """Nothing to compare is no drift."""
    assert run(house).verdict == "clean"


def test_the_digest_is_of_the_log_and_not_of_its_order(busy: House) -> None:
    """Two runs over the same log have one digest; one more entry has another."""
    first = run(busy).digest
    assert run(busy).digest == first
    busy.ledger.append(credit("shop:1", Money(5, "EUR")), type="gift")
    busy.clock.advance(600)
    busy.settle()
    assert run(busy).digest != first


def test_fault_35_what_lags_is_in_flight_and_no_drift(busy: House) -> None:
    """Entries younger than the grace time that the view lacks are counted, and not called drift."""
    busy.ledger.transfer(
        source="world:card", destination="shop:1", money=Money(1, "EUR"), type="sale"
    )

    report = run(busy)

    assert (report.verdict, report.in_flight) == ("clean", 2)


def test_fault_35_what_arrives_within_the_grace_time_is_no_drift(busy: House) -> None:
    """A finding is looked at again one grace time later, and dropped if it has gone by then."""
    busy.ledger.transfer(
        source="world:card", destination="shop:1", money=Money(1, "EUR"), type="sale"
    )
    busy.clock.advance(600)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        busy.settle()

    report = reconcile(busy.runtime, sleep=wait)

    assert report.verdict == "clean"
    assert waited == [60.0]


def test_a_clean_ledger_is_not_waited_for(busy: House) -> None:
    """Only what looks wrong costs a grace time."""

    def never(seconds: float) -> None:
        raise AssertionError("nothing was wrong")

    assert reconcile(busy.runtime, sleep=never).verdict == "clean"


@pytest.mark.parametrize("whole", [True, False])
def test_fault_23_a_gap_of_the_stream_is_named_entry_by_entry(busy: House, whole: bool) -> None:
    """Entries that the projector never saw are missing, each by name."""
    receipt = busy.ledger.transfer(
        source="world:card", destination="shop:1", money=Money(7, "EUR"), type="sale"
    )
    busy.new_records()  # and trimmed
    busy.clock.advance(600)

    report = run(busy, None if whole else ["shop:1", "world:card"])

    assert kinds(report) == {"missing"}
    assert {f.entry_id for f in report.findings} == {e.id for e in receipt.entries}
    assert report.exit_code == 3


@pytest.mark.parametrize("whole", [True, False])
def test_fault_36_an_altered_entry_is_named(busy: House, whole: bool) -> None:
    """An amount changed in the log is found by the fingerprint, though the view never saw it."""
    entry_id = first_of(busy, "shop:1")
    tamper(busy, "events", key_of(busy, "shop:1", entry_id), amount_minor={"N": "999999"})

    finding = only(run(busy, None if whole else ["shop:1"]))

    assert (finding.kind, finding.account, finding.entry_id) == ("altered", "shop:1", entry_id)


def test_fault_36_an_altered_entry_with_a_new_fingerprint_is_named_by_its_header(
    busy: House,
) -> None:
    """Who also writes a matching fingerprint is found by the header."""
    entry = busy.ledger.entries("shop:1", limit=1)[0]
    forged = build._signed(replace(entry, amount_minor=999_999))
    tamper(busy, "events", key_of(busy, "shop:1", entry.id), **entry_item(forged))

    report = run(busy)

    assert "altered" in kinds(report)
    assert {f.entry_id for f in report.findings if f.kind == "altered"} == {entry.id}


@pytest.mark.parametrize("whole", [True, False])
def test_fault_36_a_deleted_entry_is_named(busy: House, whole: bool) -> None:
    """An id in the view and not in the log is a phantom; its header lacks a leg."""
    entry_id = first_of(busy, "shop:1")
    remove(busy, "events", key_of(busy, "shop:1", entry_id))

    report = run(busy, None if whole else ["shop:1"])

    assert kinds(report) == ({"phantom", "leg missing"} if whole else {"phantom"})
    assert {f.entry_id for f in report.findings} == {entry_id}


@pytest.mark.parametrize("account", ["shop:1", "shop:new"])
def test_fault_36_an_injected_entry_is_named(busy: House, account: str) -> None:
    """An entry with a sound fingerprint that no header names, applied by the projector as any other."""
    template = busy.ledger.entries("shop:1", limit=1)[0]
    injected = build._signed(
        replace(template, account=account, transaction_id=busy.ledger.new_id(), place=0)
    )
    put = {"TableName": busy.settings.events_table, "Item": entry_item(injected)}
    busy.runtime.store.send(Request("put_item", put))
    busy.settle()
    busy.clock.advance(600)

    report = run(busy)

    assert kinds(report) == {"leg injected"} | (
        {"unregistered"} if account == "shop:new" else set()
    )
    legs = [f for f in report.findings if f.kind == "leg injected"]
    assert [(f.account, f.entry_id) for f in legs] == [(account, injected.id)]


def test_fault_36_an_injected_entry_that_was_never_projected_is_named(busy: House) -> None:
    """Nor does it help to inject it where no account is known and no stream has run."""
    template = busy.ledger.entries("shop:1", limit=1)[0]
    injected = build._signed(
        replace(template, account="shop:new", transaction_id=busy.ledger.new_id(), place=0)
    )
    put = {"TableName": busy.settings.events_table, "Item": entry_item(injected)}
    busy.runtime.store.send(Request("put_item", put))
    busy.clock.advance(600)

    assert {"leg injected", "unregistered"} <= kinds(run(busy))


def test_fault_36_a_removed_transaction_is_named(busy: House) -> None:
    """Entries whose header is gone are nobody's."""
    entry = busy.ledger.entries("shop:1", limit=1)[0]
    remove(
        busy,
        "events",
        {"PK": {"S": keys.transaction(entry.transaction_id)}, "SK": {"S": keys.HEADER}},
    )

    report = run(busy)

    assert kinds(report) - {"key"} == {"leg injected"}
    assert len([f for f in report.findings if f.kind == "leg injected"]) == 2


def header_key(transaction_id: str) -> dict[str, Any]:
    """The key of a header."""
    return {"PK": {"S": keys.transaction(transaction_id)}, "SK": {"S": keys.HEADER}}


def test_fault_36_an_altered_header_is_named(busy: House) -> None:
    """A type changed in the header is found by the fingerprint."""
    entry = busy.ledger.entries("shop:1", limit=1)[0]
    tamper(busy, "events", header_key(entry.transaction_id), type={"S": "refund"})

    assert "header altered" in kinds(run(busy))


def test_a_forged_header_that_does_not_sum_to_zero_is_named(busy: House) -> None:
    """Even with sound fingerprints and all its entries, money from nowhere is found."""
    transaction_id = busy.ledger.entries("shop:1", limit=1)[0].transaction_id
    key = header_key(transaction_id)
    item = busy.runtime.store.get(busy.settings.events_table, *(v["S"] for v in key.values()))
    assert item is not None
    header = header_from(item)
    first, second = header.entries
    forged = replace(header, entries=(first, replace(second, amount_minor=1_000_000)))
    forged = replace(forged, fingerprint=of_request(forged))
    tamper(busy, "events", key, **header_item(forged))

    findings = run(busy).findings

    assert any(f.kind == "header altered" and "sum to zero" in f.message for f in findings)


def test_a_lost_idempotency_key_is_named(busy: House) -> None:
    """A key that is gone would let a retry pay twice."""
    remove(busy, "idempotency", {"PK": {"S": keys.idempotency("sale-1")}})
    assert only(run(busy)).kind == "key"


def test_an_idempotency_key_of_another_transaction_is_named(busy: House) -> None:
    """A key that was pointed elsewhere is found from both sides."""
    other = busy.ledger.transaction_by_key("sale-3").id
    tamper(busy, "idempotency", {"PK": {"S": keys.idempotency("sale-1")}}, transaction={"S": other})
    assert kinds(run(busy)) == {"key"}


Tamper = Callable[[House], None]


def alter_balance(house: House) -> None:
    """One more cent in the balance."""
    key = {"PK": {"S": "ACCOUNT#world:card"}, "SK": {"S": "BALANCE#EUR"}}
    debits = house.image("world:card").sums.debits
    tamper(house, "balances", key, debits={"N": str(debits + 1)})


def page_key(house: House) -> dict[str, Any]:
    """The key of a page of world:card."""
    page = next(
        item["SK"]
        for item in house.items("balances")
        if item["PK"]["S"] == "ACCOUNT#world:card" and item["SK"]["S"].startswith("PAGE")
    )
    return {"PK": {"S": "ACCOUNT#world:card"}, "SK": page}


def test_fault_37_a_balance_altered_by_hand_is_named_with_amounts(busy: House) -> None:
    """What the balance says and what it should say are both told."""
    alter_balance(busy)

    finding = only(run(busy))

    assert (finding.kind, finding.account, finding.page) == ("balance sums", "world:card", "")
    assert finding.found["debits"] == finding.expected["debits"] + 1


def test_fault_37_a_page_altered_by_hand_is_named_with_page_and_amounts(busy: House) -> None:
    """A wrong amount is narrowed to a page."""
    key = page_key(busy)
    tamper(busy, "balances", key, debits={"N": "1"})

    finding = only(run(busy))

    assert (finding.kind, finding.page) == ("page sums", key["SK"]["S"])
    assert finding.found["debits"] == 1 < finding.expected["debits"]


def test_fault_37_a_page_removed_by_hand_is_named(busy: House) -> None:
    """Its entries are missing, and the ranges leave a gap."""
    remove(busy, "balances", page_key(busy))
    assert {"broken view", "missing"} <= kinds(run(busy))


def test_fault_37_a_view_that_cannot_be_read_is_named(busy: House) -> None:
    """A balance whose numbers are none is a broken view, and no run that could not read."""
    key = {"PK": {"S": "ACCOUNT#world:card"}, "SK": {"S": "BALANCE#EUR"}}
    tamper(busy, "balances", key, debits={"S": "much"})

    assert "broken view" in kinds(run(busy, ["world:card"]))


def test_fault_37_a_balance_of_nobody_is_named(busy: House) -> None:
    """A balance that was made by hand has no entries and no record."""
    item = {
        "PK": {"S": "ACCOUNT#thief"},
        "SK": {"S": "BALANCE#EUR"},
        "credits": {"N": "1000000"},
        "entries": {"N": "1"},
        "generation": {"S": "01J00000000000000000000000"},
    }
    put = {"TableName": busy.settings.balances_table, "Item": item}
    busy.runtime.store.send(Request("put_item", put))

    assert {"balance sums", "unregistered"} <= kinds(run(busy))


def test_fault_38_a_segment_that_cannot_be_read_is_incomplete(busy: House) -> None:
    """An error of reading is never clean, and the rest is still compared."""
    alter_balance(busy)
    events = busy.settings.events_table

    def plan(number: int, operation: str, parameters: dict[str, Any]) -> Any:
        return "throttled" if operation == "scan" and parameters["TableName"] == events else "none"

    busy.faults.plan = plan

    report = run(busy)

    assert (report.verdict, report.exit_code) == ("incomplete", 4)
    assert any("the log" in line for line in report.unread)
    assert kinds(report) == {"balance sums"}


@pytest.mark.parametrize("operation", ["scan", "query"])
def test_fault_38_a_reconciler_that_reads_the_first_page_alone_is_incomplete(
    busy: House, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the guard against unread pages taken out of the store, the digests still notice."""
    real = busy.runtime.store.pages
    events = busy.settings.events_table

    def first_page_alone(store: Any, request: Request) -> Any:
        if request.operation == operation and request.parameters["TableName"] == events:
            request = Request(request.operation, request.parameters | {"Limit": 20})
            yield next(iter(real(request)))
        else:
            yield from real(request)

    monkeypatch.setattr(type(busy.runtime.store), "pages", first_page_alone)

    assert run(busy).verdict != "clean"


def test_an_entry_of_a_newer_version_is_incomplete_and_not_clean(busy: House) -> None:
    """An old reconciler that meets a new entry says that it could not read it."""
    entry_id = first_of(busy, "shop:1")
    tamper(busy, "events", key_of(busy, "shop:1", entry_id), v={"N": "2"})
    assert run(busy).verdict == "incomplete"


def test_late_events_meanwhile_are_no_drift(busy: House) -> None:
    """A late event that changes a page between two reads is counted once, and no finding."""
    old = next(iter(busy.ledger.entries("world:card", limit=1)))
    late_id = old.transaction_id[:-1] + ("0" if old.transaction_id[-1] != "0" else "1")
    busy.ledger.append(
        credit("world:card", Money(3, "EUR")), type="late", id=late_id, historical=True
    )
    records = busy.new_records()
    seen: list[str] = []

    def plan(number: int, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "query" and parameters["TableName"] == busy.settings.balances_table:
            seen.append(operation)
            if len(seen) == 3:
                busy.project(records)
        return "none"

    busy.faults.plan = plan

    assert run(busy).verdict == "clean"
    assert busy.image("world:card").lates == 1


def test_named_accounts_are_compared_alone(busy: House) -> None:
    """Drift elsewhere is not looked for."""
    alter_balance(busy)
    assert run(busy, ["shop:1", "shop:2"]).verdict == "clean"
    assert run(busy, ["world:card"]).verdict == "drift"


def test_an_account_that_does_not_exist_is_not_called_clean(busy: House) -> None:
    """A typo is told."""
    with pytest.raises(NotFound, match="shop:nine"):
        run(busy, ["shop:nine"])
    with pytest.raises(InvalidRequest):
        run(busy, ["shop nine"])


def test_without_tables_it_is_an_error_and_no_verdict(new_house: NewHouse) -> None:
    """Nothing at all can be read: the operator is called."""
    house = new_house()
    house.runtime = house.new_runtime(events_table="nowhere")
    with pytest.raises(Misconfigured, match="no such table"):
        run(house)


def test_progress_is_told_account_by_account(busy: House) -> None:
    """So that a long run shows how far it is."""
    told: list[tuple[int, int | None]] = []
    run(busy, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == [1, 2, 3, 4]


def test_the_reconciler_writes_nothing(busy: House) -> None:
    """It is read-only, drift or not."""
    alter_balance(busy)
    busy.faults.heal()
    run(busy)
    assert {name for name, _ in busy.faults.calls} <= {
        "get_item",
        "query",
        "scan",
        "batch_get_item",
    }


def test_every_read_is_consistent(busy: House) -> None:
    """But the probes, whose answer does not matter."""
    busy.faults.heal()
    run(busy)
    for operation, parameters in busy.faults.calls:
        if "PROBE" in str(parameters.get("Key", "")):
            continue
        flags = [parameters, *parameters.get("RequestItems", {}).values()]
        assert any(flag.get("ConsistentRead") for flag in flags), (operation, parameters)


def posted(receipt: Receipt) -> set[str]:
    """The ids of a receipt's entries."""
    return {entry.id for entry in receipt.entries}


def test_settings_give_the_grace_time(new_house: NewHouse) -> None:
    """Without an argument it is the settings'."""
    house = new_house(grace_seconds=3600)
    house.ledger.append(credit("shop:1", Money(1, "EUR")), type="gift")
    house.clock.advance(600)
    assert run(house).verdict == "clean"
    assert run(house, grace_seconds=60).verdict == "drift"
    assert Settings().grace_seconds == 60
