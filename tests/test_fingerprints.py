"""A fingerprint is of what the caller gave and of nothing else, and a version's form never changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Leg, Money, Transaction, build, credit, debit, fingerprint, items
from ledger.model import Entry, Header, HeaderEntry
from tests.support.examples import many

ID = "01M3G40S00ABCDEFGHJKMNPQRS"
OTHER_ID = "01M3G40S00ABCDEFGHJKMNPQRT"
AT = datetime(2026, 9, 21, 12, 30, 0, 250_000, tzinfo=UTC)
FULL = Transaction(
    entries=[
        debit("world:card", Money(1250, "EUR")),
        credit("user:42", Money(1200, "EUR")),
        credit("fees", Money(50, "EUR")),
    ],
    type="deposit",
    description="Über 12,50 €",
    metadata={"order": "o-1", "lines": [1, None, {"b": True, "a": "ß"}]},
    trace={"request": "r-1"},
    effective_at=AT,
    idempotency_key="k-1",
    id=ID,
)
PLAIN = Transaction(entries=FULL.entries, type="deposit", id=ID)


def header(transaction: Transaction, origin: str = "eu-west-1") -> Header:
    """Its header, under its own id."""
    return build.header(transaction, id=transaction.id or ID, origin=origin)


def appended(transaction: Transaction, origin: str = "eu-west-1") -> Entry:
    """Its first leg as an append, under its own id."""
    return build.single(transaction, id=transaction.id or ID, origin=origin)


def prints(transaction: Transaction) -> list[str]:
    """The fingerprints of its header and of all its entries."""
    whole = header(transaction)
    return [p.hex() for p in (whole.fingerprint, *(e.fingerprint for e in build.entries(whole)))]


GOLDEN_FULL = [
    "3288d3f55108e89c953677537970d37d59e49834f9060d37094b7466d444d1e7",
    "c6fc7cf28d2ca339d422511a01f1ec6dad20529110b299f92eb8f8ed4f116acc",
    "d6711f2d5fb66689c6e66cfa9e92423a2fa44f2a329e18ab59962079ce066f82",
    "617426908f7fd6bb82b8f7f093d134f0a5eaaba21b5ab4769cc3df9245649b85",
]
GOLDEN_PLAIN = [
    "e55f6f7b1bd508920cb104be6df0ffdbb1032c0bf59e93d52781a7a46a288a33",
    "2671ccda2111afb9dc50718e7308a34cbb8e67560d6dc54f70a693b1fb27ed4d",
    "74977fe467b59d0422d3c0775a170dc63f6ae3abef30ade32e3700c96c8ac118",
    "50a59ef576e2b8bd638ae8ff737e3302ce6048362e700aa92ba95f8e4fd8a34b",
]
GOLDEN_APPENDED = "f9a2e942a2d2b063b5c29eb921edbb67ef408526136161e7b87517faaa520c30"


def test_version_1_is_what_it_has_always_been() -> None:
    """Golden values: who changes the form changes the version, or every retry becomes a conflict."""
    assert fingerprint.VERSION == 1
    assert prints(FULL) == GOLDEN_FULL
    assert prints(PLAIN) == GOLDEN_PLAIN
    assert appended(PLAIN).fingerprint.hex() == GOLDEN_APPENDED


def test_the_form_is_this_text() -> None:
    """What is hashed, written out: whoever checks a fingerprint elsewhere needs no code of ours."""
    metadata = r"{\"lines\":[1,null,{\"a\":\"ß\",\"b\":true}],\"order\":\"o-1\"}"
    request = (
        '["request/1",[["world:card","debit","EUR","1250","0"],'
        '["user:42","credit","EUR","1200","0"],["fees","credit","EUR","50","0"]],'
        '"deposit",false,"2026-09-21T12:30:00.250000+00:00","Über 12,50 €","' + metadata + '"]'
    )
    entry = (
        '["entry/1","user:42","EUR","01M3G40S00ABCDEFGHJKMNPQRS",1,"deposit","credit","1200","0",'
        'false,["world:card"],"2026-09-21T12:30:00.250000+00:00","Über 12,50 €"]'
    )
    assert prints(FULL)[0] == hashlib.sha256(request.encode()).hexdigest()
    assert prints(FULL)[2] == hashlib.sha256(entry.encode()).hexdigest()


def test_another_process_has_the_same_fingerprints() -> None:
    """No hash seed, locale or order of a dict reaches them."""
    code = "from tests.test_fingerprints import *; print(*prints(FULL))"
    environment = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, timeout=60
    )
    assert run.stdout.decode().split() == prints(FULL)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("type", {"type": "refund"}),
    ("description", {"description": "another"}),
    ("no description", {"description": None}),
    ("metadata", {"metadata": {"order": "o-2"}}),
    ("no metadata", {"metadata": None}),
    ("effective_at", {"effective_at": AT + timedelta(microseconds=1)}),
    ("no effective_at", {"effective_at": None}),
    ("order", {"entries": list(reversed(FULL.entries))}),
    ("fewer", {"entries": FULL.entries[:2]}),
    ("account", {"entries": [*FULL.entries[:2], credit("fee", Money(50, "EUR"))]}),
    ("direction", {"entries": [*FULL.entries[:2], debit("fees", Money(50, "EUR"))]}),
    ("currency", {"entries": [*FULL.entries[:2], credit("fees", Money(50, "USD"))]}),
    ("amount", {"entries": [*FULL.entries[:2], credit("fees", Money(51, "EUR"))]}),
]


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c in CHANGES])
def test_every_field_of_the_request_is_in_its_fingerprint(change: dict[str, Any]) -> None:
    """Another account, amount, currency, type, time, text or order is another request."""
    assert header(replace(FULL, **change)).fingerprint != header(FULL).fingerprint


@pytest.mark.parametrize(
    "change",
    [{"trace": None}, {"trace": {"a": 1}}, {"historical": True}, {"idempotency_key": "k-2"}],
    ids=str,
)
def test_what_is_not_the_request_is_not_in_its_fingerprint(change: dict[str, Any]) -> None:
    """A retry has a trace of its own, and the id and key are what it is looked up by."""
    assert header(replace(FULL, **change)).fingerprint == header(FULL).fingerprint
    assert header(replace(FULL, id=OTHER_ID)).fingerprint == header(FULL).fingerprint


def test_the_region_is_in_no_fingerprint() -> None:
    """A retry may change region with the same id: it must not become a conflict."""
    here, there = header(FULL), header(FULL, "us-east-1")
    assert here.fingerprint == there.fingerprint
    ours, theirs = build.entries(here), build.entries(there)
    assert [e.fingerprint for e in ours] == [e.fingerprint for e in theirs]
    assert appended(PLAIN).fingerprint == appended(PLAIN, "us-east-1").fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"account": "user:43"},
        {"currency": "USD"},
        {"transaction_id": OTHER_ID},
        {"place": 2},
        {"type": "refund"},
        {"direction": "debit"},
        {"amount_minor": 1},
        {"pending_minor": 1},
        {"single": True},
        {"counterparties": ()},
        {"effective_at": AT + timedelta(microseconds=1)},
        {"description": None},
    ],
    ids=str,
)
def test_every_field_of_an_entry_is_in_its_fingerprint(change: dict[str, Any]) -> None:
    """An entry that was altered behind the ledger's back is known from the entry alone."""
    entry = build.entries(header(FULL))[1]
    assert fingerprint.of_entry(entry) == entry.fingerprint
    assert fingerprint.of_entry(replace(entry, **change)) != entry.fingerprint


