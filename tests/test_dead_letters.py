"""What Lambda gave up on is applied from its bucket, and removed only when nothing is left to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from ledger import Misconfigured, connect
from ledger.errors import InvalidRequest, Unavailable
from projector import deadletters
from projector.bucket import Place
from projector.deadletters import Letter, redrive
from projector.record import Record
from projector.tally import Tally
from projector.wire import to_wire
from tests.support.bus import Events
from tests.support.command import Folio
from tests.support.house import House
from tests.support.stage import entries, record, write

BUCKET = "folio-failures"
AT = "aws/lambda/5a1b/shardId-00000001/2026/09/21/"


class Failures:
    """A house on moto, with a bucket beside it that Lambda writes dead letters to."""

    def __init__(self, session: boto3.Session) -> None:
        self.house = House(session, None)
        self.s3 = connect.client("s3", self.house.settings, session)
        self.s3.create_bucket(Bucket=BUCKET)

    def letter(self, records: Sequence[Record], **changed: Any) -> dict[str, Any]:
        """As AWS documents it: the event as a JSON text beside what is known of the batch."""
        table = self.house.settings.events_table
        batch = {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": records[0].sequence_number if records else "1",
            "endSequenceNumber": records[-1].sequence_number if records else "1",
            "approximateArrivalOfFirstRecord": "2026-09-21T00:13:19Z",
            "approximateArrivalOfLastRecord": "2026-09-21T00:13:19Z",
            "batchSize": len(records),
            "streamArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026",
        }
        return {
            "requestContext": {
                "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
                "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:folio-projector",
                "condition": "RecordAgeExceeded",
                "approximateInvokeCount": 7,
            },
            "version": "1.0",
            "timestamp": "2026-09-21T00:13:49.717Z",
            "DDBStreamBatchInfo": batch,
            "payload": json.dumps({"Records": [to_wire(one) for one in records]}),
        } | changed

    def put(self, name: str, letter: object) -> None:
        """An object in the bucket."""
        body = letter if isinstance(letter, bytes) else json.dumps(letter).encode()
        self.s3.put_object(Bucket=BUCKET, Key=AT + name, Body=body)

    def redriven(self, client: Any = None, prefix: str = "", **more: Any) -> list[Letter]:
        """What becomes of each object."""
        return list(
            redrive(
                self.house.runtime,
                client or self.s3,
                Place(BUCKET, prefix),
                parallel=2,
                sleep=lambda _seconds: None,
                **more,
            )
        )

    def left(self) -> list[str]:
        """The objects that are still there."""
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [one["Key"].removeprefix(AT) for one in found]


@pytest.fixture
def failures(session: boto3.Session) -> Iterator[Failures]:
    """Fresh tables and an empty bucket."""
    with mock_aws():
        yield Failures(session)


class Client:
    """An S3 client that lists two objects at a time, and fails on order."""

    def __init__(self, client: Any, **errors: Exception) -> None:
        self.client = client
        self.errors = errors
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            self.calls.append(name)
            if error := self.errors.pop(name, None):
                raise error
            pages = {"MaxKeys": 2} if name == "list_objects_v2" else {}
            return getattr(self.client, name)(**parameters, **pages)

        return call


def says(code: str, status: int = 400) -> ClientError:
    """S3's answer."""
    told: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, "S3")


def test_what_lambda_gave_up_on_is_applied_and_removed(failures: Failures) -> None:
    """Late or not, twice or not: the records go through the projector's own way."""
    first = write(failures.house, entries("a", [-9, -8]))
    second = write(failures.house, entries("b", [-7]))
    failures.put("1", failures.letter(first))
    failures.put("2", failures.letter([*second, first[0]]))
    done = failures.redriven()
    assert [(one.fate, one.records) for one in done] == [("applied", 2), ("applied", 2)]
    assert done[1].tally == Tally(applied=1, duplicates=1)
    assert failures.left() == []
    failures.house.assert_view_is_right()


def test_the_payload_may_be_an_object_too(failures: Failures) -> None:
    """As LocalStack writes it."""
    records = write(failures.house, entries("a", [-9]))
    event = {"Records": [to_wire(one) for one in records]}
    failures.put("1", failures.letter(records, payload=event))
    assert [one.fate for one in failures.redriven()] == ["applied"]
    failures.house.assert_view_is_right()


def test_a_poison_record_goes_into_quarantine_and_the_object_is_removed(failures: Failures) -> None:
    """It is kept whole there, with its reason; the sound ones beside it are applied."""
    sound = write(failures.house, entries("a", [-9]))
    header = record({"PK": {"S": "TRANSACTION#1"}, "SK": {"S": "TRANSACTION"}})
    poison = record({"PK": {"S": "x"}, "SK": {"S": "y"}})
    failures.put("1", failures.letter([*sound, header, poison]))
    (done,) = failures.redriven()
    assert (done.fate, done.tally) == ("applied", Tally(applied=1, quarantined=1))
    assert len(failures.house.items("quarantine")) == 1
    assert failures.left() == []


