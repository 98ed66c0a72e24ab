"""The poller: all shards, parents before children, from where it stood, and nothing lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from ledger import Misconfigured, Money, credit
from projector import poller as poller_module
from projector.batch import BatchResult
from projector.checkpoint import Checkpoint
from projector.poller import LIST_SHARDS_SECONDS, Poller, stream_arn
from projector.record import Record
from projector.shards import StreamsClient
from tests.support.bus import Events
from tests.support.faults import Fault, Killed
from tests.support.house import House
from tests.support.lines import caught
from tests.support.stage import entries, write
from tests.support.streams import ARN, FakeStreams

PATIENCE_SECONDS = 30


def poller_of(
    house: House,
    streams: StreamsClient,
    path: Path | None = None,
    *,
    arn: str = ARN,
    observe: Callable[[BatchResult], None] | None = None,
) -> Poller:
    """A poller over a house, one fold at a time."""
    return Poller(
        house.runtime, streams, arn, checkpoint=Checkpoint(path), parallel=1, observe=observe
    )


def until_idle(poller: Poller) -> int:
    """Pass after pass until one finds nothing left to do; how many records were read."""
    read, idle = 0, poller.idle_passes
    for _ in range(50):
        read += poller.step()[0]
        if poller.idle_passes > idle:
            return read
    raise AssertionError("the poller never comes to an end")


def written(house: House, count: int, account: str = "a") -> list[Record]:
    """So many records of one account."""
    return write(house, entries(account, range(-count, 0)))


def test_a_real_stream_from_its_beginning_and_on(house: House) -> None:
    """What the engine's own stream brings is applied, then and later."""
    poller = poller_of(house, house.streams, arn=house.arn)
    for _ in range(2):
        for account in ("a", "b"):
            leg = credit(account, Money(5, "EUR"))
            house.posted([house.ledger.append(leg, type="x") for _ in range(3)])
        assert until_idle(poller) == 6
        house.assert_view_is_right()


def test_missing_tables_are_told_and_nothing_is_skipped(house: House) -> None:
    """One line for the batch; when they are there it goes on from where it stood."""
    records, streams = written(house, 3), FakeStreams()
    streams.add("shard", records)
    lost = house.new_runtime(balances_table="another-stacks-balances")
    poller = poller_of(house, streams)
    poller._runtime = lost
    with caught() as lines:
        assert poller.step() == (3, True)
    (told,) = lines.all("not applied")
    assert (told["error"], told["level"]) == ("Misconfigured", "error")

    poller._runtime = house.runtime
    assert until_idle(poller) == 3
    house.assert_view_is_right()


def test_what_a_poller_applies_is_published(house: House) -> None:
    """Where there is no Lambda the bus is told all the same, and before the poller goes on."""
    records, streams = written(house, 3), FakeStreams()
    streams.add("shard", records)
    port = Events(lambda _number, _events: "InternalException")
    poller = Poller(
        house.runtime, streams, ARN, checkpoint=Checkpoint(None), parallel=1, bus=port.bus()
    )
    assert poller.step() == (3, True)
    port.says = Events().says
    assert until_idle(poller) == 3
    assert len(set(port.ids())) == 3


def test_25_parents_are_read_before_their_children(house: House) -> None:
    """A shard that was split in two: no child is touched before its parent has ended."""
    records, streams = written(house, 9), FakeStreams()
    streams.add("child-1", records[3:6], parent="parent")
    streams.add("child-2", records[6:], parent="parent")
    streams.add("parent", records[:3])
    poller = poller_of(house, streams)
    assert until_idle_or_waiting(poller) == 3
    assert {call for call in streams.calls if call.startswith("read")} == {"read parent"}

    streams.shards["parent"].closed = True
    assert until_idle(poller) == 6
    house.assert_view_is_right()


def until_idle_or_waiting(poller: Poller) -> int:
    """A few passes; how many records were read."""
    return sum(poller.step()[0] for _ in range(4))


