"""A cursor is text that outlives the process, belongs to one listing, and is refused when it is none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, Ledger
from ledger.read import cursor as cursors
from tests.support.examples import many
from tests.support.samples import id_at
from tests.support.unplugged import shown, unplugged

VALUES = st.none() | st.booleans() | st.text(max_size=12)
LISTINGS = st.lists(VALUES, max_size=6)
POSITIONS = st.lists(st.text(max_size=12), min_size=1, max_size=3)


@many
@given(listing=LISTINGS, position=POSITIONS)
def test_a_cursor_says_where_its_listing_goes_on(listing: list[Any], position: list[str]) -> None:
    """encode and decode are each other's inverse, in characters that any URL takes as they are."""
    cursor = cursors.encode(listing, position)
    assert cursors.decode(cursor, listing, len(position)) == position
    assert all(character.isalnum() or character in "-_" for character in cursor)


@many
@given(listing=LISTINGS, other=LISTINGS, position=POSITIONS)
def test_a_cursor_belongs_to_one_listing(
    listing: list[Any], other: list[Any], position: list[str]
) -> None:
    """Any other listing refuses it: none goes on where another one ended."""
    cursor = cursors.encode(listing, position)
    if other != listing:
        with pytest.raises(InvalidRequest, match="another listing"):
            cursors.decode(cursor, other, len(position))


def as_cursor(value: Any) -> str:
    """Any JSON in a cursor's clothes."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


ACCOUNTS = ["accounts", "user:"]
ENTRIES = ["entries", "user:42", None, None, None, False]

GARBAGE: list[Any] = [
    "",
    "x",
    "not a cursor",
    "ÄÖÜ",
    "AAAA",
    "A" * 3000,
    "=" * 8,
    7,
    b"AAAA",
    as_cursor(None),
    as_cursor("accounts"),
    as_cursor([]),
    as_cursor([ACCOUNTS]),
    as_cursor([ACCOUNTS, ["user:1"], 3]),
    as_cursor(["accounts", ["user:1"]]),
    as_cursor({"0": ACCOUNTS, "1": ["user:1"]}),
    base64.urlsafe_b64encode(b"[" * 1200).decode(),
    base64.urlsafe_b64encode(b"9" * 1200).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe\x00").decode(),
]


@pytest.fixture
def ledger() -> Ledger:
    """A ledger that fails the test when it sends anything."""
    return unplugged()


@pytest.mark.parametrize("cursor", GARBAGE, ids=shown)
def test_garbage_is_no_cursor(ledger: Ledger, cursor: Any) -> None:
    """Refused before any call, whatever it is."""
    with pytest.raises(InvalidRequest, match="cursor"):
        ledger.accounts(prefix="user:", cursor=cursor)
    with pytest.raises(InvalidRequest, match="cursor"):
        ledger.entries("user:42", cursor=cursor)


FORGED_ACCOUNTS: list[Any] = [
    [],
    ["user:1", "user:2"],
    [1],
    [None],
    "user:1",
    ["shop:7"],  # not of the prefix
    ["user"],
    ["~~~"],
    ["user:~"],
    ["user:ü"],
    ["user:\ud800"],
    ["user:1\n"],
    [""],
]


@pytest.mark.parametrize("position", FORGED_ACCOUNTS, ids=shown)
def test_a_forged_position_of_accounts_is_refused(ledger: Ledger, position: Any) -> None:
    """What is no account of the prefix is no position in its listing."""
    with pytest.raises(InvalidRequest, match="cursor is none of ours"):
        ledger.accounts(prefix="user:", cursor=as_cursor([ACCOUNTS, position]))


FORGED_ENTRIES: list[Any] = [
    [],
    [f"{id_at()}#00"],
    [f"{id_at()}#00", 1],
    [id_at(), "EUR"],
    ["", "EUR"],
    ["~", "EUR"],
    [f"{id_at().lower()}#00", "EUR"],
]


@pytest.mark.parametrize("position", FORGED_ENTRIES, ids=shown)
def test_a_forged_position_of_entries_is_refused(ledger: Ledger, position: Any) -> None:
    """What is no entry's id and currency is no position among entries."""
    with pytest.raises(InvalidRequest, match=r"cursor is none of ours|entry id"):
        ledger.entries("user:42", cursor=as_cursor([ENTRIES, position]))
