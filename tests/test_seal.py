"""Seals: what has settled moves from the balance item into pages, at little cost, and whole."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import ids, keys
from ledger.items import entry_item
from ledger.metering import item_bytes
from ledger.model import Entry
from ledger.view import BalanceImage, Sums
from projector.seal import FRAME_BYTES, ID_BYTES, KEEP_OPEN, MAX_OPEN, MIN_SEAL, to_seal, units
from projector.tally import Tally
from tests.conftest import NewHouse
from tests.support.faults import Killed
from tests.support.house import House
from tests.support.stage import entries, entry, write

MAX_UNITS = 0.15
SETTLED_BEFORE_MS = 1_000_000


def open_image(times_ms: list[int]) -> BalanceImage:
    """A balance image with one open id for each time."""
    open_ids = frozenset(
        ids.pack(ids.entry_id(ids.mint(time, number.to_bytes(10, "big")), 0))
        for number, time in enumerate(times_ms)
    )
    return BalanceImage(Sums(entries=len(open_ids)), open_ids, ids.FIRST, 0, "generation")


@st.composite
def images(draw: st.DrawFn) -> BalanceImage:
    """Up to 450 open ids, of which any number has settled."""
    settled, fresh = draw(st.integers(0, 450)), draw(st.integers(0, 450))
    fresh = min(fresh, 450 - settled)
    old = [SETTLED_BEFORE_MS - 1 - draw(st.integers(0, 999)) for _ in range(min(settled, 5))]
    old += [SETTLED_BEFORE_MS - 1 - number for number in range(settled - len(old))]
    return open_image([*old, *(SETTLED_BEFORE_MS + number for number in range(fresh))])


# --- what is sealed: a decision without I/O ----------------------------------------------------


@settings(max_examples=200)
@given(image=images())
def test_a_plan_is_the_oldest_ids_and_worth_its_price(image: BalanceImage) -> None:
    """Always a prefix; settled and cheap, unless `open` has passed its cap; then enough of it."""
    planned = to_seal(image, SETTLED_BEFORE_MS)
    oldest = sorted(image.open)
    assert planned == oldest[: len(planned)]
    left = oldest[len(planned) :]
    if len(oldest) > MAX_OPEN:
        assert len(left) <= KEEP_OPEN
        assert all(ids.packed_time_ms(id) >= SETTLED_BEFORE_MS for id in left)
    elif planned:
        assert len(planned) >= MIN_SEAL
        assert all(ids.packed_time_ms(id) < SETTLED_BEFORE_MS for id in planned)
        assert (units(len(planned)) + units(len(oldest))) / len(planned) <= MAX_UNITS


@settings(max_examples=20)
@given(
    arrivals=st.lists(st.integers(1, 90), min_size=1, max_size=30),
    gap_ms=st.sampled_from([0, 10, 200, 1000, 10_000]),
)
def test_however_fast_events_come_open_stays_below_its_cap(
    arrivals: list[int], gap_ms: int
) -> None:
    """Fold by fold, whether ids settle before the next or not: never above 350 after a seal."""
    now, number, image = 1_000_000_000, itertools.count(), open_image([])
    sealed, price, past_the_cap = 0, 0, False
    for count in arrivals * 4:
        now += gap_ms
        new = {
            ids.pack(ids.entry_id(ids.mint(now, next(number).to_bytes(10, "big")), 0))
            for _ in range(count)
        }
        past_the_cap |= len(image.open) + count > MAX_OPEN
        image = BalanceImage(Sums(), image.open | new, image.through, 0, "generation")
        planned = to_seal(image, now - 5000)
        if planned:
            sealed += len(planned)
            price += units(len(planned)) + units(len(image.open))
        left = image.open - frozenset(planned)
        image = BalanceImage(Sums(), left, image.through, 0, "generation")
        assert len(image.open) <= MAX_OPEN
    if sealed and not past_the_cap:
        assert price / sealed <= MAX_UNITS


# --- sealing -----------------------------------------------------------------------------------


def fold_of(house: House, count: int, *, first_second: float, account: str = "a") -> list[Any]:
    """`count` entries a millisecond apart, in the log."""
    return write(house, entries(account, (first_second + n / 1000 for n in range(count))))


@pytest.mark.parametrize(("settled", "pages"), [(MIN_SEAL - 1, 0), (MIN_SEAL, 1)])
def test_a_seal_waits_until_it_is_worth_it(house: House, settled: int, pages: int) -> None:
    """Few ids stay in the balance item, where they cost nothing; a page holds many."""
    house.project(fold_of(house, settled, first_second=-60))
    assert len(house.pages("a")) == pages
    house.assert_view_is_right()


def test_what_has_not_settled_stays_open(house: House) -> None:
    """Its neighbours, delayed by clock skew, would all be late."""
    records = fold_of(house, 160, first_second=-60) + fold_of(house, 10, first_second=-4)
    house.project(records)
    assert {ids.packed_time_ms(id) // 1000 for id in house.image("a").open} >= {1_789_999_996}
    assert all(
        ids.packed_time_ms(page.through) < house.clock.time_ms() - 5000 for page in house.pages("a")
    )
    house.assert_view_is_right()


def test_past_its_cap_open_is_sealed_whether_it_has_settled_or_not(house: House) -> None:
    """The balance item never grows beyond eight write units."""
    for start in range(0, 360, 90):
        house.project(fold_of(house, 90, first_second=-1 + start / 1000))
        assert len(house.image("a").open) <= MAX_OPEN
        (item,) = [i for i in house.items("balances") if i["SK"]["S"].startswith(keys.BALANCE)]
        assert item_bytes(item) <= 8 * 1024
    assert len(house.image("a").open) == KEEP_OPEN
    house.assert_view_is_right()


def test_the_plan_knows_what_an_item_holds(house: House) -> None:
    """The sizes it reckons with are at least those of real items with the largest amounts."""
    account = "a" * 60
    written = [
        entry(account, -60 + n / 1000, (-1) ** n * 10**27, number=n, currency="EUR")
        for n in range(120)
    ]
    house.project(write(house, written))
    for item in house.items("balances"):
        held = len(item.get("ids", item.get("open", {"BS": []}))["BS"])
        assert item_bytes(item) <= FRAME_BYTES + ID_BYTES * held


def test_another_apply_before_the_seal_leaves_it_to_the_next_one(house: House) -> None:
    """Nothing is sealed from an image that has passed; nothing fails either."""
    records = fold_of(house, 80, first_second=-60)
    other = fold_of(house, 1, first_second=-1)
    unsealing = house.new_runtime(settling_seconds=3600)
    house.faults.before("batch_get_item", lambda: house.project(other, unsealing))
    result = house.project(records)
    assert (result.tally.applied, result.tally.seals, result.failed_from) == (80, 0, None)
    assert not house.pages("a")
    house.project(fold_of(house, 1, first_second=-50))
    assert house.pages("a")
    house.assert_view_is_right()


def test_duplicates_alone_seal_nothing(house: House) -> None:
    """A seal needs the image of one's own apply: what a refused one shows has passed already."""
    records = fold_of(house, 80, first_second=-60)
    house.faults.once("transact_write_items", "killed before")
    with pytest.raises(Killed):
        house.project(records)
    house.faults.heal()
    assert house.project(records).tally == Tally(duplicates=80)
    assert not house.pages("a")
    house.project(fold_of(house, 1, first_second=-1))
    assert house.pages("a")
    house.assert_view_is_right()


