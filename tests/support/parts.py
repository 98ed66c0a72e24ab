"""All that each part of Folio does to the tables, so that its calls can be held against its permissions.

Each takes a house, does everything that its part can, and leaves its calls in `house.faults.calls`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from unittest import mock

from moto import mock_aws

from ledger import Ledger, Money, Transaction, connect, credit
from ledger.health import Clients, check, quick
from ledger.items import entry_item
from ledger.read.lag import lag
from ledger.reconcile import reconcile
from projector import deadletters, quarantine
from projector.bucket import Place
from projector.record import Quarantined, Record
from projector.redrive import redrive
from projector.repair import plan, repair
from projector.replay import replay
from projector.wire import to_wire
from tests.support.house import House
from tests.support.samples import deposit, id_at
from tests.support.stage import entries, entry, record, write

DAY = 86_400


def no_sleep(seconds: float) -> None:
    """Time is the test's."""


def cold(house: House) -> Ledger:
    """A process that has just started: it knows no account and not what time it is."""
    house.clock.synchronised = False
    return Ledger(house.new_runtime())


def writing(house: House) -> None:
    """All that payment code writes: first and again, warm and cold, its replies lost, its keys expired."""
    fee, other = credit("user:1", Money(5, "EUR")), credit("user:2", Money(5, "EUR"))
    assert cold(house).open_account("user:1")
    cold(house).append(fee, type="fee", id=id_at())
    assert cold(house).append(fee, type="fee", id=id_at()).replayed
    cold(house).append(other, type="fee")
    first = cold(house).post(deposit(), type="deposit", idempotency_key="k")
    assert cold(house).post(deposit(), type="deposit", idempotency_key="k").id == first.id
    house.faults.once("transact_write_items", "reply lost")
    cold(house).post(deposit(), type="deposit", id=id_at(1), idempotency_key="k2")
    many = [Transaction(entries=deposit(account=f"many:{n % 3}"), type="deposit") for n in range(9)]
    cold(house).post_many([*many, Transaction(entries=deposit(), type="deposit", id=first.id)])
    house.advance(2 * DAY)
    assert cold(house).post(deposit(), type="deposit", id=id_at(1), idempotency_key="k2").replayed
    assert cold(house).append(fee, type="fee", id=id_at()).replayed


def reading(house: House) -> None:
    """All that reads: balances fresh, of the view and with a late receipt, entries, transactions, names."""
    late = house.ledger.post(deposit(), type="deposit", id=id_at(-35), historical=True)
    write(house, entries("user:42", [-50, -40, -30]))
    house.settle()
    key = house.ledger.post(deposit(), type="deposit", idempotency_key="k")
    ledger = house.ledger
    house.faults.heal()
    assert ledger.balance("user:42", "EUR", including=late).posted.amount_minor > 0
    assert ledger.balance("user:42", "EUR", consistency="view").posted.amount_minor > 0
    assert ledger.balances("user:42").keys() == {"EUR"}
    assert ledger.entries("user:42").items
    assert ledger.entry("user:42", late.entries[1].id) == late.entries[1]
    assert ledger.transaction(late.id).id == late.id
    assert cold(house).transaction_by_key("k").id == key.id
    assert ledger.accounts().items == ("user:42", "world:card")


def projecting(house: House) -> None:
    """All that the projector does: apply, seal, late, split, a duplicate, and quarantine."""
    house.clock.synchronised = False
    sealed = write(house, entries("a", [-50, -40, -30]))
    behind = write(house, entries("a", [-49, -48, -47, -46]))
    poison = [record({"PK": {"S": "ACCOUNT#b"}, "SK": {"S": "EVENT#?"}})]
    house.faults.heal()
    tally = house.project(sealed).tally + house.project([*behind, *sealed, *poison]).tally
    assert all(tally.counts()[name] for name in ("seals", "late", "splits", "duplicates"))
    assert tally.quarantined


def wrong(house: House) -> None:
    """A ledger that a reconciliation finds fault with in every table."""
    house.ledger.post(deposit(), type="deposit", idempotency_key="k")
    house.ledger.append(credit("user:3", Money(5, "EUR")), type="fee")
    write(house, entries("a", [-50, -40, -30]))
    house.settle()
    write(house, entries("a", [-39, -38, -37, -36]))  # nobody applies them
    altered = entry_item(entries("a", [-50])[0]) | {"amount_minor": {"N": "9"}}
    house.faults.put_item(TableName=house.settings.events_table, Item=altered)
    house.faults.delete_item(TableName=house.settings.idempotency_table, Key={"PK": {"S": "KEY#k"}})
    house.faults.put_item(
        TableName=house.settings.idempotency_table,
        Item={"PK": {"S": "KEY#lone"}, "v": {"N": "1"}},
    )
    house.advance(600)
    house.faults.heal()


def reconciling(house: House) -> None:
    """The nightly job, whole and of one account, on a ledger that has all kinds of faults."""
    wrong(house)
    report = reconcile(house.runtime, sleep=no_sleep)
    assert report.verdict == "drift"
    assert reconcile(house.runtime, ["a"], sleep=no_sleep).findings


def operating(house: House) -> None:
    """People on duty: they look, reconcile, repair, replay, and redrive what waits or was given up."""
    good, poison = entry("a", -5, 3), record({"PK": {"S": "ACCOUNT#b"}, "SK": {"S": "EVENT#?"}})
    waiting = [poison, *write(house, [good])]
    for one in waiting:
        quarantine.put(house.runtime, Quarantined(one, "put there by the test"))
    wrong(house)
    house.clock.synchronised = False
    assert lag(house.runtime).accounts
    assert lag(house.runtime, ["a"]).accounts
    assert quick(house.runtime)
    looked_after(house)
    found = reconcile(house.runtime, sleep=no_sleep)
    reconcile(house.runtime, ["a"], sleep=no_sleep)
    assert repair(house.runtime, plan(found)).applied
    assert [one.fate for one in redrive(house.runtime)] == ["kept", "duplicate"]
    assert replay(house.runtime, segments=1).already
    given_up(house, waiting)


def looked_after(house: House) -> None:
    """Every check of the deployment's health, those for AWS alone too."""
    with mock_aws(), mock.patch("ledger.health.tables.is_aws", return_value=True):
        sts = connect.client("sts", house.settings, house.session)
        checks = check(house.runtime, Clients(None, sts), poller=True)
    assert {one.state for one in checks} >= {"ok", "failing"}


def given_up(house: House, records: Sequence[Record]) -> None:
    """Redrive a dead letter, from a bucket that moto holds."""
    payload = json.dumps({"Records": [to_wire(one) for one in records]})
    stream = f"arn:aws:dynamodb:eu-west-1:1:table/{house.settings.events_table}/stream/s"
    letter = {"DDBStreamBatchInfo": {"streamArn": stream}, "payload": payload}
    with mock_aws():
        s3 = connect.client("s3", house.settings, house.session)
        s3.create_bucket(Bucket="failures")
        s3.put_object(Bucket="failures", Key="letter", Body=json.dumps(letter))
        (done,) = deadletters.redrive(house.runtime, s3, Place("failures"), parallel=1)
    assert done.tally.quarantined


PARTS: Mapping[str, Callable[[House], None]] = {
    "WriterPolicy": writing,
    "ReaderPolicy": reading,
    "ProjectorRole": projecting,
    "ReconcilerRole": reconciling,
    "OperatorPolicy": operating,
}
"""The role or policy in the template → what its part does."""