def test_an_object_of_which_a_record_failed_stays(failures: Failures) -> None:
    """The others go on, and the next redrive finishes it."""
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    failures.put("2", failures.letter(write(failures.house, entries("b", [-9]))))
    failures.house.faults.plan = lambda _number, operation, parameters: (
        "throttled"
        if operation == "update_item" and parameters["Key"]["PK"]["S"].endswith("a")
        else "none"
    )
    assert [one.fate for one in failures.redriven()] == ["failed", "applied"]
    assert failures.left() == ["1"]
    failures.house.faults.heal()
    assert [one.fate for one in failures.redriven()] == ["applied"]
    failures.house.assert_view_is_right()


def test_what_the_bus_did_not_take_keeps_its_object(failures: Failures) -> None:
    """An event of a dead letter is published like any other, before the object goes."""
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    port = Events(lambda _number, _events: "InternalException")
    assert [one.fate for one in failures.redriven(bus=port.bus())] == ["failed"]
    port.says = Events().says
    assert [one.fate for one in failures.redriven(bus=port.bus())] == ["applied"]
    assert len(port.taken) == 1


NO_LETTERS: list[tuple[str, dict[str, Any] | bytes, str]] = [
    ("no payload", {"payload": None}, "folio repair"),
    ("no batch", {"DDBStreamBatchInfo": None}, "no dead letter of a DynamoDB stream"),
    ("another event", {"payload": json.dumps({"detail": {}})}, "folio repair"),
    ("a payload that is no JSON", {"payload": "a-secret"}, "no event"),
    ("a payload that is a list", {"payload": "[]"}, "no event"),
    ("a number for a payload", {"payload": 7}, "folio repair"),
    ("a half record", {"payload": {"Records": [{"eventID": "a-secret"}]}}, "folio repair"),
    ("another table's", {"DDBStreamBatchInfo": {"streamArn": "x:table/other/stream/1"}}, "other"),
    ("no table's", {"DDBStreamBatchInfo": {}}, "no table"),
    ("no JSON", b"a-secret", "no JSON object"),
    ("no object", b"[]", "no JSON object"),
    ("no text", b"\xff\xfe\x00", "no JSON object"),
]


@pytest.mark.parametrize(
    ("changed", "why"), [one[1:] for one in NO_LETTERS], ids=[one[0] for one in NO_LETTERS]
)
def test_what_is_no_letter_is_left_and_named(
    failures: Failures, changed: dict[str, Any] | bytes, why: str
) -> None:
    """It says what to do, and nothing of what is in it; the letter beside it is applied."""
    records = write(failures.house, entries("a", [-9]))
    if isinstance(changed, bytes):
        failures.put("1", changed)
    else:
        letter = failures.letter(records, **changed)
        failures.put("1", {name: value for name, value in letter.items() if value is not None})
    failures.put("2", failures.letter(records))
    left, applied = failures.redriven()
    assert (left.fate, applied.fate) == ("left", "applied")
    assert why in left.reason
    assert "a-secret" not in left.reason
    assert failures.left() == ["1"]


