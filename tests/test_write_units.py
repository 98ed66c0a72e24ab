"""What writing costs, in DynamoDB's write units, metered on the requests really sent.

Names of accounts are 60 bytes here, the longest that a ledger should need; what longer ones cost is
a test of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import IdempotencyConflict, Money, Transaction, credit, debit
from ledger.ids import NIL
from ledger.metered import MeteredClient
from ledger.metering import Cost, item_bytes, write_units
from ledger.settings import Settings
from ledger.view import SUM_FIELDS, BalanceImage, PageImage, Sums
from projector import requests
from projector.batch import process
from projector.fold import MAX_FOLD
from projector.late import MAX_PAGE_BYTES
from projector.seal import MAX_OPEN, to_seal
from tests.support.history import entry_at, live, log, project
from tests.support.house import House

MERCHANT = "merchant:" + "m" * 51
CUSTOMER = "customer:" + "c" * 51
PRICE = Money(1_234_567, "EUR")
PURCHASE = [debit(CUSTOMER, PRICE), credit(MERCHANT, PRICE)]


class Till:
    """What was spent since it was last asked."""

    def __init__(self, meter: MeteredClient) -> None:
        self._meter = meter
        self._counted = meter.total

    def spent(self) -> Cost:
        before, self._counted = self._counted, self._meter.total
        return self._counted - before


@pytest.fixture
def till(house: House) -> Till:
    """A house with two accounts that the process knows, and its till."""
    house.ledger.open_account(MERCHANT)
    house.ledger.open_account(CUSTOMER)
    return Till(house.meter())


def test_append_is_one_put_of_one_unit(house: House, till: Till) -> None:
    """On a known account: one call, one write unit, no read."""
    house.ledger.append(credit(MERCHANT, PRICE), type="card.purchase")
    assert till.spent() == Cost(1, write_units=1)


def test_post_of_two_legs_is_six_units(house: House, till: Till) -> None:
    """A header and two entries, each a transactional put below 1 KB: one call."""
    house.ledger.post(
        PURCHASE, type="card.purchase", description="Invoice 2026-1041", metadata={"order": "1041"}
    )
    assert till.spent() == Cost(1, write_units=6)


def test_an_idempotency_key_adds_two_units(house: House, till: Till) -> None:
    """The key rides in the same call."""
    house.ledger.post(PURCHASE, type="card.purchase", idempotency_key="order-1041:capture:1")
    assert till.spent() == Cost(1, write_units=8)


@pytest.mark.parametrize("new", [1, 2])
def test_a_new_account_adds_three_units(house: House, till: Till, new: int) -> None:
    """Its record is 2, and its place in the listing 1; a read found that there is none."""
    legs = [debit(f"new:{n:056d}", PRICE) for n in range(new)]
    legs += [credit(MERCHANT, PRICE)] * new
    house.ledger.post(legs, type="card.purchase")
    assert till.spent() == Cost(2, write_units=2 + 2 * len(legs) + 3 * new, read_units=new)


def test_the_first_append_of_an_account_is_a_transaction(house: House, till: Till) -> None:
    """The entry, 2, goes with the account's record, 3; the next one is a put again."""
    for units in (5, 1):
        house.ledger.append(credit("new:account", PRICE), type="card.purchase")
        assert till.spent().write_units == units


def test_bulk_costs_what_its_transactions_cost(house: House, till: Till) -> None:
    """33 two-legged transactions are one call of 6 units each; new accounts go in a call before."""
    house.ledger.post_many([Transaction(entries=PURCHASE, type="card.purchase")] * 33)
    assert till.spent() == Cost(1, write_units=33 * 6)
    new = [debit("new:1", PRICE), credit("new:2", PRICE)]
    house.ledger.post_many([Transaction(entries=new, type="card.purchase")] * 33)
    assert till.spent() == Cost(3, write_units=33 * 6 + 2 * 3, read_units=2)


def test_a_replay_costs_what_the_first_call_cost(house: House, till: Till) -> None:
    """A failed condition is paid for; a replay by key reads the header that the key names."""
    for replay in (False, True):
        receipt = house.ledger.post(PURCHASE, type="card.purchase", idempotency_key="order-1041")
        assert receipt.replayed is replay
        assert till.spent() == Cost(1 + replay, write_units=8, read_units=replay)