def test_the_generation_is_set_by_the_first_apply_and_stays(house: House) -> None:
    """All of an account's pages belong to it."""
    house.project(fold_of(house, 1, first_second=-60))
    generation = house.image("a").generation
    assert ids.check_id(generation)
    house.advance(60)
    house.project(fold_of(house, 120, first_second=-50))
    assert house.image("a").generation == generation
    assert {page.generation for page in house.pages("a")} == {generation}


# --- what the log says at the seal -------------------------------------------------------------


def test_32_a_neighbour_in_the_sealed_range_is_not_in_the_pages_sums(house: House) -> None:
    """It is committed and not yet applied: it comes later, late, and counts then."""
    records = fold_of(house, 120, first_second=-60)
    (neighbour,) = write(house, [entry("a", -59.9505, 10**9, number=7)])
    assert house.project(records).tally.seals == 1
    house.assert_view_is_sound()
    tally = house.project([neighbour]).tally
    assert (tally.applied, tally.late) == (1, 1)
    house.assert_view_is_right()


def altered(item: dict[str, Any]) -> dict[str, Any]:
    """The amount changed, the fingerprint left."""
    return item | {"amount_minor": {"N": "999999"}}


def of_the_future(item: dict[str, Any]) -> dict[str, Any]:
    """A schema version that this code does not know."""
    return item | {"v": {"N": "77"}}


def stripped(item: dict[str, Any]) -> dict[str, Any]:
    """Only the key is left."""
    return {name: item[name] for name in ("PK", "SK")}


def tamper(house: House, victim: Entry, change: Any) -> None:
    """Change an item of the log, or delete it, as no ledger does."""
    item, table = entry_item(victim), house.settings.events_table
    if change is None:
        key = {name: item[name] for name in ("PK", "SK")}
        house.faults.delete_item(TableName=table, Key=key)
    else:
        house.faults.put_item(TableName=table, Item=change(item))


@pytest.mark.parametrize("change", [None, altered, of_the_future, stripped])
def test_32_an_entry_deleted_or_altered_before_its_seal_is_suspect(
    house: House, caplog: pytest.LogCaptureFixture, change: Any
) -> None:
    """It is alarmed by name and kept out of the page's sums; sealing goes on, the balance stays."""
    written = entries("a", (-60 + n / 1000 for n in range(120)))
    records = write(house, written)
    victim = written[17]
    tamper(house, victim, change)

    tally = house.project(records).tally

    assert (tally.applied, tally.seals, tally.suspects) == (120, 1, 1)
    (page,) = house.pages("a")
    assert page.suspects == {ids.pack(victim.id)}
    assert page.suspects < page.ids
    assert page.sums == Sums(credits=100 * (len(page.ids) - 1), entries=len(page.ids) - 1)
    assert house.image("a").sums.entries == 120
    alarms = [r for r in caplog.records if r.name == "projector.seal"]
    assert [r.levelname for r in alarms] == ["ERROR"]
    assert victim.id in alarms[0].getMessage()
    house.assert_view_is_right()


def test_an_entry_of_another_account_cannot_stand_in(house: House) -> None:
    """An item copied over another's key has not that one's fingerprint: it is suspect."""
    written = entries("a", (-60 + n / 1000 for n in range(120)))
    records = write(house, written)
    other = entry_item(entry("b", -60, 5))
    key = {name: entry_item(written[3])[name] for name in ("PK", "SK")}
    house.faults.put_item(TableName=house.settings.events_table, Item=other | key)
    assert house.project(records).tally.suspects == 1


def test_settling_is_a_setting(new_house: NewHouse) -> None:
    """Where regions replicate, ids stay open for longer."""
    house = new_house(settling_seconds=3600)
    house.project(fold_of(house, 120, first_second=-60))
    assert not house.pages("a")
    house.advance(3600)
    house.project(fold_of(house, 1, first_second=0))
    assert len(house.pages("a")) == 1
