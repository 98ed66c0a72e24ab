"""The set of accounts is known without the log: opened once, listed by prefix, declared where a typo must not pass."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, Ledger, Misconfigured, NotFound, Transaction, credit, keys
from ledger.check import ACCOUNT
from ledger.runtime import KnownAccounts
from tests.conftest import NewHouse
from tests.support.examples import many
from tests.support.house import START, House
from tests.support.samples import deposit, eur, id_at, operations, written


def test_an_account_is_opened_once(house: House) -> None:
    """True if it is new, False if it was there; another process hears the same."""
    assert house.ledger.open_account("user:42")
    before = written(house)
    assert not house.ledger.open_account("user:42")
    assert not Ledger(house.new_runtime()).open_account("user:42")
    assert written(house) == before


def test_an_accounts_record_says_where_and_when_it_was_opened(house: House) -> None:
    """Region and DynamoDB's time; whether by open_account or with the first entry, the same item."""
    house.ledger.open_account("a")
    house.ledger.append(credit("b", eur(1)), type="t")
    house.ledger.post(deposit(), type="t")
    house.ledger.post_many([Transaction(entries=deposit(1, "d"), type="t")])
    records = {item["account"]["S"]: item for item in house.items("accounts")}
    assert sorted(records) == ["a", "b", "d", "user:42", "world:card"]
    for name, record in records.items():
        assert record["PK"] == {"S": f"ACCOUNT#{name}"}
        assert record["SK"] == {"S": "ACCOUNT"}
        assert record["origin"] == {"S": "eu-west-1"}
        assert record["opened_at"]["S"].startswith("2026-09-21T")
        assert record["listing"]["S"] in keys.listings()
    assert int(START) == 1_790_000_000, "that day"


def test_without_entries_a_balance_is_zero(house: House) -> None:
    """Opened or not, an account without entries holds nothing, in any currency."""
    house.ledger.open_account("user:42")
    for account in ("user:42", "nobody"):
        for consistency in ("fresh", "view"):
            balance = house.ledger.balance(account, "EUR", consistency=consistency)
            assert (balance.posted, balance.available, balance.entry_count) == (eur(0), eur(0), 0)
        assert house.ledger.balances(account) == {}
        assert list(house.ledger.entries(account)) == []


# Declared


@pytest.fixture
def declared(new_house: NewHouse) -> House:
    """A house in which an account must be opened before it holds money."""
    house = new_house(accounts="declared")
    house.ledger.open_account("world:card")
    return house


def test_a_typo_holds_no_money_where_accounts_are_declared(declared: House) -> None:
    """An unknown account is refused by every write, with the way to open it, and nothing is written."""
    before = written(declared)
    declared.faults.heal()
    with pytest.raises(NotFound, match=r"account user:24 is not declared.*open_account") as error:
        declared.ledger.post(deposit(1, "user:24"), type="t", id=id_at(), idempotency_key="k")
    assert (error.value.id, error.value.idempotency_key) == (id_at(), "k")
    assert not error.value.retryable
    with pytest.raises(NotFound):
        declared.ledger.append(credit("user:24", eur(1)), type="t")
    with pytest.raises(NotFound):
        declared.ledger.transfer(source="world:card", destination="user:24", money=eur(1), type="t")
    assert set(operations(declared)) == {"batch_get_item"}
    assert written(declared) == before


def test_a_declared_account_holds_money(declared: House) -> None:
    """Once it is open it is an account like any other; an absence is never remembered."""
    with pytest.raises(NotFound):
        declared.ledger.append(credit("user:42", eur(1)), type="t")
    Ledger(declared.new_runtime()).open_account("user:42")
    assert declared.ledger.append(credit("user:42", eur(1)), type="t").entries
    assert declared.ledger.post(deposit(), type="t").entries


# What a process remembers


def test_a_process_looks_an_account_up_once(house: House) -> None:
    """That it exists never changes, so the second write asks no more."""
    Ledger(house.new_runtime()).post(deposit(), type="t")
    house.faults.heal()
    for _ in range(2):
        house.ledger.post(deposit(), type="t")
    assert operations(house) == ["batch_get_item", "transact_write_items", "transact_write_items"]


@many
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from("abcdefgh"), max_size=4)), max_size=20
    )
)
def test_what_is_remembered_is_true_and_bounded(steps: list[tuple[bool, list[str]]]) -> None:
    """Only names that were seen are known, the newest for certain, and never more than the limit."""
    known, seen = KnownAccounts(most=3), set[str]()
    for remember, names in steps:
        if remember:
            known.remember(names)
            seen.update(names)
            assert len(known._names) <= 3
        unknown = known.unknown(names)
        assert len(unknown) == len(set(unknown))
        assert set(names) - set(unknown) <= seen
        if remember and len(set(names)) <= 1:
            assert unknown == []