def test_one_moment_in_two_zones_is_one_moment() -> None:
    """A caller's zone says nothing: 14:30 in Paris is 12:30 UTC."""
    paris = timezone(timedelta(hours=2))
    there = replace(FULL, effective_at=AT.astimezone(paris))
    assert prints(there) == prints(FULL)
    assert {e.effective_at.isoformat() for e in build.entries(header(there)) if e.effective_at} == {
        AT.isoformat()
    }
    assert str(appended(there).effective_at) == str(AT)


def test_empty_metadata_is_none() -> None:
    """Nothing said is nothing said."""
    assert prints(replace(FULL, metadata={})) == prints(replace(FULL, metadata=None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@many
@given(metadata=st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=4), data=st.data())
def test_the_order_of_metadata_says_nothing(metadata: dict[str, Any], data: st.DataObject) -> None:
    """The same metadata in any order of its keys is the same request; other metadata is another."""
    shuffled = dict(data.draw(st.permutations(list(metadata.items()))))
    ours = header(replace(FULL, metadata=metadata))
    assert header(replace(FULL, metadata=shuffled)).fingerprint == ours.fingerprint
    changed = metadata | {"one more": 1}
    assert header(replace(FULL, metadata=changed)).fingerprint != ours.fingerprint


LEGS = st.builds(
    Leg,
    account=st.text("ab:,\"'[]\\", min_size=1, max_size=6),
    direction=st.sampled_from(["credit", "debit"]),
    money=st.builds(Money, st.integers(1, 10**27), st.sampled_from(["EUR", "USD", "PTS"])),
)
TRANSACTIONS = st.builds(
    Transaction,
    entries=st.lists(LEGS, min_size=1, max_size=4),
    type=st.text("ab", min_size=1, max_size=3),
    description=st.none() | st.text('ab"', min_size=1, max_size=3),
    effective_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)


@many
@given(one=TRANSACTIONS, other=TRANSACTIONS)
def test_two_requests_never_share_a_form(one: Transaction, other: Transaction) -> None:
    """The canonical form is unambiguous: equal fingerprints are of equal requests."""
    same = header(one).fingerprint == header(other).fingerprint
    assert same == (
        replace(one, entries=tuple(one.entries)) == replace(other, entries=tuple(other.entries))
    )


@many
@given(transaction=TRANSACTIONS)
def test_what_is_read_back_has_the_fingerprint_that_was_written(transaction: Transaction) -> None:
    """Through an item and back, headers and entries are themselves, and so are their fingerprints."""
    written = header(transaction)
    read = items.header_from(items.header_item(written))
    assert read == written
    assert fingerprint.of_request(read) == written.fingerprint
    for entry in build.entries(written):
        again = items.entry_from(items.entry_item(entry))
        assert again == entry
        assert fingerprint.of_entry(again) == entry.fingerprint


def test_an_entry_names_the_other_side_of_its_currency() -> None:
    """Counterparties are the accounts of the other direction, once each, ten at most, never itself."""
    legs = [
        debit("a", Money(10, "EUR")),
        credit("a", Money(4, "EUR")),
        credit("b", Money(3, "EUR")),
    ]
    legs += [
        credit("b", Money(3, "EUR")),
        debit("a", Money(1, "USD")),
        credit("c", Money(1, "USD")),
    ]
    many = [credit(f"user:{number}", Money(1, "GBP")) for number in range(12)]
    legs += [debit("a", Money(12, "GBP")), *many]
    entries = build.entries(header(Transaction(entries=legs, type="t")))
    assert [entry.counterparties for entry in entries[:6]] == [
        ("b",),
        (),
        ("a",),
        ("a",),
        ("c",),
        ("a",),
    ]
    assert entries[6].counterparties == tuple(f"user:{number}" for number in range(10))


def test_a_single_with_a_header_and_a_hold_come_back_as_they_are() -> None:
    """What limits and holds will write is read already: pending amounts and a single's header."""
    legs = (
        HeaderEntry(
            account="a", direction="debit", currency="EUR", amount_minor=0, pending_minor=5
        ),
        HeaderEntry(
            account="b", direction="credit", currency="EUR", amount_minor=0, pending_minor=-5
        ),
    )
    unsigned = Header(id=ID, type="hold", entries=legs, origin="eu-west-1", single=True)
    written = replace(unsigned, fingerprint=fingerprint.of_request(unsigned))
    assert items.header_from(items.header_item(written)) == written
    entries = build.entries(written)
    assert [(e.pending_minor, e.single) for e in entries] == [(5, True), (-5, True)]
    assert [items.entry_from(items.entry_item(entry)) for entry in entries] == list(entries)
    assert fingerprint.of_request(replace(unsigned, single=False)) != written.fingerprint
