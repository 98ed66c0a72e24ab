"""`folio reconcile --export`: the verdict over a window, as over the whole ledger."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from ledger import Money
from ledger.cli import windows
from ledger.embedded.engine import Engine
from tests.support.command import TABLES, Folio
from tests.support.exports import Exporter, Memory
from tests.support.house import House


@pytest.fixture
def exporter(
    bare_folio: Folio,
    session: boto3.Session,
    dynamodb_local: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> Exporter:
    """A house with a window behind it, on which the command works; S3 is in memory."""
    house = House(session, dynamodb_local.endpoint_url)
    bare_folio.set("AWS_DEFAULT_REGION", str(session.region_name))
    for table in TABLES:
        bare_folio.set(f"LEDGER_{table.upper()}_TABLE", getattr(house.settings, f"{table}_table"))
    exporter = Exporter(house)
    monkeypatch.setattr(windows, "_bucket", lambda *_where: exporter.objects)
    house.ledger.transfer(
        source="world:card", destination="user:1", money=Money(1, "EUR"), type="deposit"
    )
    house.clock.advance(600)
    return exporter


def options(exporter: Exporter) -> list[str]:
    """Of the window that ends now."""
    return [part for key in exporter.take() for part in ("--export", f"s3://exports/{key}")]


def kept(objects: Memory) -> list[Any]:
    """The nights."""
    return [json.loads(body) for key, body in objects.objects.items() if key.startswith("nights/")]


def test_a_clean_window(bare_folio: Folio, exporter: Exporter) -> None:
    """Its document says which window it was, and for people it is a line."""
    exporter.house.settle()
    given = options(exporter)

    said = bare_folio("reconcile", *given, "--nights", "s3://exports", "--json")

    assert said.code == 0
    assert (said.json["verdict"], said.json["mode"], said.json["entries"]) == ("clean", "window", 2)
    assert kept(exporter.objects) == [said.json]
    assert f"until {said.json['window'][1]}" in bare_folio("reconcile", *given).out


def test_drift_and_what_is_not_there_have_the_exit_codes_that_they_have(
    bare_folio: Folio, exporter: Exporter
) -> None:
    """3 and 4, as over the whole ledger."""
    given = options(exporter)
    assert bare_folio("reconcile", *given, "--grace", "0").code == 3
    exporter.objects.objects.clear()
    assert bare_folio("reconcile", *given, "--grace", "0").code == 4


def test_a_full_run_can_be_kept_as_a_night(bare_folio: Folio, exporter: Exporter) -> None:
    """From which the next window begins."""
    exporter.house.settle()
    assert bare_folio("reconcile", "--nights", "s3://exports").code == 0
    (night,) = kept(exporter.objects)
    assert (night["mode"], night["window"][0]) == ("full", "")


@pytest.mark.parametrize(
    "wrong",
    [
        ["user:1", "--export", "s3://a/b"],
        ["user:1", "--nights", "s3://a"],
        ["--export", "s3://a/b", "--export", "s3://c/d"],
        ["--export", "b/c"],
        ["--nights", "file:///tmp"],
    ],
)
def test_what_cannot_be_meant_is_refused(
    bare_folio: Folio, exporter: Exporter, wrong: list[str]
) -> None:
    """Accounts beside a window, two buckets, or no place in S3."""
    assert bare_folio("reconcile", *wrong).code == 2