def test_a_conflict_costs_no_more(house: House, till: Till) -> None:
    """Another request under the same id is refused at the price of the first."""
    id = house.ledger.new_id()
    house.ledger.append(credit(MERCHANT, PRICE), type="card.purchase", id=id)
    with pytest.raises(IdempotencyConflict):
        house.ledger.append(credit(MERCHANT, PRICE), type="card.refund", id=id)
    assert till.spent() == Cost(2, write_units=2)


def test_longer_names_cost_no_more(house: House, till: Till) -> None:
    """With names of 128 bytes, the longest that an account can have, each item is below 1 KB."""
    legs = [debit("d" * 128, PRICE), credit("c" * 128, PRICE)]
    house.ledger.post(legs, type="t" * 64)
    assert till.spent().write_units == 6 + 2 * 3
    house.ledger.post(legs, type="t" * 64)
    assert till.spent().write_units == 6
    project(house, [entry_at(house, "c" * 128, n / 1000) for n in range(40)])
    assert till.spent().write_units == 1


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({"description": "x" * 600}, 6),
        ({"description": "x" * 1024}, 12),  # it stands on the header and on both entries
        ({"metadata": {"note": "x" * 500}}, 6),
        ({"metadata": {"note": "x" * 3000}}, 12),  # on the header alone
        ({"idempotency_key": "k" * 500}, 8),
        ({"idempotency_key": "k" * 1024}, 12),  # on its own item, and on the header
    ],
)
def test_long_texts_cost_by_the_kilobyte(
    house: House, till: Till, fields: dict[str, Any], units: int
) -> None:
    """What makes an item fill another KB costs another 2 units."""
    house.ledger.post(PURCHASE, type="card.purchase", **fields)
    assert till.spent() == Cost(1, write_units=units)