def test_children_that_wait_are_not_idleness(house: House) -> None:
    """While a parent is open its children are unread: the view is not said to be up to date."""
    streams = FakeStreams()
    streams.add("parent", written(house, 1))
    streams.add("child", written(house, 1, "b"), parent="parent")
    poller = poller_of(house, streams)
    until_idle_or_waiting(poller)
    assert poller.idle_passes == 0


def test_a_shard_whose_parent_is_gone_is_read_at_once(house: House) -> None:
    """After 24 hours the stream lists a child alone."""
    streams = FakeStreams()
    streams.add("child", written(house, 2), parent="long-gone")
    assert until_idle(poller_of(house, streams)) == 2


def test_a_shard_that_ended_is_not_read_again_and_its_children_are_found_at_once(
    house: House,
) -> None:
    """However long ago the shards were listed."""
    records, streams = written(house, 4), FakeStreams()
    streams.add("parent", records[:2])
    poller = poller_of(house, streams)
    assert until_idle(poller) == 2
    streams.shards["parent"].closed = True
    streams.add("child", records[2:], parent="parent")
    assert until_idle(poller) == 2
    streams.calls.clear()
    until_idle(poller)
    assert "read parent" not in streams.calls
    house.assert_view_is_right()


def test_new_shards_are_looked_for_now_and_then(house: House) -> None:
    """A listing every ten seconds is enough: what a shard holds waits there for a day."""
    streams = FakeStreams()
    streams.add("one")
    poller = poller_of(house, streams)
    until_idle(poller)
    streams.add("two", written(house, 1))
    assert until_idle(poller) == 0
    house.advance(LIST_SHARDS_SECONDS)
    assert until_idle(poller) == 1


def test_a_stream_of_many_shards_is_listed_to_its_end(house: House) -> None:
    """Page by page."""
    streams, records = FakeStreams(), written(house, 5)
    for number, one in enumerate(records):
        streams.add(f"shard-{number}", [one])
    assert until_idle(poller_of(house, streams)) == 5


@pytest.mark.parametrize("already_read", [0, 2])
def test_an_iterator_that_expired_is_made_anew_where_it_stood(
    house: House, already_read: int
) -> None:
    """After fifteen minutes without a read; and the pass that finds that out is not idle."""
    records, streams = written(house, 4), FakeStreams()
    streams.add("one", records[:already_read])
    poller = poller_of(house, streams)
    until_idle(poller)
    streams.shards["one"].records += records[already_read:]
    streams.errors = ["ExpiredIteratorException"]
    idle = poller.idle_passes
    assert poller.step() == (0, False)
    assert poller.idle_passes == idle
    assert until_idle(poller) == 4 - already_read
    house.assert_view_is_right()


def test_23_what_was_trimmed_is_passed_over_and_the_rest_is_read(house: House) -> None:
    """A poller that stood still for a day goes on with the oldest record; the reconciler names the gap."""
    records, streams = written(house, 6), FakeStreams()
    streams.add("one", records[:2])
    poller = poller_of(house, streams)
    until_idle(poller)
    streams.shards["one"].records = records[4:]
    streams.errors = ["TrimmedDataAccessException"]
    assert until_idle(poller) == 2
    assert house.image("a").sums.entries == 4
    assert streams.calls[-3:-1] == ["one TRIM_HORIZON", "read one"]


def test_another_error_of_streams_is_not_taken_for_an_end(house: House) -> None:
    """It is raised, and the loop tries again later."""
    streams = FakeStreams()
    streams.add("one", written(house, 1))
    streams.errors = ["AccessDeniedException"]
    with pytest.raises(Exception, match="AccessDenied"):
        poller_of(house, streams).step()


def test_19_a_batch_that_failed_is_read_again_from_its_lowest_record(house: House) -> None:
    """What lies before it counts as applied, what lies behind comes again, harmlessly."""
    records, streams = [*written(house, 2), *written(house, 2, "b")], FakeStreams()
    streams.add("one", records)
    results: list[BatchResult] = []
    poller = poller_of(house, streams, observe=results.append)
    throttled: list[Fault] = ["throttled"] * house.settings.attempts
    house.faults.script("update_item", "none", *throttled)
    assert poller.step() == (4, True)
    assert results[0].failed_from == records[2].sequence_number
    streams.calls.clear()
    assert poller.step() == (2, False)
    assert streams.calls[0] == f"one AFTER_SEQUENCE_NUMBER {records[1].sequence_number}"
    house.assert_view_is_right()


