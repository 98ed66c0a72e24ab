"""A ledger restored to a point in time ends in a clean reconciliation, whatever the cut left in parts.

The restored copy has what a restore brings: the tables, each cut somewhere in the last transactions;
no stream, no TTL, no view.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from ledger import Ledger, Money, Receipt, credit, debit, ids, keys
from ledger import restored as drill
from ledger.items import Item
from ledger.model import Transaction
from ledger.reconcile import reconcile
from ledger.request import Request
from ledger.restored import Cuts, Mended, refusal, survey
from ledger.tables import definitions
from projector import replay as replaying
from projector import taken
from projector.redrive import redrive
from projector.replay import replay
from tests.conftest import NewHouse
from tests.support.command import Folio
from tests.support.faults import Killed
from tests.support.house import House

COPIES = itertools.count(1)
TABLES = ("events", "accounts", "idempotency")
Drop = Callable[[str, Item], bool]
"""Whether the cut left an item of a table out."""


def busy(house: House) -> list[Receipt | Any]:
    """Transactions of every kind: with keys and without, of several legs, and entries by themselves."""
    ledger, made = house.ledger, list[Any]()
    for number in range(4):
        made.append(
            ledger.post(
                [
                    debit(f"user:{number}", Money(990, "EUR")),
                    credit("shop:7", Money(950, "EUR")),
                    credit("company:fees", Money(40, "EUR")),
                ],
                type="purchase",
                description="Ein Kauf",
                metadata={"order": number},
                effective_at=datetime(2026, 9, 1, tzinfo=UTC),
                idempotency_key=f"order-{number}",
            )
        )
        made.append(ledger.append(credit(f"points:{number}", Money(5, "EUR")), type="bonus"))
        made.append(
            ledger.transfer(
                source="world:card",
                destination=f"user:{number}",
                money=Money(1, "EUR"),
                type="deposit",
            )
        )
    house.advance(600)
    return made


def put(house: House, table: str, item: Item) -> None:
    """Write an item as a restore does, past the ledger."""
    name = getattr(house.settings, f"{table}_table")
    house.runtime.store.send(Request("put_item", {"TableName": name, "Item": item}))


def restore(house: House, drop: Drop) -> House:
    """New tables without a stream and a view, with what the cut left."""
    prefix = f"restored{next(COPIES)}"
    names = {f"{t}_table": f"{prefix}-{t}" for t in (*TABLES, "balances", "quarantine")}
    for definition in definitions(house.settings.model_copy(update=names)):
        definition.pop("StreamSpecification", None)
        house.faults.create_table(**definition)
    given: dict[str, Any] = {"clock": house.clock, **names}
    copy = House(house.session, house.endpoint_url, **given)
    for table in TABLES:
        for item in house.items(table):
            if not drop(table, item):
                put(copy, table, item)
    return copy


def of(transaction_id: str, header: bool = True) -> Drop:
    """Leaves out a transaction's header, or its entries."""

    def drop(table: str, item: Item) -> bool:
        if header:
            return bool(item["PK"]["S"] == keys.transaction(transaction_id))
        own = item.get("transaction") == {"S": transaction_id}
        return table == "events" and own

    return drop


def mended(copy: House) -> tuple[Cuts, Mended]:
    """The drill, as `folio restored --yes` does it."""
    rt = copy.new_runtime()
    cuts = survey(rt)
    assert refusal(rt, cuts, declared=True) is None
    return cuts, drill.mend(rt, cuts, lambda item: taken.keep(rt, item))


def assert_clean(copy: House) -> None:
    """A replay into the empty view, and the reconciler has nothing to say."""
    replay(copy.runtime, segments=1)
    report = reconcile(copy.runtime, sleep=lambda _seconds: None)
    assert (report.verdict, report.findings, report.unread) == ("clean", (), ())


def by_key(items: Iterable[Item]) -> dict[str, Item]:
    """Items by their keys."""
    return {item["PK"]["S"] + item.get("SK", {"S": ""})["S"]: item for item in items}


def whole(house: House, table: str, gone: set[str]) -> dict[str, Item]:
    """What must stand in the end: all of a table that does not belong to transactions that are gone."""

    def belongs(item: Item) -> bool:
        header = item["PK"]["S"].removeprefix(keys.TRANSACTION)
        return {header, item.get("transaction", {}).get("S")}.isdisjoint(gone)

    return by_key(filter(belongs, house.items(table)))


