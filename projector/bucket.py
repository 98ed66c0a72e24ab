"""The bucket of dead letters: thin around S3, its errors said in Folio's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from ledger.attempts import retrying
from ledger.aws import ATTEMPT_ERRORS, DENIED, Repeat, translate
from ledger.errors import InvalidRequest, Misconfigured, Unavailable
from ledger.settings import Settings

URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
ELSEWHERE = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)

T = TypeVar("T")


class S3Client(Protocol):
    """What Folio uses of boto3's S3 client."""

    def list_objects_v2(self, **parameters: Any) -> Any:
        """The next thousand objects of a bucket."""

    def get_object(self, **parameters: Any) -> Any:
        """One object."""

    def delete_object(self, **parameters: Any) -> Any:
        """Remove one object."""


@dataclass(frozen=True, slots=True)
class Place:
    """`s3://bucket/prefix`."""

    bucket: str
    prefix: str = ""

    @classmethod
    def of(cls, url: str) -> Place:
        """Raises `InvalidRequest`."""
        found = URL.fullmatch(url)
        if not found:
            raise InvalidRequest(
                "dead letters: expected s3://BUCKET or s3://BUCKET/PREFIX; the stack's output "
                "FailureBucket names the bucket"
            )
        return cls(found[1], found[2] or "")


class Bucket:
    """A bucket of dead letters.

    Raises, in each method:
        Misconfigured: no such bucket, no permission, another region.
        Unavailable: S3 kept failing.
    """

    def __init__(
        self, client: S3Client, name: str, settings: Settings, sleep: Callable[[float], None]
    ) -> None:
        self._client = client
        self._name = name
        self._retrying = retrying(settings.attempts, settings.backoff_seconds, sleep)

    def keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Each object's key and its size in bytes, page by page."""
        start: dict[str, str] = {}
        while True:
            reply = self._call(
                "list",
                lambda: self._client.list_objects_v2(Bucket=self._name, Prefix=prefix, **start),  # noqa: B023  # called at once
            )
            for one in reply.get("Contents", ()):
                yield one["Key"], one["Size"]
            if not reply.get("IsTruncated"):
                return
            start = {"ContinuationToken": reply["NextContinuationToken"]}

    def read(self, key: str) -> bytes | None:
        """An object's bytes; None if it is gone."""

        def whole() -> bytes | None:
            try:
                body: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
            return body

        return self._call("read", whole)

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._call("remove", lambda: self._client.delete_object(Bucket=self._name, Key=key))

    def _call(self, what: str, call: Callable[[], T]) -> T:
        def attempt() -> T:
            try:
                return call()
            except ATTEMPT_ERRORS as error:
                raise self._meant(what, error) from error

        try:
            return self._retrying(attempt)
        except Repeat as last:
            raise Unavailable(
                f"bucket {self._name}: S3 kept failing, the last time with {last}: try again later"
            ) from last

    def _meant(self, what: str, error: Exception) -> Exception:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if code == "NoSuchBucket":
            return Misconfigured(
                f"there is no bucket {self._name}: the stack's output FailureBucket names it"
            )
        if code in DENIED:
            return Misconfigured(
                f"no permission to {what} objects of bucket {self._name}: attach the stack's "
                "OperatorPolicy to this role or user"
            )
        if code in ELSEWHERE:
            return Misconfigured(
                f"bucket {self._name} is in another region: give the stack's, by --region or "
                "AWS_REGION"
            )
        return translate(error, f"bucket {self._name}")
