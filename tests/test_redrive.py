"""Redrive: what waits in quarantine is applied once this version understands it, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger import fingerprint, keys
from ledger.errors import Unavailable
from ledger.items import entry_item
from ledger.model import Entry
from projector import quarantine
from projector.quarantine import kept
from projector.record import Quarantined, Record
from projector.redrive import redrive
from projector.tally import Tally
from tests.support.house import House
from tests.support.stage import entries, entry, record, small_caps, write

FUTURE = 2


def form_2(entry: Entry) -> list[Any]:
    """What the fingerprint of a later version is made over."""
    return ["entry/2", *fingerprint.ENTRY_FORMS[1](entry)]


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this process knows the next schema version."""
    monkeypatch.setitem(fingerprint.ENTRY_FORMS, FUTURE, form_2)


def of_the_future(house: House, monkeypatch: pytest.MonkeyPatch, second: float) -> Record:
    """The stream record of an entry that newer code wrote."""
    with monkeypatch.context() as newer:
        newer.setitem(fingerprint.ENTRY_FORMS, FUTURE, form_2)
        unsigned = replace(entry("a", second, 12), version=FUTURE)
        signed = replace(unsigned, fingerprint=fingerprint.of_entry(unsigned))
        (one,) = write(house, [signed])
    return one


def fates(house: House) -> list[str]:
    """What becomes of what is in quarantine."""
    return [one.fate for one in redrive(house.runtime)]


def test_28_an_entry_of_a_newer_version_is_applied_after_the_upgrade(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it, it waits; after it, it counts once, however often redrive runs."""
    newer = of_the_future(house, monkeypatch, -5)
    assert house.project([newer]).tally == Tally(quarantined=1)

    (waiting,) = redrive(house.runtime)
    assert waiting.fate == "kept"
    assert "upgrade" in waiting.reason
    assert len(house.items("quarantine")) == 1

    upgrade(monkeypatch)
    assert fates(house) == ["applied"]
    assert not house.items("quarantine")
    house.assert_view_is_right()
    assert fates(house) == []


def test_28_what_the_stream_brought_again_after_the_upgrade_is_a_duplicate(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways lead through the same apply."""
    newer = of_the_future(house, monkeypatch, -5)
    house.project([newer])
    upgrade(monkeypatch)
    house.project([newer])
    assert fates(house) == ["duplicate"]
    assert not house.items("quarantine")
    house.assert_view_is_right()


def test_22_a_redriven_event_may_be_late(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """By then its neighbours are sealed: it goes into their page."""
    small_caps(monkeypatch)
    newer = of_the_future(house, monkeypatch, -25)
    house.project([newer])
    house.project(write(house, entries("a", [-40, -30, -20])))
    assert len(house.pages("a")) == 1
    upgrade(monkeypatch)
    assert fates(house) == ["applied"]
    assert house.image("a").lates == 1
    house.assert_view_is_right()


def test_26_tampering_is_never_applied(house: House) -> None:
    """It stays where it is, with its reason, for a person to look at."""
    item = entry_item(entry("a", -5, 3))
    house.project([record(item | {"amount_minor": {"N": "4"}}, old=item, name="MODIFY")])
    (one,) = redrive(house.runtime)
    assert one.fate == "tampering"
    assert "changed" in one.reason
    assert len(house.items("quarantine")) == 1
    assert not house.image("a").sums.entries


def test_a_record_that_was_too_large_is_left_and_the_way_out_is_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its keys were kept: the log still has the entry, `folio repair` applies it."""
    monkeypatch.setattr(quarantine, "MAX_RECORD_BYTES", 100)
    house.project([record(entry_item(entry("a", -5, 3)) | {"v": {"N": "9"}})])
    (one,) = redrive(house.runtime)
    assert (one.fate, one.kept.record) == ("kept", None)
    assert "folio repair" in one.reason
    assert len(house.items("quarantine")) == 1


def test_what_asks_nothing_of_the_view_is_let_out(house: House) -> None:
    """A header that an older version put there."""
    header = record({"PK": {"S": "TRANSACTION#1"}, "SK": {"S": "TRANSACTION"}})
    quarantine.put(house.runtime, Quarantined(header, "an older version did not know it"))
    assert fates(house) == ["ignored"]
    assert not house.items("quarantine")


def put_aside(house: House, account: str) -> Record:
    """A sound record in quarantine, as a batch leaves it whose view was broken."""
    (one,) = write(house, entries(account, [-5]))
    quarantine.put(house.runtime, Quarantined(one, "its view was broken"))
    return one


def test_a_failure_leaves_the_record_in_quarantine_and_the_others_go_on(house: House) -> None:
    """The error is named; the next redrive tries again."""
    put_aside(house, "a")
    put_aside(house, "b")
    house.faults.plan = lambda _number, operation, parameters: (
        "throttled"
        if operation == "update_item" and parameters["Key"]["PK"]["S"] == keys.account("a")
        else "none"
    )
    done = {one.kept.keys["PK"]["S"]: one for one in redrive(house.runtime)}
    house.faults.heal()
    assert done[keys.account("a")].fate == "failed"
    assert "Unavailable" in done[keys.account("a")].reason
    assert done[keys.account("b")].fate == "applied"
    assert len(house.items("quarantine")) == 1
    assert fates(house) == ["applied"]
    house.assert_view_is_right()


def test_18_applied_and_not_let_out_is_a_duplicate_the_next_time(house: House) -> None:
    """A redrive that ends between the two does no harm."""
    put_aside(house, "a")
    house.faults.always("delete_item", "throttled")
    with pytest.raises(Unavailable):
        fates(house)
    house.faults.heal()
    assert len(list(kept(house.runtime))) == 1
    assert fates(house) == ["duplicate"]
    house.assert_view_is_right()


def test_22_of_a_fold_that_was_put_aside_as_a_whole_each_is_judged_alone(house: House) -> None:
    """One record that no view can take keeps no other back."""
    house.project(write(house, entries("a", [-9])))
    sound = put_aside(house, "a")
    quarantine.put(house.runtime, Quarantined(record({"PK": {"S": "x"}, "SK": {"S": "y"}}), "why"))
    assert sorted(fates(house)) == ["applied", "kept"]
    assert {one.event_id for one in kept(house.runtime)}.isdisjoint({sound.event_id})
    house.assert_view_is_right()
