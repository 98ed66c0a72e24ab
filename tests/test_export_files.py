"""An export that is not all there makes the night incomplete, never clean."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from ledger import InvalidRequest, Money
from ledger.embedded.engine import Engine
from ledger.reconcile import Report
from ledger.reconcile.export import reconcile_window
from ledger.reconcile.export.files import File, changes, export, files
from tests.conftest import Where
from tests.support.exports import Exporter, Memory, md5
from tests.support.house import House

Objects = dict[str, bytes]


@pytest.fixture
def engine(session: boto3.Session, dynamodb_local: Engine) -> Where:
    """One engine: an export is read in this process, and what it is compared with is tested on both."""
    return Where("dynamodb-local", session, dynamodb_local.endpoint_url)


@pytest.fixture
def exporter(house: House) -> Exporter:
    """A house with a window of some transactions, projected."""
    exporter = Exporter(house)
    for number in range(6):
        house.ledger.transfer(
            source="world:card", destination=f"user:{number}", money=Money(5, "EUR"), type="deposit"
        )
    house.clock.advance(600)
    house.settle()
    return exporter


def run(exporter: Exporter, folders: list[str]) -> Report:
    """Reconcile the window."""
    return reconcile_window(
        exporter.house.runtime, exporter.objects, folders, sleep=lambda _seconds: None
    )


def data(objects: Objects, table: str) -> str:
    """A data file with items."""
    keys = sorted(key for key in objects if f"/{table}/" in key and key.endswith(".json.gz"))
    return next(key for key in keys if gzip.decompress(objects[key]))


def named(objects: Objects, table: str, name: str) -> str:
    """A manifest or a checksum."""
    return next(key for key in objects if f"/{table}/" in key and key.endswith(name))


def with_manifest(objects: Objects, table: str, name: str, change: Callable[[str], str]) -> None:
    """Another text in a manifest, with a checksum of its own."""
    key = named(objects, table, f"{name}.json")
    memory = Memory()
    memory.manifest(key.removesuffix(".json"), change(objects[key].decode()))
    objects.update(memory.objects)


def flip(body: bytes) -> bytes:
    """Another byte at the end, in the checksum that gzip has of itself."""
    return body[:-6] + bytes((body[-6] ^ 1,)) + body[-5:]


def shortened(objects: Objects, table: str) -> None:
    """A file of one line less, whole by its checksums."""
    key = data(objects, table)
    lines = gzip.decompress(objects[key]).splitlines(keepends=True)
    refiled(objects, table, key, b"".join(lines[1:]))


def garbled(objects: Objects, table: str) -> None:
    """A file with a line that is no JSON, whole by its checksums."""
    key = data(objects, table)
    lines = gzip.decompress(objects[key]).splitlines(keepends=True)
    refiled(objects, table, key, b"".join([b"{\n", *lines[1:]]))


def refiled(objects: Objects, table: str, key: str, lines: bytes) -> None:
    """A data file with other lines and the right checksums."""
    body = gzip.compress(lines)

    def change(text: str) -> str:
        listed = [json.loads(line) for line in text.splitlines()]
        for file in listed:
            if file["dataFileS3Key"] == key:
                file["md5Checksum"] = md5(body)
        return "".join(json.dumps(file) + "\n" for file in listed)

    objects[key] = body
    with_manifest(objects, table, "manifest-files", change)


def without(name: str) -> Callable[[Objects, str], Any]:
    """An object is gone."""
    return lambda objects, table: objects.pop(named(objects, table, name))


DAMAGES: dict[str, Callable[[Objects, str], Any]] = {
    "no summary": without("manifest-summary.json"),
    "no checksum of the summary": without("manifest-summary.md5"),
    "no list of files": without("manifest-files.json"),
    "no checksum of the list": without("manifest-files.md5"),
    "another summary": lambda o, t: o.update(
        {named(o, t, "summary.json"): o[named(o, t, "summary.json")] + b" "}
    ),
    "another list": lambda o, t: o.update(
        {named(o, t, "files.json"): o[named(o, t, "files.json")] + b"\n"}
    ),
    "a list of one file less": lambda o, t: with_manifest(
        o, t, "manifest-files", lambda text: "".join(text.splitlines(keepends=True)[1:])
    ),
    "a list that is none": lambda o, t: with_manifest(
        o, t, "manifest-files", lambda _text: '{"files": []}\n'
    ),
    "a summary that is none": lambda o, t: with_manifest(
        o, t, "manifest-summary", lambda text: text.replace("tableArn", "table")
    ),
    "no data file": lambda o, t: o.pop(data(o, t)),
    "half a data file": lambda o, t: o.update({data(o, t): o[data(o, t)][:-20]}),
    "a byte of a data file": lambda o, t: o.update({data(o, t): flip(o[data(o, t)])}),
    "bytes after a data file": lambda o, t: o.update({data(o, t): o[data(o, t)] + b"\0" * 900}),
    "no gzip": lambda o, t: o.update({data(o, t): b"plain"}),
    "a line less": shortened,
    "a line that is none": garbled,
}


@pytest.mark.parametrize("table", ["events", "balances"])
@pytest.mark.parametrize("what", DAMAGES)
def test_fault_38_what_does_not_come_is_incomplete(
    exporter: Exporter, what: str, table: str
) -> None:
    """Whatever of it is missing or altered; what was read is compared all the same."""
    folders = exporter.take()
    DAMAGES[what](exporter.objects.objects, table)

    report = run(exporter, folders)

    assert report.verdict == "incomplete"
    assert report.unread
    assert report.findings == ()


def test_an_export_that_is_all_there_is_read(exporter: Exporter) -> None:
    """The same window without damage."""
    report = run(exporter, exporter.take())
    assert (report.verdict, report.entries) == ("clean", 12)


def test_the_summary_may_be_named_itself(exporter: Exporter) -> None:
    """As S3's event names it."""
    folders = [f"{folder}/manifest-summary.json" for folder in exporter.take()]
    assert run(exporter, folders).verdict == "clean"


