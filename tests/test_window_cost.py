"""A night by the day costs what the day wrote, and of the history only the pages of accounts that moved."""

from __future__ import annotations

import pytest

from ledger.metering import Cost
from ledger.reconcile import reconcile
from ledger.reconcile.export import reconcile_window
from projector.fold import MAX_FOLD
from tests.conftest import NewHouse
from tests.support.exports import Exporter
from tests.support.history import live
from tests.support.house import START, House

pytestmark = pytest.mark.parametrize("engine", ["dynamodb-local"], indirect=True)
"""What is sent is metered by its own rules, on whatever engine."""

HOUR = 3600.0
SHOP, QUIET = "shop:1", "quiet:1"


def burst(house: House, account: str, bursts: int) -> None:
    """As many batches of events, an hour apart, in the log and in the view."""
    first = (house.clock.time() - START) // HOUR + 1
    hours = [HOUR * (first + hour) for hour in range(bursts)]
    live(house, account, [[at + n / 1000 for n in range(MAX_FOLD)] for at in hours])
    house.clock.advance(HOUR)


def night(exporter: Exporter) -> Cost:
    """What a night costs after one batch on the shop's account, and that it is clean."""
    house = exporter.house
    burst(house, SHOP, 1)
    exports = exporter.take()
    meter = house.meter()
    report = reconcile_window(house.runtime, exporter.objects, exports, sleep=house.clock.advance)
    house.faults._client = meter._client
    assert (report.verdict, report.entries) == ("clean", MAX_FOLD)
    spent: Cost = meter.total
    return spent


@pytest.fixture
def exporter(new_house: NewHouse) -> Exporter:
    """A house whose first nights are behind it: each has a page to compare, and a page to make."""
    house = new_house()
    for account in (SHOP, QUIET):
        house.ledger.open_account(account)
    exporter = Exporter(house)
    burst(house, SHOP, 3)
    exporter.take()
    night(exporter)
    return exporter


def test_the_history_of_accounts_that_rest_costs_nothing(exporter: Exporter) -> None:
    """Five hundred entries of others later, the same night costs the same."""
    young = night(exporter)
    burst(exporter.house, QUIET, 5)
    exporter.take()

    old = night(exporter)

    # The shop's own pages of two nights more are read.
    assert young.read_units <= old.read_units <= young.read_units + 2 * 2
    assert young.calls == old.calls
    assert old.write_units == 0


def test_the_history_of_an_account_that_moved_costs_its_pages(exporter: Exporter) -> None:
    """At most two units a page, of up to 350 entries: its log is not read again."""
    young, pages = night(exporter), len(exporter.house.pages(SHOP))
    burst(exporter.house, SHOP, 8)
    exporter.take()

    old = night(exporter)

    more = len(exporter.house.pages(SHOP)) - pages
    assert more >= 7
    assert old.read_units <= young.read_units + 2 * more
    meter = exporter.house.meter()
    assert reconcile(exporter.house.runtime).verdict == "clean"
    assert old.read_units < meter.total.read_units / 4
