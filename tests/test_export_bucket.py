"""Objects of S3 are read whole or not at all: what breaks off goes on, what is not there is named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError
from moto import mock_aws

from ledger import LedgerError, Unavailable
from ledger.reconcile.export import Bucket
from ledger.reconcile.export.bucket import CHUNK_BYTES
from tests.conftest import NewHouse
from tests.support.house import House


@pytest.fixture
def bucket(session: Any) -> Iterator[Bucket]:
    """A bucket of moto's."""
    with mock_aws():
        house = House(session, None, attempts=3)
        client = session.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="exports")
        yield Bucket.connect("exports", house.runtime, session)


def test_what_was_put_is_read(bucket: Bucket) -> None:
    """In parts, and whole."""
    body = bytes(range(256)) * 10_000
    bucket.put("a/b.json", body)
    parts = list(bucket.chunks("a/b.json"))
    assert b"".join(parts) == body
    assert len(parts) == 3
    assert max(map(len, parts)) <= CHUNK_BYTES


def test_names_are_listed_to_their_end(bucket: Bucket) -> None:
    """More than one reply of S3's holds."""
    for number in range(1005):
        bucket.put(f"nights/{number:04d}", b"")
    bucket.put("other", b"")
    assert list(bucket.names("nights/")) == [f"nights/{number:04d}" for number in range(1005)]


def test_what_is_not_there_is_named(bucket: Bucket) -> None:
    """By bucket and key."""
    with pytest.raises(LedgerError, match="s3://exports/gone"):
        list(bucket.chunks("gone"))


class Breaking:
    """S3's client, of one object, whose bodies break off after some bytes."""

    def __init__(self, body: bytes, *after: int) -> None:
        self.body, self.after = body, list(after)
        self.asked: list[str | None] = []
        self.errors: list[Exception] = []

    def get_object(self, **asked: Any) -> Any:
        """The rest of the object, from the byte that is asked for."""
        if self.errors:
            raise self.errors.pop(0)
        self.asked.append(asked.get("Range"))
        first = int(asked.get("Range", "bytes=0-")[6:-1])
        return {"Body": self._Body(self.body[first:], self.after.pop(0) if self.after else None)}

    class _Body:
        def __init__(self, body: bytes, after: int | None) -> None:
            self._body, self._after = io.BytesIO(body), after

        def iter_chunks(self, size: int) -> Iterator[bytes]:
            """As botocore's body."""
            if self._after is not None:
                yield self._body.read(self._after)
                raise ResponseStreamingError(error="reset")
            while chunk := self._body.read(size):
                yield chunk


def over(new_house: NewHouse, client: Any) -> Bucket:
    """A bucket of that client, which is tried three times."""
    return Bucket(client, "exports", new_house(attempts=3).runtime, sleep=lambda _seconds: None)


def test_a_read_that_breaks_off_goes_on_where_it_did(new_house: NewHouse) -> None:
    """Each byte comes once."""
    client = Breaking(b"0123456789", 4, 3)
    assert b"".join(over(new_house, client).chunks("k")) == b"0123456789"
    assert client.asked == [None, "bytes=4-", "bytes=7-"]


def test_a_read_that_keeps_breaking_off_ends(new_house: NewHouse) -> None:
    """After as many attempts as any call has."""
    with pytest.raises(Unavailable, match="keeps breaking off"):
        list(over(new_house, Breaking(b"0123456789", 1, 1, 1, 1)).chunks("k"))


def test_a_call_is_tried_again(new_house: NewHouse) -> None:
    """Throttled, or not answered; and in the end it is Folio's error."""
    slow = ClientError(
        {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}},  # type: ignore[typeddict-item]
        "GetObject",
    )
    client = Breaking(b"body")
    client.errors = [slow, ReadTimeoutError(endpoint_url="test")]
    assert b"".join(over(new_house, client).chunks("k")) == b"body"
    client.errors = [slow] * 3
    with pytest.raises(Unavailable, match="s3://exports/k"):
        list(over(new_house, client).chunks("k"))