@given(data=st.data())
def test_fault_44_whatever_the_cut_left_the_drill_ends_clean(
    new_house: NewHouse, data: st.DataObject
) -> None:
    """Any subset of the last transactions' items may lack; what a header names comes back to the byte."""
    house = new_house()
    last = {receipt.id for receipt in busy(house)[-6:] if not receipt.entries[0].single}
    lacking = set[str]()

    def cut(table: str, item: Item) -> bool:
        of_last = {item["PK"]["S"][-26:], item.get("transaction", {}).get("S")} & last
        left_out = table == "accounts" or bool(of_last)
        if left_out and data.draw(st.booleans()):
            lacking.add(table + item["PK"]["S"] + item.get("SK", {"S": ""})["S"])
            return True
        return False

    copy = restore(house, cut)
    gone = {id for id in last if f"events{keys.transaction(id)}{keys.HEADER}" in lacking}

    mended(copy)

    assert by_key(copy.items("events")) == whole(house, "events", gone)
    assert by_key(copy.items("idempotency")) == whole(house, "idempotency", gone)
    assert survey(copy.new_runtime()).whole
    assert_clean(copy)


def test_fault_44_a_second_run_changes_nothing(house: House) -> None:
    """Neither right after the first, nor after the replay."""
    first, second = (r for r in busy(house)[-3:] if not r.entries[0].single)
    copy = restore(house, lambda t, i: of(first.id)(t, i) or of(second.id, header=False)(t, i))
    mended(copy)
    before = {table: by_key(copy.items(table)) for table in (*TABLES, "quarantine")}
    copy.faults.heal()

    cuts, done = mended(copy)

    assert cuts.whole
    assert done == Mended()
    assert_clean(copy)
    assert survey(copy.new_runtime()).whole
    assert {table: by_key(copy.items(table)) for table in before} == before


def test_what_is_taken_out_is_kept_whole_and_never_applied(house: House) -> None:
    """Its quarantine record holds the item; `redrive` names it, and leaves the view alone."""
    purchase = next(r for r in reversed(busy(house)) if r.idempotency_key)
    copy = restore(house, of(purchase.id))
    lone = [item for item in copy.items("events") if of(purchase.id, header=False)("events", item)]

    _, done = mended(copy)

    assert (done.entries_removed, done.keys_removed) == (3, 1)
    records = [json.loads(item["record"]["S"]) for item in copy.items("quarantine")]
    kept = {r["dynamodb"]["OldImage"]["PK"]["S"] for r in records}
    assert kept == {item["PK"]["S"] for item in lone}
    assert {one.fate for one in redrive(copy.runtime)} == {"kept"}
    assert copy.items("balances") == []
    # And the payment can be tried again, under its own key.
    again = copy.ledger.transfer(
        source="a", destination="b", money=Money(1, "EUR"), type="t", idempotency_key="order-3"
    )
    assert not again.replayed


def test_an_entry_is_kept_before_it_is_taken_out(house: House) -> None:
    """Killed between the two, or where quarantine refuses, nothing is lost."""
    deposit = busy(house)[-1]
    copy = restore(house, of(deposit.id))

    def refuse(item: Item) -> None:
        raise Killed

    with pytest.raises(Killed):
        drill.mend(copy.runtime, survey(copy.new_runtime()), refuse)
    assert len(survey(copy.new_runtime()).lone) == 2
    mended(copy)
    assert_clean(copy)


@pytest.mark.parametrize("at", [0, 3, 4, 7, 8, 11])
def test_a_drill_that_was_killed_is_run_again(new_house: NewHouse, at: int) -> None:
    """Before any of its writes, or after it."""
    house = new_house()
    made = [r for r in busy(house) if not r.entries[0].single]
    one, two, three = made[-3:]
    copy = restore(
        house,
        lambda t, i: (
            of(one.id)(t, i)
            or of(two.id, header=False)(t, i)
            or (t != "events" and of(three.id, header=False)("events", i))
        ),
    )
    writes = itertools.count()
    steps = ("put_item", "delete_item", "transact_write_items")

    def kill(_number: int, name: str, _parameters: object) -> Any:
        if name in steps and next(writes) == at // 2:
            return "killed after" if at % 2 else "killed before"
        return "none"

    rt = copy.new_runtime()
    cuts = survey(rt)
    copy.faults.plan = kill
    with pytest.raises(Killed):
        drill.mend(rt, cuts, lambda item: taken.keep(rt, item))
    copy.faults.heal()

    mended(copy)

    assert survey(copy.new_runtime()).whole
    assert_clean(copy)


