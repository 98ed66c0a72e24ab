"""How keys are spelled: each holds its parts apart, and ranges of them hold what they should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, ids, keys
from ledger.check import ACCOUNT
from ledger.money import CURRENCY
from tests.support.examples import many

ACCOUNTS = st.from_regex(ACCOUNT, fullmatch=True)
CODES = st.from_regex(CURRENCY, fullmatch=True).filter(str.isascii)
ENTRY_IDS = st.builds(
    ids.entry_id,
    st.builds(ids.mint, st.integers(0, ids.LAST_MS), st.binary(min_size=10, max_size=10)),
    st.integers(0, 99),
)


@many
@given(account=ACCOUNTS, currency=CODES, entry_id=ENTRY_IDS)
def test_a_key_gives_back_its_parts(account: str, currency: str, entry_id: str) -> None:
    """Account, currency and id are read from the keys as they were written into them."""
    assert keys.account_name(keys.account(account)) == account
    assert keys.split_event(keys.event(currency, entry_id)) == (currency, entry_id)
    page = keys.page(currency, "generation", entry_id)
    assert keys.page_through(page) == entry_id
    assert page.startswith(keys.pages(currency, "generation"))


@many
@given(one=CODES, other=CODES, first=ENTRY_IDS, second=ENTRY_IDS)
def test_currencies_do_not_interleave(one: str, other: str, first: str, second: str) -> None:
    """All keys of one currency lie together, in the order of their ids, and end at their end."""
    a, b = keys.event(one, first), keys.event(other, second)
    assert a < keys.event(one, keys.END) < keys.after_currency(one)
    if one == other:
        assert (a < b) == (first < second)
    else:
        assert (a < b) == (keys.after_currency(one) <= b)


@pytest.mark.parametrize("sort", ["", "EVENT", "TRANSACTION", "BALANCE#EUR", "EVENTS#EUR#1"])
def test_another_items_key_is_no_entrys(sort: str) -> None:
    """Only what begins as an entry's key is read as one."""
    with pytest.raises(InvalidRequest, match="no entry's"):
        keys.split_event(sort)