@pytest.mark.parametrize(("legs", "units"), [(2, 6), (4, 10), (6, 14), (8, 4 + 16), (90, 22 + 180)])
def test_more_legs_cost_two_units_each(house: House, till: Till, legs: int, units: int) -> None:
    """An entry is 2 units whatever the number of them; the header has six in its first KB."""
    house.ledger.post(PURCHASE * (legs // 2), type="card.purchase")
    assert till.spent() == Cost(1, write_units=units)


@pytest.mark.parametrize("events", [1, 10, 40])
def test_apply_is_one_unit_whatever_the_fold(house: House, till: Till, events: int) -> None:
    """A batch's events on one account that is not hot are one update of one unit."""
    project(house, [entry_at(house, MERCHANT, n / 1000) for n in range(events)])
    assert till.spent() == Cost(1, write_units=1)


def test_apply_is_a_unit_for_each_kilobyte_of_the_balance(house: House) -> None:
    """On the hottest account 90 events cost at most 8 units, before and after it was sealed."""
    meter, paid = house.meter(), []
    for batch in HISTORIES["hot"][:12]:
        spent = meter.costs.get("update_item", Cost())
        live(house, MERCHANT, [batch])
        paid.append((meter.costs["update_item"] - spent).write_units)
    assert house.pages(MERCHANT)
    assert paid[:5] == [2, 4, 5, 7, 5]
    assert max(paid) <= 8


def test_a_duplicate_costs_one_failed_update(house: House, till: Till) -> None:
    """A record that comes again is told by the item that stands there: no read, no second write."""
    entries = [entry_at(house, MERCHANT, 0)]
    project(house, entries)
    till.spent()
    project(house, entries)
    assert till.spent() == Cost(1, write_units=1)


HOUR = 3600.0
HISTORIES: dict[str, list[list[float]]] = {
    "slow: one event an hour": [[HOUR * n] for n in range(200)],
    "steady: one event every two seconds": [[2.0 * n] for n in range(200)],
    "warm: twenty events a second": [[s + n / 20 for n in range(20)] for s in range(40)],
    "hot": [[b / 10 + n / 1000 for n in range(MAX_FOLD)] for b in range(20)],
    "bursts": [
        [HOUR * h + b / 10 + n / 1000 for n in range(MAX_FOLD)] for h in range(6) for b in range(3)
    ],
}
"""The times of an account's events, in seconds, batch by batch."""


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_sealing_costs_at_most_15_hundredths_of_a_unit_an_event(
    house: House, history: list[list[float]]
) -> None:
    """Over a long history: at most 0.15 write units and one read unit an event, seals and all."""
    meter = house.meter()
    events = live(house, MERCHANT, history)
    assert len(house.pages(MERCHANT)) >= 3
    assert meter.costs["transact_write_items"].write_units <= 0.15 * events
    assert meter.costs["batch_get_item"].read_units <= events


def test_a_late_event_costs_its_page_and_no_more(house: House) -> None:
    """However many late events a range gets, each costs its page and the balance, and no more.

    The update that told that they are late is 1 unit. Then there is a transaction for each page, of
    2 units a KB of the page, which is split above 8 KB, and of the balance: 20 at most for one
    event, 22 for ninety. A split, once in some 200 events, is up to 32 more. Read are the page, and
    the entries that a split moves.
    """
    live(house, MERCHANT, [[HOUR * n] for n in range(45)])
    assert len(house.pages(MERCHANT)) == 1
    meter, splits = house.meter(), 0
    for batch in [MAX_FOLD] * 4 + [1] * 30 + [MAX_FOLD] * 2 + [1] * 10:
        late = [entry_at(house, MERCHANT, HOUR + n / 1000) for n in range(batch)]
        log(house, late)
        spent, sent = meter.total, meter.costs.get("transact_write_items", Cost())
        tally = project(house, late)
        assert tally.late == batch
        cost = meter.total - spent
        pages = meter.costs["transact_write_items"].calls - sent.calls - tally.splits
        assert pages <= len(house.pages(MERCHANT))
        assert cost.write_units <= 1 + (20 if batch == 1 else 22) * pages + 32 * tally.splits
        assert cost.read_units <= 3 * pages + (3 + 276) * tally.splits
        splits += tally.splits
    assert splits >= 1
    assert all(item_bytes(page) <= MAX_PAGE_BYTES for page in house.items("balances"))


def test_the_folds_of_one_account_do_not_fail_each_other(house: House) -> None:
    """A batch of more than one fold on an account costs no more: its folds go one after another.

    Side by side they would cancel each other's seals, and one would make the other's events late.
    """
    made = [entry_at(house, MERCHANT, n) for n in range(3 * MAX_FOLD)]
    log(house, made)
    house.advance(HOUR)
    meter = house.meter()
    result = process(house.runtime, house.new_records(), parallel=8)
    assert result.tally.applied == len(made)
    assert result.tally.late == 0
    assert meter.costs["transact_write_items"].write_units <= 0.15 * len(made)
    assert meter.costs["batch_get_item"].read_units <= len(made)


SETTINGS = Settings()
MAX_SUM = 10**27


@given(
    settled=st.integers(0, MAX_OPEN + MAX_FOLD),
    young=st.integers(0, MAX_OPEN + MAX_FOLD),
    total=st.integers(0, MAX_SUM),
    lates=st.integers(0, 10**6),
)
def test_no_seal_costs_more(settled: int, young: int, total: int, lates: int) -> None:
    """Whatever an account has come to, what a seal costs is at most 0.15 units an id it moves."""
    open_ids = [n.to_bytes(6, "big") + bytes(11) for n in range(1, settled + young + 1)]
    image = BalanceImage(
        sums=Sums(total, total, total, total, 10**9 + 1),
        open=frozenset(open_ids[: MAX_OPEN + MAX_FOLD]),
        through=b"\1" * 17,
        lates=lates,
        generation=NIL,
    )
    if wanted := to_seal(image, settled + 1):
        assert _seal_units(image, wanted) <= 0.15 * len(wanted)


def _seal_units(image: BalanceImage, wanted: list[bytes]) -> int:
    """The units of a seal's transaction: the page that it puts, the balance item as it stood."""
    page = PageImage(
        start=image.through,
        through=wanted[-1],
        ids=frozenset(wanted),
        suspects=frozenset(),
        sums=image.sums,
        generation=image.generation,
    )
    request = requests.seal(SETTINGS, MERCHANT, "EUR", image, page)
    put, update = (next(iter(item.values())) for item in request.parameters["TransactItems"])
    balance = {
        **update["Key"],
        **{name: put["Item"][name] for name in SUM_FIELDS},
        "open": {"BS": sorted(image.open)},
        "through": {"B": image.through},
        "lates": {"N": str(image.lates)},
        "generation": {"S": image.generation},
    }
    return write_units(None, put["Item"], transactional=True) + write_units(
        balance, None, transactional=True
    )
