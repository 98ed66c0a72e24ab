"""What reading costs: calls and DynamoDB's read units, metered on the requests really sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger import Money, Receipt, credit, debit
from ledger.metered import MeteredClient
from ledger.metering import Cost
from projector.fold import MAX_FOLD
from tests.support.history import entry_at, live, log, project
from tests.support.house import House

MERCHANT = "merchant:" + "m" * 51
CUSTOMER = "customer:" + "c" * 51
PRICE = Money(1_234_567, "EUR")
HOUR = 3600.0


def burst(hour: int, events: int = MAX_FOLD) -> list[float]:
    """The times of events within one second."""
    return [HOUR * hour + n / 1000 for n in range(events)]


def cost_of(meter: MeteredClient, read: Callable[..., object], *given: Any, **named: Any) -> Cost:
    """What one call of the ledger's costs."""
    spent = meter.total
    read(*given, **named)
    return meter.total - spent


@pytest.fixture
def receipt(house: House) -> Receipt:
    """A transaction that was posted and projected."""
    legs = [debit(CUSTOMER, PRICE), credit(MERCHANT, PRICE)]
    receipt = house.ledger.post(legs, type="card.purchase", idempotency_key="order-1041")
    house.settle()
    return receipt


@pytest.mark.parametrize("account", [MERCHANT, "nobody"])
def test_a_view_balance_is_one_get(house: House, receipt: Receipt, account: str) -> None:
    """One `GetItem`, eventually consistent, at half a unit: with entries or without."""
    meter = house.meter()
    house.ledger.balance(account, "EUR", consistency="view")
    assert meter.costs == {"get_item": Cost(1, read_units=0.5)}


def test_a_fresh_balance_is_two_requests(house: House, receipt: Receipt) -> None:
    """The view and the log beyond it, each strongly consistent."""
    meter = house.meter()
    house.ledger.balance(MERCHANT, "EUR")
    assert meter.costs == {"get_item": Cost(1, read_units=1), "query": Cost(1, read_units=1)}


def test_a_fresh_balance_costs_the_same_after_three_thousand_entries(house: House) -> None:
    """Two requests whatever the history; their units are those of what is not sealed yet."""
    meter = house.meter()
    live(house, MERCHANT, (burst(hour) for hour in range(4)))
    young = cost_of(meter, house.ledger.balance, MERCHANT, "EUR")
    live(house, MERCHANT, (burst(hour) for hour in range(4, 34)))
    old = cost_of(meter, house.ledger.balance, MERCHANT, "EUR")
    assert house.ledger.balance(MERCHANT, "EUR").entry_count == 34 * MAX_FOLD >= 3000
    assert young.calls == old.calls == 2
    assert old.read_units == young.read_units
    view = cost_of(meter, house.ledger.balance, MERCHANT, "EUR", consistency="view")
    assert view == Cost(1, read_units=0.5)


def test_a_fresh_balance_of_the_hottest_account_is_bounded(house: House) -> None:
    """With as many entries open as there can be: two requests, some 40 units."""
    meter = house.meter()
    for batch in range(10):
        live(house, MERCHANT, [[batch / 10 + n / 1000 for n in range(MAX_FOLD)]])
        cost = cost_of(meter, house.ledger.balance, MERCHANT, "EUR")
        assert cost.calls == 2
        assert cost.read_units <= 2 + 40


def test_a_fresh_balance_reads_what_is_not_projected_yet(house: House) -> None:
    """While the projector is behind, the entries that it has to apply are read, 4 KB a unit."""
    live(house, MERCHANT, [burst(0, 1)])
    log(house, [entry_at(house, MERCHANT, 1 + n / 1000) for n in range(100)])
    meter = house.meter()
    cost = cost_of(meter, house.ledger.balance, MERCHANT, "EUR")
    assert cost.calls == 2
    assert cost.read_units <= 1 + 101 * 350 / 4096 + 1


def test_reading_your_own_writes_costs_one_request_more(house: House, receipt: Receipt) -> None:
    """`including=` reads the balance once more; and its page, when it was sealed meanwhile."""
    meter = house.meter()
    own = MERCHANT, "EUR"
    assert cost_of(meter, house.ledger.balance, *own, including=receipt) == Cost(3, read_units=3)
    house.advance(HOUR)
    project(house, [entry_at(house, MERCHANT, 1800 + n) for n in range(MAX_FOLD)])
    assert house.pages(MERCHANT)
    assert cost_of(meter, house.ledger.balance, *own, including=receipt).calls == 4


def test_a_transaction_is_one_get(house: House, receipt: Receipt) -> None:
    """Its header is one strongly consistent read; by its key, the key is read before."""
    meter = house.meter()
    assert cost_of(meter, house.ledger.transaction, receipt.id) == Cost(1, read_units=1)
    by_key = cost_of(meter, house.ledger.transaction_by_key, "order-1041")
    assert by_key == Cost(2, read_units=2)


def test_a_page_of_entries_is_one_query(house: House) -> None:
    """A hundred entries of 60-byte names are some 30 KB: one request, at most 9 units."""
    log(house, [entry_at(house, MERCHANT, n) for n in range(250)])
    meter = house.meter()
    cost = cost_of(meter, house.ledger.entries, MERCHANT, currency="EUR", limit=100)
    assert cost.calls == 1
    assert cost.read_units <= 9


def test_a_page_of_accounts_is_sixteen_queries(house: House, receipt: Receipt) -> None:
    """The listing is spread over sixteen partitions, read from the index at half a unit each."""
    meter = house.meter()
    cost = cost_of(meter, house.ledger.accounts, prefix="merchant:")
    assert cost == Cost(16, read_units=8)
