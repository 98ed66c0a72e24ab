"""An incremental export as DynamoDB writes it to S3, read file by file, in bounded memory.

    <prefix>/AWSDynamoDB/<export>/manifest-summary.json, .md5   the table, the window, how many items
    <prefix>/AWSDynamoDB/<export>/manifest-files.json, .md5     a line for each data file
    <prefix>/AWSDynamoDB/data/<name>.json.gz                    a line for each item that changed

An item that changed several times in the window has one line, and one that was made and removed in
it has none. All that was promised is counted and summed: what does not come is named as unread.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.errors import InvalidRequest, LedgerError
from ledger.items import Image
from ledger.reconcile.export.bucket import Objects

SUMMARY = "manifest-summary.json"
CHECKSUMS = (".md5", ".checksum")
"""What DynamoDB writes beside a manifest, and the name that its documentation has for it."""

MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
UNREADABLE = (*MALFORMED, EOFError, OSError, zlib.error)


class BadExport(LedgerError):
    """An export, or a part of it, is missing, incomplete or not what its manifest says."""


@dataclass(frozen=True, slots=True)
class Export:
    """What an export says of itself. `since` is within the window, `until` no more."""

    table: str
    since: datetime
    until: datetime
    items: int
    files_key: str


@dataclass(frozen=True, slots=True)
class File:
    """A data file, as the manifest has it."""

    key: str
    items: int
    md5: str


@dataclass(frozen=True, slots=True)
class Change:
    """One item that changed: what it was before the window, and at its end; None where it was not."""

    partition: str
    sort: str
    old: Image | None
    new: Image | None


def export(objects: Objects, key: str) -> Export:
    """The export whose `manifest-summary.json` stands at `key`.

    Raises:
        BadExport: it cannot be read.
        InvalidRequest: it is no incremental export of both images in DynamoDB's JSON.
    """
    text = _manifest(objects, key)
    try:
        said = json.loads(text)
        kind = (said["exportType"], said["outputView"], said["outputFormat"])
        if kind != ("INCREMENTAL_EXPORT", "NEW_AND_OLD_IMAGES", "DYNAMODB_JSON"):
            raise InvalidRequest(
                f"export {key} is {', '.join(map(str, kind))}: expected an INCREMENTAL_EXPORT with "
                "NEW_AND_OLD_IMAGES as DYNAMODB_JSON"
            )
        return Export(
            table=said["tableArn"].rpartition("/")[2],
            since=datetime.fromisoformat(said["exportFromTime"]),
            until=datetime.fromisoformat(said["exportToTime"]),
            items=int(said["itemCount"]),
            files_key=str(said["manifestFilesS3Key"]),
        )
    except MALFORMED as error:
        raise BadExport(f"{key} is no export's summary ({type(error).__name__})") from error


def files(objects: Objects, of: Export) -> list[File]:
    """Its data files. Raises `BadExport`."""
    text = _manifest(objects, of.files_key)
    try:
        lines = [json.loads(line) for line in text.splitlines() if line]
        found = [File(n["dataFileS3Key"], int(n["itemCount"]), n["md5Checksum"]) for n in lines]
    except MALFORMED as error:
        raise BadExport(f"{of.files_key} is no list of files ({type(error).__name__})") from error
    if sum(file.items for file in found) != of.items:
        raise BadExport(
            f"{of.files_key} lists {sum(file.items for file in found)} items, and the summary {of.items}"
        )
    return found


def _manifest(objects: Objects, key: str) -> bytes:
    body = b"".join(objects.chunks(key))
    expected = _checksum(objects, key)
    if _md5(body) != expected:
        raise BadExport(f"{key} is not what its checksum says")
    return body


def _checksum(objects: Objects, key: str) -> str:
    stem = key.removesuffix(".json")
    for name in objects.names(stem + "."):
        if name.removeprefix(stem) in CHECKSUMS:
            return b"".join(objects.chunks(name)).decode("ascii", "replace").strip()
    raise BadExport(f"{key} has no checksum beside it")


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def changes(objects: Objects, file: File) -> Iterator[Change]:
    """The changes of one file; at its end it is proven whole.

    Raises:
        BadExport: it cannot be read, or is not what the manifest says. What came before stands.
    """
    source, count = _Source(objects.chunks(file.key)), 0
    try:
        with gzip.GzipFile(fileobj=io.BufferedReader(source)) as lines:
            for line in lines:
                yield _change(json.loads(line))
                count += 1
    except UNREADABLE as error:
        raise BadExport(f"{file.key}: line {count + 1}: {type(error).__name__}") from error
    if source.md5() != file.md5:
        raise BadExport(f"{file.key} is not what its checksum says")
    if count != file.items:
        raise BadExport(f"{file.key} has {count} items: its manifest says {file.items}")


def _change(line: Mapping[str, Any]) -> Change:
    keys = line["Keys"]
    old, new = line.get("OldImage"), line.get("NewImage")
    return Change(keys["PK"]["S"], keys["SK"]["S"], old and _image(old), new and _image(new))


def _image(image: dict[str, Any]) -> Image:
    """An image as boto3 gives it: binary values, base64 in the export, as bytes.

    No item of Folio's has binary values inside a list or a map.
    """
    for value in image.values():
        if "B" in value:
            value["B"] = base64.b64decode(value["B"], validate=True)
        elif "BS" in value:
            value["BS"] = [base64.b64decode(one, validate=True) for one in value["BS"]]
    return image


class _Source(io.RawIOBase):
    """Chunks as a file, whose checksum is taken as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")
        self._md5 = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            chunk = next(self._chunks, b"")
            self._md5.update(chunk)
            self._left = memoryview(chunk)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def md5(self) -> str:
        """Of all that there is: what was not read yet is read."""
        for chunk in self._chunks:
            self._md5.update(chunk)
        return base64.b64encode(self._md5.digest()).decode()
