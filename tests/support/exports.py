"""DynamoDB's incremental exports, which engines lack: written as AWS documents them, from two images.

What a table was at a window's beginning and at its end makes the export: an item has one line, with
its state before and after, however often it changed; what came and went in between has none.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.validate import ParamValidator

from ledger import Settings
from ledger.clock import Clock
from ledger.errors import Misconfigured
from tests.support.house import House

Item = dict[str, Any]
Image = dict[tuple[str, str], Item]
TABLES = ("events", "balances")
FILES = 3
"""Data files of an export, by partition key; one is always empty, as of an empty partition."""


class Memory:
    """A bucket in memory, read in small parts."""

    name = "exports"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def chunks(self, key: str) -> Iterator[bytes]:
        """In parts of 700 bytes, so that lines and gzip's blocks lie across them."""
        if key not in self.objects:
            raise Misconfigured(f"no object {key}")
        body = self.objects[key]
        yield from (body[start : start + 700] for start in range(0, len(body), 700))

    def names(self, prefix: str) -> Iterator[str]:
        """In order, as S3 lists them."""
        yield from sorted(key for key in self.objects if key.startswith(prefix))

    def put(self, key: str, body: bytes) -> None:
        """Write it."""
        self.objects[key] = body

    def manifest(self, stem: str, text: str) -> None:
        """A manifest, with its checksum beside it."""
        self.put(f"{stem}.json", text.encode())
        self.put(f"{stem}.md5", md5(text.encode()).encode())


def md5(body: bytes) -> str:
    """As a manifest has it."""
    return base64.b64encode(hashlib.md5(body).digest()).decode()


class Tables(Protocol):
    """What is exported: a house, or whatever has its tables."""

    settings: Settings
    clock: Clock

    def items(self, table: str) -> list[Item]:
        """All items of `events` or `balances`."""


class Exporter:
    """Exports of a house's log and views, window after window, without a gap."""

    def __init__(self, house: Any, objects: Memory | None = None) -> None:
        self.house = house
        self._tables: Tables = house
        self.objects = objects or Memory()
        self.since = house.clock.moment()
        self.before: dict[str, Image] = {table: {} for table in TABLES}
        self._exports = 0

    def take(self, *, withheld: Callable[[Item], bool] = lambda _item: False) -> list[str]:
        """Export what changed since the last time; the folders of both exports.

        `withheld`: items of the log on which the end of the window has not come yet: it cuts a
        transaction in two.
        """
        until = self.house.clock.moment()
        prefix = f"exports/{until:%FT%TZ}"
        folders = [
            self.export(table, f"{prefix}/{table}", self.since, until, withheld=withheld)
            for table in TABLES
        ]
        self.since = until
        return folders

    def export(
        self,
        table: str,
        prefix: str,
        since: datetime,
        until: datetime,
        *,
        withheld: Callable[[Item], bool] = lambda _item: False,
    ) -> str:
        """Export one table; the export's folder."""
        now = {_key(item): item for item in self._tables.items(table)}
        if table == "events":
            now = {key: item for key, item in now.items() if not withheld(item)}
        lines = list(_lines(self.before[table], now, until))
        self.before[table] = now
        return self._write(table, f"{prefix}/AWSDynamoDB", lines, (since, until))

    def _write(
        self, table: str, base: str, lines: list[Item], window: tuple[datetime, datetime]
    ) -> str:
        self._exports += 1
        until = window[1]
        name = f"{int(until.timestamp() * 1000):014d}-{self._exports:08x}"
        parts: list[list[Item]] = [[] for _ in range(FILES)]
        for line in lines:
            place = zlib.crc32(line["Keys"]["PK"]["S"].encode()) % (FILES - 1)
            parts[place].append(line)
        listed = []
        for number, part in enumerate(parts):
            key = f"{base}/data/{name}{number}.json.gz"
            body = gzip.compress("".join(json.dumps(line) + "\n" for line in part).encode())
            self.objects.put(key, body)
            listed.append(
                {
                    "itemCount": len(part),
                    "md5Checksum": md5(body),
                    "etag": f"{hashlib.md5(hashlib.md5(body).digest()).hexdigest()}-1",
                    "dataFileS3Key": key,
                }
            )
        folder = f"{base}/{name}"
        files = "".join(json.dumps(file) + "\n" for file in listed)
        self.objects.manifest(f"{folder}/manifest-files", files)
        summary = self._summary(table, folder, len(lines), window)
        self.objects.manifest(f"{folder}/manifest-summary", json.dumps(summary))
        return folder

    def _summary(
        self, table: str, folder: str, count: int, window: tuple[datetime, datetime]
    ) -> Item:
        since, until = window
        name = getattr(self.house.settings, f"{table}_table")
        arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}"
        return {
            "version": "2023-08-01",
            "exportArn": f"{arn}/export/{folder.rpartition('/')[2]}",
            "startTime": _instant(until),
            "endTime": _instant(until),
            "tableArn": arn,
            "tableId": "b116b490-6460-4d4a-9a6b-5d360abf4fb3",
            "exportFromTime": _instant(since),
            "exportToTime": _instant(until),
            "s3Bucket": "exports",
            "s3Prefix": folder.partition("/AWSDynamoDB")[0],
            "s3SseAlgorithm": "AES256",
            "s3SseKmsKeyId": None,
            "manifestFilesS3Key": f"{folder}/manifest-files.json",
            "billedSizeBytes": 0,
            "itemCount": count,
            "outputFormat": "DYNAMODB_JSON",
            "outputView": "NEW_AND_OLD_IMAGES",
            "exportType": "INCREMENTAL_EXPORT",
        }