@pytest.mark.parametrize("fields", [{"limited": {"BOOL": True}}], ids=["limited"])
def test_a_limited_account_is_not_written_by_code_that_knows_no_guard(
    house: House, fields: dict[str, Any]
) -> None:
    """A newer version opened it with a floor: writing past its guard would break the promise."""
    house.ledger.open_account("user:42")
    (record,) = house.items("accounts")
    house.faults.put_item(TableName=house.settings.accounts_table, Item=record | fields)
    fresh = Ledger(house.new_runtime())
    for write in (
        lambda: fresh.post(deposit(), type="t"),
        lambda: fresh.append(credit("user:42", eur(1)), type="t"),
        lambda: fresh.open_account("user:42"),
    ):
        with pytest.raises(Misconfigured, match="user:42 is limited"):
            write()
    (outcome,) = fresh.post_many([Transaction(entries=deposit(), type="t", idempotency_key="k")])
    assert isinstance(outcome, Misconfigured)
    assert outcome.idempotency_key == "k"
    assert house.items("events") == []


# Listing


NAMES = ["a", "b:1", "b:10", "b:2", "b", "B", "!", "}", "b:", "c/d.e", "zz"]


@pytest.fixture
def listed(house: House) -> House:
    """A house with a few accounts of all kinds of names, and many of one."""
    for name in NAMES:
        house.ledger.open_account(name)
    house.ledger.post_many(
        [Transaction(entries=deposit(1, f"user:{number:02d}"), type="t") for number in range(24)]
    )
    return house


def all_pages(ledger: Ledger, **wanted: Any) -> list[list[str]]:
    """Page after page to the end."""
    pages, cursor = [], None
    while True:
        page = ledger.accounts(cursor=cursor, **wanted)
        pages.append(list(page))
        if not page.cursor:
            return pages
        cursor = page.cursor


def test_accounts_are_listed_by_prefix_sorted_and_paged(listed: House) -> None:
    """All names with the prefix, each once, in order, in pages of the limit."""
    everyone = sorted([*NAMES, "world:card", *(f"user:{number:02d}" for number in range(24))])
    for prefix in ("", "b", "b:", "b:1", "user:", "user:1", "u", "nobody", "}", "B"):
        wanted = [name for name in everyone if name.startswith(prefix)]
        for limit in (1, 1000) if prefix in ("b", "b:1") else (7,):
            pages = all_pages(listed.ledger, prefix=prefix, limit=limit)
            assert [name for page in pages for name in page] == wanted
            assert all(len(page) == limit for page in pages[:-1])
            assert len(pages) == max(1, -(-len(wanted) // limit))


def test_a_cursor_of_accounts_outlives_the_process(listed: House) -> None:
    """Another process goes on where the first page ended, with accounts that came meanwhile."""
    page = listed.ledger.accounts(prefix="user:", limit=10)
    listed.ledger.open_account("user:00x")
    listed.ledger.open_account("user:12x")
    following = Ledger(listed.new_runtime()).accounts(prefix="user:", limit=4, cursor=page.cursor)
    assert list(following) == ["user:10", "user:11", "user:12", "user:12x"]


def test_a_cursor_of_accounts_belongs_to_its_prefix(listed: House) -> None:
    """With another prefix it is refused, and so is a cursor of entries."""
    cursor = listed.ledger.accounts(prefix="user:", limit=1).cursor
    with pytest.raises(InvalidRequest, match="another listing"):
        listed.ledger.accounts(prefix="user", cursor=cursor)
    with pytest.raises(InvalidRequest, match="another listing"):
        listed.ledger.entries("user:01", cursor=cursor)


@many
@given(name=st.from_regex(ACCOUNT, fullmatch=True))
def test_every_account_is_in_one_of_sixteen_listings(name: str) -> None:
    """The listing is spread by name alone, so that every process finds the same partition."""
    assert keys.listing(name) in keys.listings()
    assert len(keys.listings()) == 16


def test_the_listing_is_spread_evenly() -> None:
    """A thousand accounts of one prefix do not share one partition of the index."""
    chance = random.Random(1)
    names = ["user:" + "".join(chance.choices(string.digits, k=8)) for _ in range(1000)]
    counts = [sum(keys.listing(name) == listing for name in names) for listing in keys.listings()]
    assert min(counts) > 30
    assert max(counts) < 100