def test_a_header_that_cannot_be_understood_takes_no_entries_with_it(house: House) -> None:
    """Of a newer version, or altered: the transaction was; it is named, and left."""
    newer, altered = (r for r in busy(house)[-3:] if not r.entries[0].single)
    copy = restore(house, lambda *_: False)
    for id, change in ((newer.id, {"v": {"N": "99"}}), (altered.id, {"type": {"S": "x"}})):
        item = copy.runtime.store.get(copy.settings.events_table, keys.transaction(id), keys.HEADER)
        assert item is not None
        put(copy, "events", item | change)

    cuts = survey(copy.new_runtime())

    assert cuts.whole
    assert {line.split()[1].rstrip(":") for line in cuts.left} == {newer.id, altered.id}


def test_what_is_wrong_in_another_way_is_named_and_left(house: House) -> None:
    """An altered leg is not missing, and one that its header does not name is not without a header."""
    deposit = busy(house)[-1]
    copy = restore(house, lambda *_: False)
    entry = deposit.entries[0]
    place = (keys.account(entry.account), keys.event("EUR", entry.id))
    item = copy.runtime.store.get(copy.settings.events_table, *place)
    assert item is not None
    put(copy, "events", item | {"amount_minor": {"N": "2"}})
    stray = item | {"PK": {"S": keys.account("shop:7")}}
    put(copy, "events", stray)
    before = by_key(copy.items("events"))

    cuts, _ = mended(copy)

    assert cuts.whole
    assert any("not what its header names" in line for line in cuts.left)
    assert by_key(copy.items("events")) == before


def test_more_than_one_run_takes_up_is_left_to_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded memory: it says that there is more, and comes to an end."""
    monkeypatch.setattr("ledger.restored.cuts.MAX_BUCKETS", 2)
    last = [r.id for r in busy(house) if not r.entries[0].single][-5:]
    copy = restore(house, lambda t, i: any(of(id, header=False)(t, i) for id in last))

    runs = [mended(copy)[0] for _ in range(3)]

    assert [cuts.more for cuts in runs] == [True, True, False]
    assert_clean(copy)


def test_a_key_whose_time_is_over_is_not_written_again(new_house: NewHouse) -> None:
    """One that still counts is, with the time that it had."""
    house = new_house(idempotency_ttl_seconds=3600)
    busy(house)
    copy = restore(house, lambda table, _item: table == "idempotency")
    ttl = copy.new_runtime(idempotency_ttl_seconds=3600)
    assert {key.key for key in survey(ttl).lost_keys} == {f"order-{n}" for n in range(4)}
    expiring = {key.expires_at for key in survey(ttl).lost_keys}
    stood = {int(item["expires_at"]["N"]) for item in house.items("idempotency")}
    assert expiring == stood
    house.advance(3600)
    assert survey(ttl).lost_keys == []


def test_what_was_appended_by_itself_is_never_taken_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no header, and needs none: even where it is looked at beside a cut transaction."""
    for module in ("ledger.restored.cuts", "ledger.reconcile.digest"):
        monkeypatch.setattr(f"{module}.bucket_of", lambda _id: 0)
    copy = restore(house, of(busy(house)[-1].id))
    assert len(survey(copy.new_runtime()).lone) == 2


def test_a_lost_reply_is_no_trouble(house: House) -> None:
    """The put comes again, and finds what it has written."""
    last = busy(house)[-3]
    copy = restore(
        house, lambda t, i: of(last.id, header=False)(t, i) or i["PK"]["S"] == "KEY#order-3"
    )
    rt = copy.new_runtime()
    cuts = survey(rt)
    lost = itertools.count()
    copy.faults.plan = lambda _n, name, _p: (
        "reply lost" if name == "put_item" and not next(lost) % 2 else "none"
    )
    done = drill.mend(rt, cuts, lambda item: taken.keep(rt, item))
    assert (done.entries_written, done.keys_written, done.left) == (3, 1, [])