def _key(item: Item) -> tuple[str, str]:
    return item["PK"]["S"], item["SK"]["S"]


def _instant(at: datetime) -> str:
    """As AWS writes it, to the millisecond."""
    return at.astimezone(UTC).strftime("%FT%T.") + f"{at.microsecond // 1000:03d}Z"


def _lines(before: Image, now: Image, until: datetime) -> Iterator[Item]:
    micros = str(int(until.timestamp() * 1_000_000) - 1)
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        line: Item = {
            "Metadata": {"WriteTimestampMicros": {"N": micros}},
            "Keys": {"PK": {"S": key[0]}, "SK": {"S": key[1]}},
        }
        if old is not None:
            line["OldImage"] = _json(old)
        if new is not None:
            line["NewImage"] = _json(new)
        yield line


def _json(item: Item) -> Item:
    return {name: _value(value) for name, value in item.items()}


def _value(value: Item) -> Item:
    if "B" in value:
        return {"B": base64.b64encode(value["B"]).decode()}
    if "BS" in value:
        return {"BS": [base64.b64encode(one).decode() for one in value["BS"]]}
    return value


class Backups:
    """A DynamoDB client over a house's, with point-in-time recovery and exports, which engines lack.

    Requests are checked against AWS's own description of the API. An export that was asked for is
    written when the test says so, or at once.
    """

    def __init__(self, house: House, objects: Memory, *, at_once: bool = True) -> None:
        self.exporter = Exporter(house, objects)
        self.earliest = house.clock.moment()
        self.latest_behind = timedelta(minutes=5)
        self.enabled = True
        self.asked: list[dict[str, Any]] = []
        self.waiting: list[Callable[[], object]] = []
        self._house = house
        self._client = house.faults
        self._arns: dict[str, str] = {}
        self._at_once = at_once

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_continuous_backups(self, **asked: Any) -> Any:
        """From the house's beginning to some minutes ago."""
        self._check("DescribeContinuousBackups", asked)
        described: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
        if self.enabled:
            described = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "EarliestRestorableDateTime": self.earliest,
                "LatestRestorableDateTime": self._house.clock.moment() - self.latest_behind,
            }
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": described,
            }
        }

    def export_table_to_point_in_time(self, **asked: Any) -> Any:
        """A token that came before gets the export that it got before."""
        self._check("ExportTableToPointInTime", asked)
        token = asked["ClientToken"]
        if token not in self._arns:
            self._arns[token] = f"{asked['TableArn']}/export/{len(self._arns):014d}-0"
            self.asked.append(asked)
            self._export(asked)
        return {
            "ExportDescription": {"ExportArn": self._arns[token], "ExportStatus": "IN_PROGRESS"}
        }

    def _export(self, asked: dict[str, Any]) -> None:
        name = asked["TableArn"].rpartition("/")[2]
        table = next(t for t in TABLES if getattr(self._house.settings, f"{t}_table") == name)
        window = asked["IncrementalExportSpecification"]
        since, until = window["ExportFromTime"], window["ExportToTime"]
        assert timedelta(minutes=15) <= until - since <= timedelta(hours=24)
        assert self.earliest <= since
        assert until <= self._house.clock.moment() - self.latest_behind
        self.waiting.append(lambda: self.exporter.export(table, asked["S3Prefix"], since, until))
        if self._at_once:
            self.deliver()

    def deliver(self) -> None:
        """Write the export that was asked for first."""
        self.waiting.pop(0)()

    def _check(self, operation: str, asked: dict[str, Any]) -> None:
        model = self._client.meta.service_model.operation_model(operation)
        report = ParamValidator().validate(asked, model.input_shape)
        assert not report.has_errors(), report.generate_report()