def test_19_a_batch_whose_first_record_failed_is_read_again_whole(house: House) -> None:
    """Nothing has been applied: from the shard's beginning."""
    records, streams = written(house, 2), FakeStreams()
    streams.add("one", records)
    poller = poller_of(house, streams)
    house.faults.always("update_item", "throttled")
    assert poller.step() == (2, True)
    house.faults.heal()
    assert poller.step() == (2, False)
    assert streams.calls.count("one TRIM_HORIZON") == 2
    house.assert_view_is_right()


# --- where it stands ---------------------------------------------------------------------------


def test_another_poller_goes_on_where_one_stood(house: House, tmp_path: Path) -> None:
    """By the checkpoint, which holds the last applied record of each shard."""
    path, records, streams = tmp_path / "projector.json", written(house, 3), FakeStreams()
    streams.add("one", records[:2])
    until_idle(poller_of(house, streams, path))
    saved = json.loads(path.read_text())
    assert saved == {"stream": ARN, "after": {"one": records[1].sequence_number}}
    assert [file.name for file in tmp_path.iterdir()] == ["projector.json"]

    streams.shards["one"].records += records[2:]
    assert until_idle(poller_of(house, streams, path)) == 1
    house.assert_view_is_right()


def test_18_a_poller_that_was_killed_reads_again_harmlessly(house: House, tmp_path: Path) -> None:
    """It dies after the batch and before its checkpoint: all of it comes again, and has no effect."""
    path, streams = tmp_path / "projector.json", FakeStreams()
    streams.add("one", written(house, 3))

    def dies(_result: BatchResult) -> None:
        raise Killed

    with pytest.raises(Killed):
        poller_of(house, streams, path, observe=dies).step()
    assert not path.exists()
    results: list[BatchResult] = []
    until_idle(poller_of(house, streams, path, observe=results.append))
    assert results[0].tally.duplicates == 3
    house.assert_view_is_right()


GARBAGE = {
    "empty": b"",
    "half": b'{"stream": "' + ARN.encode(),
    "no object": b"[1, 2]",
    "no text": b"\xff\xfe\x00",
    "no shards": json.dumps({"stream": ARN, "after": None}).encode(),
    "no number": json.dumps({"stream": ARN, "after": {"one": "yesterday"}}).encode(),
    "a short number": json.dumps({"stream": ARN, "after": {"one": "5"}}).encode(),
    "of another stream": json.dumps({"stream": "arn:other", "after": {"one": "9" * 25}}).encode(),
}


@pytest.mark.parametrize("content", GARBAGE)
def test_a_checkpoint_that_cannot_be_used_is_none(
    house: House, tmp_path: Path, content: str
) -> None:
    """Garbage, or another stream's: everything is read again, which does no harm."""
    path, streams = tmp_path / "projector.json", FakeStreams()
    path.write_bytes(GARBAGE[content])
    records = written(house, 2)
    streams.add("one", records)
    assert until_idle(poller_of(house, streams, path)) == 2
    assert json.loads(path.read_text())["after"] == {"one": records[1].sequence_number}