def test_what_changed_since_the_survey_is_left(house: House) -> None:
    """A header that is there by now, an entry or key that is another's: named, and untouched."""
    made = busy(house)
    deposit, purchase = made[-1], made[-3]
    copy = restore(house, lambda t, i: of(deposit.id)(t, i) or of(purchase.id)(t, i))
    cuts = survey(copy.new_runtime())
    header = house.runtime.store.get(
        house.settings.events_table, keys.transaction(purchase.id), keys.HEADER
    )
    assert header is not None
    put(copy, "events", header)
    for item in cuts.lone:
        if item["transaction"]["S"] == deposit.id:
            put(copy, "events", item | {"fingerprint": {"B": b"another"}})
    before = {table: by_key(copy.items(table)) for table in TABLES}

    done = drill.mend(copy.runtime, cuts, lambda item: taken.keep(copy.runtime, item))

    assert (done.entries_removed, done.keys_removed) == (0, 0)
    assert len(done.left) == 6  # three entries and a key by a header, two entries by a fingerprint
    assert {table: by_key(copy.items(table)) for table in TABLES} == before


# What keeps it from a ledger that is in use.


def cut_copy(house: House) -> tuple[House, Cuts]:
    """A restored copy with something to take out."""
    copy = restore(house, of(busy(house)[-1].id))
    return copy, survey(copy.new_runtime())


def test_a_table_that_was_not_restored_is_refused(house: House) -> None:
    """Unless the operator says that it was."""
    copy, cuts = cut_copy(house)
    assert "does not say that it was restored" in str(refusal(copy.runtime, cuts, declared=False))
    assert refusal(copy.runtime, cuts, declared=True) is None


def test_a_log_with_a_stream_is_refused(house: House) -> None:
    """It is in use: what is removed would be tampering to its reader. No flag helps."""
    busy(house)
    cuts = survey(house.new_runtime())
    assert "stream on" in str(refusal(house.runtime, cuts, declared=True))


def test_a_view_that_is_not_empty_is_refused(house: House) -> None:
    """It may count what would be removed."""
    copy, cuts = cut_copy(house)
    replay(copy.runtime, segments=1)
    assert "which may count" in str(refusal(copy.runtime, cuts, declared=True))


class Restored:
    """A client whose table says when it was restored to, as AWS's does."""

    def __init__(self, copy: House, moment: datetime, *, in_progress: bool = False) -> None:
        self._client = copy.faults
        self._summary = {"RestoreDateTime": moment, "RestoreInProgress": in_progress}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_table(self, **parameters: Any) -> Any:
        reply = self._client.describe_table(**parameters)
        return {"Table": reply["Table"] | {"RestoreSummary": self._summary}}


def test_a_restored_table_in_use_by_now_is_refused(house: House) -> None:
    """Entries newer than the restore's moment were written since; the table's own word is enough else."""
    copy, cuts = cut_copy(house)
    newest = ids.EPOCH + timedelta(milliseconds=cuts.newest_ms)
    rt = copy.runtime
    for moment, in_progress, wanted in (
        (newest, False, None),
        (newest - timedelta(seconds=61), False, "in use already"),
        (newest, True, "still being restored"),
    ):
        rt.store.client = Restored(copy, moment, in_progress=in_progress)
        refused = refusal(rt, cuts, declared=False)
        assert (refused is None) if wanted is None else wanted in str(refused)