def test_the_checksum_may_have_the_name_that_the_documentation_gives_it(
    exporter: Exporter,
) -> None:
    """`.checksum` where DynamoDB writes `.md5`."""
    folders = exporter.take()
    objects = exporter.objects.objects
    for key in [key for key in objects if key.endswith(".md5")]:
        objects[key.removesuffix("md5") + "checksum"] = objects.pop(key)
    assert run(exporter, folders).verdict == "clean"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("INCREMENTAL_EXPORT", "FULL_EXPORT"),
        ("NEW_AND_OLD_IMAGES", "NEW_IMAGE"),
        ("DYNAMODB_JSON", "ION"),
    ],
)
def test_another_kind_of_export_is_refused(exporter: Exporter, old: str, new: str) -> None:
    """A full export, one without old images, or Ion."""
    folders = exporter.take()
    objects = exporter.objects.objects
    with_manifest(objects, "events", "manifest-summary", lambda text: text.replace(old, new))
    with pytest.raises(InvalidRequest, match=new):
        run(exporter, folders)


def test_images_come_as_boto3_gives_them(exporter: Exporter) -> None:
    """Binary values and sets of them are base64 in the file; the items are those of the table."""
    folders = exporter.take()
    for folder, table in zip(folders, ("events", "balances"), strict=True):
        found = export(exporter.objects, f"{folder}/manifest-summary.json")
        items = [
            change.new
            for file in files(exporter.objects, found)
            for change in changes(exporter.objects, file)
        ]
        standing = exporter.house.items(table)
        assert len(items) == len(standing)
        assert all(normal(item) in list(map(normal, standing)) for item in items)


def normal(item: Any) -> dict[str, Any]:
    """Sets in order."""
    return {name: {"BS": sorted(v["BS"])} if "BS" in v else v for name, v in item.items()}


def test_a_file_is_read_in_parts(exporter: Exporter) -> None:
    """The first items come before the last bytes are asked for."""
    folder = exporter.take()[0]
    found = export(exporter.objects, f"{folder}/manifest-summary.json")
    file = next(f for f in files(exporter.objects, found) if f.items)
    lines = gzip.decompress(exporter.objects.objects[file.key]) * 2000
    asked: list[int] = []

    class Counting(Memory):
        def chunks(self, key: str) -> Any:
            for number, chunk in enumerate(super().chunks(key)):
                asked.append(number)
                yield chunk

    counting = Counting()
    counting.put("k", gzip.compress(lines, compresslevel=0))
    next(changes(counting, File("k", 0, "")))
    assert len(asked) * 700 < 100_000 < len(counting.objects["k"])
