"""What is exact in one region only is done at home: elsewhere it is refused, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger import Ledger, NotHome, NotYetHere, Receipt, Transaction, credit, debit
from tests.conftest import NewHouse
from tests.support.house import House
from tests.support.samples import deposit, eur, id_at, operations, written

HOMES = {"us:": "us-east-1", "us:eu:": "eu-west-1"}


@pytest.fixture
def regions(new_house: NewHouse) -> House:
    """A house in eu-west-1, home to all but the accounts of `us:`; the tables stand for a replica."""
    house = new_house(homes=HOMES, home="eu-west-1")
    house.faults.heal()
    return house


def american(house: House) -> Ledger:
    """The same ledger as a process in us-east-1 sees it, once all is replicated."""
    return Ledger(house.new_runtime(region="us-east-1"))


def test_fault_40_a_key_away_from_home_is_refused_before_any_call(regions: House) -> None:
    """The first entry's account decides; the error names the home, the key and the id."""
    legs = [debit("us:1", eur(5)), credit("user:42", eur(5))]
    with pytest.raises(NotHome, match=r"us-east-1; this is eu-west-1") as error:
        regions.ledger.post(legs, type="t", idempotency_key="k", id=id_at())
    assert (error.value.id, error.value.idempotency_key) == (id_at(), "k")
    assert not error.value.retryable
    assert operations(regions) == []


def test_fault_40_an_account_is_opened_at_home_alone(regions: House) -> None:
    """open_account elsewhere names the home; implicitly it is never opened there."""
    with pytest.raises(NotHome, match="us-east-1"):
        regions.ledger.open_account("us:1")
    assert regions.ledger.open_account("us:eu:1"), "the longest prefix counts"
    assert american(regions).open_account("us:1")


def test_fault_40_away_from_home_an_unknown_account_is_not_yet_here(regions: House) -> None:
    """It may have been opened at home and not arrived: try again, and nothing is written meanwhile."""
    legs = [debit("world:card", eur(5)), credit("us:1", eur(5))]
    writes: list[Callable[[], Receipt]] = [
        lambda: regions.ledger.post(legs, type="t", idempotency_key="k"),
        lambda: regions.ledger.append(legs[1], type="t"),
    ]
    for write in writes:
        with pytest.raises(NotYetHere, match="opened in its home, us-east-1") as error:
            write()
        assert error.value.retryable
    (outcome,) = regions.ledger.post_many([Transaction(entries=legs, type="t")])
    assert isinstance(outcome, NotYetHere)
    assert written(regions) == []


def test_away_from_home_a_known_account_is_written_without_a_key(regions: House) -> None:
    """Entries merge between regions: only what is conditional needs the home."""
    american(regions).open_account("us:1")
    receipt = regions.ledger.post([debit("us:1", eur(5)), credit("user:42", eur(5))], type="t")
    assert {entry.origin for entry in receipt.entries} == {"eu-west-1"}
    assert not regions.ledger.append(credit("us:1", eur(1)), type="t").replayed
    (outcome,) = regions.ledger.post_many(
        [Transaction(entries=[debit("us:1", eur(5)), credit("user:42", eur(5))], type="t")]
    )
    assert isinstance(outcome, Receipt)


def test_a_key_at_home_covers_accounts_of_other_homes(regions: House) -> None:
    """The first entry's home is the transaction's; the others only have to be known."""
    american(regions).open_account("us:1")
    legs = [debit("user:42", eur(5)), credit("us:1", eur(5))]
    first = regions.ledger.post(legs, type="t", idempotency_key="k")
    assert regions.ledger.post(legs, type="t", idempotency_key="k").id == first.id


def test_a_retry_may_change_region_with_its_id(regions: House) -> None:
    """The region is not part of the request: the same id elsewhere is a replay, as it was written."""
    id = regions.ledger.new_id()
    first = regions.ledger.post(deposit(), type="t", id=id)
    again = american(regions).post(deposit(), type="t", id=id)
    assert again == replace(first, replayed=True)
    assert {entry.origin for entry in again.entries} == {"eu-west-1"}


def test_without_homes_every_region_is_home(house: House) -> None:
    """One region needs no rule."""
    elsewhere = Ledger(house.new_runtime(region="us-east-1"))
    assert elsewhere.post(deposit(), type="t", idempotency_key="k").entries
    assert elsewhere.open_account("us:1")


def test_a_receipt_from_another_region_may_not_have_arrived(regions: House) -> None:
    """including= makes sure of it: NotYetHere until its entries are in this region's log."""
    american(regions).open_account("us:1")
    receipt = american(regions).append(credit("us:1", eur(5)), type="t")
    ours = [replace(entry, transaction_id=id_at(1, 7)) for entry in receipt.entries]
    absent = replace(receipt, id=id_at(1, 7), entries=tuple(ours))
    with pytest.raises(NotYetHere, match="have not all arrived in eu-west-1") as error:
        regions.ledger.balance("us:1", "EUR", including=absent)
    assert (error.value.id, error.value.retryable) == (absent.id, True)
    assert regions.ledger.balance("us:1", "EUR", including=receipt).posted == eur(5)