def test_fault_44_by_a_restore_that_dynamodb_itself_makes(session: boto3.Session) -> None:
    """As docs/restoring.md has it: the tables say that they were restored, and no flag is needed."""
    with mock_aws():
        house = House(session, None)
        deposit = busy(house)[-1]
        gone = {"PK": {"S": keys.transaction(deposit.id)}, "SK": {"S": keys.HEADER}}
        house.faults.delete_item(TableName=house.settings.events_table, Key=gone)
        tables = {f"{table}_table": f"folio2-{table}" for table in TABLES}
        for name, new in tables.items():
            old = getattr(house.settings, name)
            house.faults.update_continuous_backups(
                TableName=old,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
            house.faults.restore_table_to_point_in_time(
                SourceTableName=old, TargetTableName=new, UseLatestRestorableTime=True
            )
        given: dict[str, Any] = {"clock": house.clock, **tables}
        copy = House(session, None, **given)

        cuts = survey(copy.new_runtime())
        assert len(cuts.lone) == 2
        assert refusal(copy.runtime, cuts, declared=False) is None
        drill.mend(copy.runtime, cuts, lambda item: taken.keep(copy.runtime, item))
        assert_clean(copy)


# Replay.


def test_a_lost_view_is_replayed(house: House) -> None:
    """Into an empty table: the same balances; a second replay adds nothing."""
    house.posted(busy(house))
    done = replay(house.runtime, segments=1)
    assert (done.read, done.applied, done.already) == (24, 24, 0)
    house.assert_view_is_right()
    again = replay(house.runtime, segments=1)
    assert (again.applied, again.already) == (0, 24)
    house.assert_view_is_right()


def test_a_replay_is_harmless_beside_the_projector(house: House) -> None:
    """What the stream brings after it, and before it, counts once."""
    house.posted(busy(house))
    records = house.new_records()
    house.project(records[:10])
    assert replay(house.runtime, segments=1).applied < 24
    house.project(records)
    house.assert_view_is_right()


def test_a_replay_of_a_long_history_is_in_order_and_side_by_side(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are sealed on the way, and nothing of it is late."""
    ledger = house.ledger
    deposits = [
        Transaction(
            entries=[
                debit("world:card", Money(1, "EUR")),
                credit(f"user:{n % 3}", Money(1, "EUR")),
            ],
            type="deposit",
        )
        for n in range(240)
    ]
    receipts = ledger.post_many(deposits)
    house.posted(receipts)
    house.advance(600)

    done = replay(house.runtime, segments=4)

    assert (done.read, done.applied) == (480, 480)
    house.assert_view_is_right()
    assert len(house.pages("world:card")) >= 2
    assert house.image("world:card").lates == 0


def test_a_replay_names_what_it_does_not_apply(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that is not sound, and one that DynamoDB refuses: the rest goes on."""
    monkeypatch.setattr(replaying, "MAX_TOLD", 1)
    entry = busy(house)[-1].entries[0]
    place = (keys.account(entry.account), keys.event("EUR", entry.id))
    item = house.runtime.store.get(house.settings.events_table, *place)
    assert item is not None
    put(house, "events", item | {"amount_minor": {"N": "7"}})

    def plan(_number: int, name: str, parameters: Any) -> Any:
        key = parameters.get("Key", {}).get("PK", {}).get("S", "")
        return "throttled" if name == "update_item" and key.endswith("shop:7") else "none"

    house.faults.plan = plan
    done = replay(house.runtime, segments=1)
    assert (done.read, done.applied, done.unsound, done.refused) == (24, 19, 1, 4)
    assert len(done.told) == 1


# The commands.


def test_the_drill_by_its_commands(folio: Folio) -> None:
    """It shows, refuses what is no copy, does it with --yes; then replay and reconcile end clean."""
    key = folio.deposit("user:1", "1.00", "--key", "k1")["id"]
    folio.deposit("user:2")
    ledger = Ledger.connect(endpoint_url=folio.endpoint_url)
    store, settings = ledger.runtime.store, ledger.runtime.settings
    gone = {"PK": {"S": keys.transaction(key)}, "SK": {"S": keys.HEADER}}
    store.client.delete_item(TableName=settings.events_table, Key=gone)

    refused = folio("restored", "--yes")
    assert refused.code == 1
    assert "does not say that it was restored" in refused.err
    assert "entry taken out" in refused.out
    store.client.update_table(
        TableName=settings.events_table, StreamSpecification={"StreamEnabled": False}
    )
    shown = folio("restored", "--this-is-a-restored-copy", "--json")
    assert (shown.code, shown.json["agreed"], len(shown.json["planned"])) == (3, False, 3)
    done = folio.answer("restored", "--this-is-a-restored-copy", "--yes")
    assert (done["done"]["entries_removed"], done["done"]["keys_removed"]) == (2, 1)
    assert "nothing is in parts" in folio("restored").out
    assert folio.answer("replay")["applied"] == 2
    assert folio.answer("reconcile", "--grace", "0")["verdict"] == "clean"
