"""The one place that talks to S3: objects of one bucket, read in parts, listed and put."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ledger import connect
from ledger.attempts import retrying
from ledger.aws import ATTEMPT_ERRORS, Repeat, translate
from ledger.errors import LedgerError, Misconfigured, Unavailable
from ledger.runtime import Runtime

CHUNK_BYTES = 1 << 20


class Objects(Protocol):
    """What the reconciler uses of a bucket."""

    name: str

    def chunks(self, key: str) -> Iterator[bytes]:
        """The bytes of an object, in parts. Raises a `LedgerError` where they cannot be read."""

    def names(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, in order."""

    def put(self, key: str, body: bytes) -> None:
        """Write an object whole."""


class Bucket:
    """A bucket through boto3's client of S3. A read that breaks off goes on where it broke off."""

    def __init__(
        self, client: Any, name: str, rt: Runtime, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name = name
        self._client = client
        self._attempts = rt.settings.attempts
        self._retrying = retrying(self._attempts, rt.settings.backoff_seconds, sleep)

    @staticmethod
    def connect(name: str, rt: Runtime, session: Any = None) -> Bucket:
        """A bucket with a client of its own."""
        return Bucket(connect.client("s3", rt.settings, session), name, rt)

    def chunks(self, key: str) -> Iterator[bytes]:
        """See `Objects`. A part is at most 1 MiB."""
        read, broken = 0, 0
        while True:
            rest = {"Range": f"bytes={read}-"} if read else {}
            body = self._call("get_object", key, **rest)["Body"]
            try:
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    yield chunk
                    read += len(chunk)
            except ATTEMPT_ERRORS as error:
                broken += 1
                if broken >= self._attempts:
                    raise Unavailable(f"s3://{self.name}/{key} keeps breaking off") from error
            else:
                return

    def names(self, prefix: str) -> Iterator[str]:
        """See `Objects`."""
        more: dict[str, str] = {}
        while True:
            reply = self._call("list_objects_v2", None, Prefix=prefix, **more)
            yield from (one["Key"] for one in reply.get("Contents", ()))
            if not reply.get("IsTruncated"):
                return
            more = {"ContinuationToken": reply["NextContinuationToken"]}

    def put(self, key: str, body: bytes) -> None:
        """See `Objects`."""
        self._call("put_object", key, Body=body, ContentType="application/json")

    def _call(self, operation: str, key: str | None, **parameters: Any) -> Any:
        where = {"Bucket": self.name} | ({"Key": key} if key is not None else {})
        try:
            return self._retrying(self._attempt, operation, where | parameters)
        except Repeat as error:
            raise Unavailable(f"{operation} of s3://{self.name}/{key or ''}: {error}") from error
        except LedgerError as error:
            raise Misconfigured(f"s3://{self.name}/{key or ''}: {error}") from error

    def _attempt(self, operation: str, parameters: dict[str, Any]) -> Any:
        try:
            return getattr(self._client, operation)(**parameters)
        except ATTEMPT_ERRORS as error:
            raise translate(error) from error