def test_a_checkpoint_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in the middle of saving leaves the one before."""
    path, first, second = tmp_path / "projector.json", {"one": "1" * 21}, {"one": "2" * 21}
    checkpoint = Checkpoint(path)
    checkpoint.save(ARN, first)

    def crash(self: Path, target: Path) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", crash)
        with pytest.raises(Killed):
            checkpoint.save(ARN, second)
    assert Checkpoint(path).load(ARN) == first
    Checkpoint(path).save(ARN, second)
    assert Checkpoint(path).load(ARN) == second


def test_a_checkpoint_that_has_not_changed_is_not_written(tmp_path: Path) -> None:
    """An idle poller leaves the disk alone."""
    path = tmp_path / "projector.json"
    checkpoint = Checkpoint(path)
    checkpoint.save(ARN, {"one": "1" * 21})
    path.unlink()
    checkpoint.save(ARN, {"one": "1" * 21})
    assert not path.exists()


def test_without_a_path_nothing_is_kept() -> None:
    """In memory there is nothing to come back to."""
    checkpoint = Checkpoint(None)
    checkpoint.save(ARN, {"one": "1" * 21})
    assert checkpoint.load(ARN) == {}


# --- the loop ----------------------------------------------------------------------------------


class Loop:
    """A poller that runs in a thread, without its pauses."""

    def __init__(self, poller: Poller) -> None:
        self.stop = Event()
        self.error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(poller,))
        self._thread.start()

    def _run(self, poller: Poller) -> None:
        try:
            poller.run(self.stop)
        except BaseException as error:  # noqa: BLE001  # looked at by the test
            self.error = error

    def end(self) -> None:
        """It has ended by itself, or ends when told to."""
        self.stop.set()
        self.join()

    def join(self) -> None:
        """It ends."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "IDLE_SECONDS", 0.001)
    monkeypatch.setattr(poller_module, "FAILED_SECONDS", 0.001)


def loop_until(poller: Poller, met: Callable[[], bool], enough: Event) -> Loop:
    """Run until a pass has seen that the condition is met."""
    step = poller.step

    def watched() -> tuple[int, bool]:
        done = step()
        if met():
            enough.set()
        return done

    poller.step = watched  # type: ignore[method-assign]
    return Loop(poller)


@pytest.mark.usefixtures("no_pauses")
def test_it_runs_until_it_is_told_to_stop(house: House) -> None:
    """And stops between two passes."""
    streams, enough = FakeStreams(), Event()
    streams.add("one", written(house, 3))
    poller = poller_of(house, streams)
    loop = loop_until(poller, lambda: poller.idle_passes > 2, enough)
    assert enough.wait(PATIENCE_SECONDS)
    loop.end()
    assert loop.error is None
    house.assert_view_is_right()


@pytest.mark.usefixtures("no_pauses")
def test_09_what_is_refused_is_logged_and_tried_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors of Streams and batches that failed end no loop."""
    streams, enough = FakeStreams(), Event()
    streams.add("one", written(house, 3))
    streams.errors = ["InternalServerError", "LimitExceededException"]
    throttled: list[Fault] = ["throttled"] * house.settings.attempts
    house.faults.script("update_item", *throttled)
    poller = poller_of(house, streams)
    loop = loop_until(poller, lambda: poller.idle_passes > 0, enough)
    assert enough.wait(PATIENCE_SECONDS)
    loop.end()
    assert loop.error is None
    failed = [one for one in caplog.records if "poll failed" in one.getMessage()]
    assert len(failed) == 2
    house.assert_view_is_right()


@pytest.mark.usefixtures("no_pauses")
def test_20_an_error_of_our_own_ends_the_loop(house: House) -> None:
    """It is not swallowed: whoever waits for the poller sees that it is gone."""

    class Broken(FakeStreams):
        def describe_stream(self, **_asked: Any) -> Any:
            raise ZeroDivisionError

    loop = Loop(poller_of(house, Broken()))
    loop.join()
    assert isinstance(loop.error, ZeroDivisionError)


def test_the_stream_of_a_table(house: House) -> None:
    """By its newest label; a table without one is a mistake of the stack's."""
    client, settings = house.faults, house.settings
    assert stream_arn(client, settings.events_table) == house.arn
    with pytest.raises(Misconfigured, match="NEW_AND_OLD_IMAGES"):
        stream_arn(client, settings.balances_table)


def test_all_that_a_batch_did_is_observed(house: House) -> None:
    """For metrics and for those who watch."""
    streams, results = FakeStreams(), list[BatchResult]()
    streams.at_once = 2
    streams.add("one", written(house, 5))
    until_idle(poller_of(house, streams, observe=results.append))
    assert applied(results) == [2, 2, 1]


def applied(results: Sequence[BatchResult]) -> list[int]:
    """How many events each batch applied."""
    return [result.tally.applied for result in results]