def test_an_object_that_no_event_can_be_is_not_read(
    failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has a bound."""
    monkeypatch.setattr(deadletters, "MAX_LETTER_BYTES", 100)
    failures.put("1", failures.letter([]))
    client = Client(failures.s3)
    (left,) = failures.redriven(client)
    assert left.fate == "left"
    assert "get_object" not in client.calls


def test_many_objects_are_read_page_by_page(failures: Failures) -> None:
    """Each once, though those before it are removed meanwhile; others' prefixes are not touched."""
    written = write(failures.house, entries("a", [-n for n in range(1, 8)]))
    for number, one in enumerate(written):
        failures.put(f"{number}", failures.letter([one]))
    failures.s3.put_object(Bucket=BUCKET, Key="another/1", Body=b"not ours")
    client = Client(failures.s3)
    done = failures.redriven(client, prefix="aws/lambda/")
    assert [one.fate for one in done] == ["applied"] * 7
    assert client.calls.count("list_objects_v2") == 4
    assert failures.left() == ["another/1"]
    failures.house.assert_view_is_right()


def test_18_applied_and_not_removed_is_a_duplicate_the_next_time(failures: Failures) -> None:
    """A redrive that ends between the two does no harm."""
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    with pytest.raises(Misconfigured, match="no permission to remove"):
        failures.redriven(Client(failures.s3, delete_object=says("AccessDenied", 403)))
    (again,) = failures.redriven()
    assert (again.fate, again.tally) == ("applied", Tally(duplicates=1))
    failures.house.assert_view_is_right()


def test_an_object_that_someone_else_removed_is_nobodys(failures: Failures) -> None:
    """Two operators may redrive at once."""
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    client = Client(failures.s3, get_object=says("NoSuchKey", 404))
    assert failures.redriven(client) == []


@pytest.mark.parametrize(
    "error", [says("SlowDown", 503), ReadTimeoutError(endpoint_url="test")], ids=["busy", "lost"]
)
@pytest.mark.parametrize("operation", ["list_objects_v2", "get_object", "delete_object"])
def test_what_may_pass_is_tried_again(failures: Failures, operation: str, error: Exception) -> None:
    """As calls to DynamoDB are."""
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    done = failures.redriven(Client(failures.s3, **{operation: error}))
    assert [one.fate for one in done] == ["applied"]
    assert failures.left() == []


def test_a_bucket_that_keeps_failing_ends_the_run(failures: Failures) -> None:
    """After as many attempts as the settings say."""

    class Down:
        calls = 0

        def list_objects_v2(self, **_parameters: Any) -> Any:
            self.calls += 1
            raise says("InternalError", 500)

    down = Down()
    with pytest.raises(Unavailable, match="S3 kept failing"):
        failures.redriven(down)
    assert down.calls == failures.house.settings.attempts


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AccessDenied", "OperatorPolicy"),
        ("PermanentRedirect", "another region"),
        ("AuthorizationHeaderMalformed", "another region"),
        ("InvalidAccessKeyId", "InvalidAccessKeyId"),
    ],
)
def test_an_error_of_the_bucket_says_what_to_do(failures: Failures, code: str, why: str) -> None:
    """By name, not by S3's words alone."""
    with pytest.raises(Misconfigured, match=why):
        failures.redriven(Client(failures.s3, list_objects_v2=says(code)))


def test_a_bucket_that_is_not_there_is_named(failures: Failures) -> None:
    """In S3's own words, by way of HTTP."""
    with pytest.raises(Misconfigured, match="there is no bucket another"):
        list(redrive(failures.house.runtime, failures.s3, Place("another"), parallel=1))


def test_missing_tables_end_the_run_and_keep_the_object(failures: Failures) -> None:
    """Nothing is removed that nobody could apply."""
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    elsewhere = failures.house.new_runtime(balances_table="another-stacks-balances")
    with pytest.raises(Misconfigured, match="no such table"):
        list(redrive(elsewhere, failures.s3, Place(BUCKET), parallel=1))
    assert failures.left() == ["1"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://folio-failures", Place("folio-failures", "")),
        ("s3://folio-failures/", Place("folio-failures", "")),
        ("s3://folio-failures/aws/lambda/", Place("folio-failures", "aws/lambda/")),
    ],
)
def test_a_place_is_a_bucket_and_a_prefix(url: str, place: Place) -> None:
    """As AWS's own tools write it."""
    assert Place.of(url) == place


@pytest.mark.parametrize("url", ["folio-failures", "s3://", "s3://UPPER", "https://x/y", "s3:///x"])
def test_what_is_no_place_is_refused(url: str) -> None:
    """Before any call."""
    with pytest.raises(InvalidRequest, match="s3://BUCKET"):
        Place.of(url)


def test_the_command_says_what_became_of_each_object(
    failures: Failures, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a table and as JSON; exit code 4 while some stay, 0 when none does."""
    folio = Folio("", monkeypatch, capsys)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name in ("events", "balances", "accounts", "idempotency", "quarantine"):
        table = getattr(failures.house.settings, f"{name}_table")
        folio.set(f"LEDGER_{name.upper()}_TABLE", table)
    folio.set("AWS_DEFAULT_REGION", failures.s3.meta.region_name)
    failures.put("1", failures.letter(write(failures.house, entries("a", [-9]))))
    failures.put("2", b"no letter")

    said = folio("redrive", "--dead-letters", f"s3://{BUCKET}")
    again = folio("redrive", "--dead-letters", f"s3://{BUCKET}", "--json")
    failures.s3.delete_object(Bucket=BUCKET, Key=f"{AT}2")
    empty = folio("redrive", "--dead-letters", f"s3://{BUCKET}/aws/")

    assert said.code == 4
    assert "1 objects applied and removed, 1 stay" in said.out
    assert (again.code, again.json["fates"]) == (4, {"left": 1})
    assert [item["key"] for item in again.json["items"]] == [f"{AT}2"]
    assert (empty.code, empty.out.splitlines()[-1]) == (0, "0 objects applied and removed, 0 stay")
    assert folio("redrive", "--dead-letters", "folio-failures").code == 2
    failures.house.assert_view_is_right()
