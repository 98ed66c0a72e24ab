"""On LocalStack, a log line in the embedded metric format is the metrics that CloudWatch would make of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from folio_lambda.embedded_metrics import Malformed, Metrics, parse

from projector import metrics
from projector.batch import BatchResult
from projector.tally import Tally

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MILLISECONDS = 1767323045000


def line(directive: dict[str, Any] | None = None, **members: Any) -> str:
    """A line in the format, of one directive."""
    whole = {
        "Namespace": "Folio",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Applied", "Unit": "Count"}],
    } | (directive or {})
    about = {"Timestamp": MILLISECONDS, "CloudWatchMetrics": [whole]}
    return json.dumps({"_aws": about, "service": "projector", "Applied": 7} | members)


def test_a_metric() -> None:
    """Name, value, unit, dimensions and time are those of the line."""
    assert parse(line()) == [
        Metrics(
            "Folio",
            [
                {
                    "MetricName": "Applied",
                    "Value": 7,
                    "Unit": "Count",
                    "Dimensions": [{"Name": "service", "Value": "projector"}],
                    "Timestamp": AT,
                }
            ],
        )
    ]


def test_the_projectors_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What the projector prints of a batch is understood, with its dimensions and units."""
    metrics.emit(BatchResult(Tally(), None, AT), AT, "books")
    (found,) = parse(capsys.readouterr().out.strip())
    assert found.namespace == "Folio"
    units = {datum["MetricName"]: datum["Unit"] for datum in found.data}
    assert units == dict.fromkeys(metrics.NAMES.values(), "Count") | {"NewestRecordAge": "Seconds"}
    dimensions = [{d["Name"]: d["Value"] for d in datum["Dimensions"]} for datum in found.data]
    assert dimensions == [{"service": "projector", "ledger": "books"}] * len(found.data)


def test_each_set_of_dimensions_is_a_metric() -> None:
    """A metric is put once for each set, an empty one among them."""
    (found,) = parse(line({"Dimensions": [["service", "ledger"], ["service"], []]}, ledger="a"))
    assert [[d["Name"] for d in datum["Dimensions"]] for datum in found.data] == [
        ["service", "ledger"],
        ["service"],
        [],
    ]


def test_several_values() -> None:
    """A list is all of its values, not one."""
    (found,) = parse(line(Applied=[1, 2.5]))
    assert found.data[0]["Values"] == [1, 2.5]
    assert "Value" not in found.data[0]


def test_no_unit() -> None:
    """The unit may be left out, as may the resolution, which is kept where it is given."""
    (found,) = parse(line({"Metrics": [{"Name": "Applied", "StorageResolution": 1}]}))
    assert (found.data[0]["Unit"], found.data[0]["StorageResolution"]) == ("None", 1)


@pytest.mark.parametrize(
    "other",
    ["", "START RequestId", "{", '{"event": "applied"}', '{"text": "\\"_aws\\""}', '["_aws"]'],
)
def test_any_other_line(other: str) -> None:
    """Lines that carry no metrics are left alone, JSON or not."""
    assert parse(other) == []


@pytest.mark.parametrize(
    ("malformed", "told"),
    [
        ('{"_aws": 1}', "_aws is no object"),
        ('{"_aws": {"Timestamp": "now"}}', "Timestamp"),
        ('{"_aws": {"Timestamp": 1}}', "CloudWatchMetrics is no list"),
        (line({"Namespace": ""}), "Namespace is no text"),
        (line({"Dimensions": "service"}), "Dimensions is no list"),
        (line({"Dimensions": [["absent"]]}), "the dimension 'absent'"),
        (line({"Metrics": [{"Unit": "Count"}]}), "Metrics.Name"),
        (line(Applied="7"), "the metric 'Applied'"),
        (line(Applied=True), "the metric 'Applied'"),
        (line(Applied=[]), "the metric 'Applied'"),
        (line(Applied=[1] * 101), "the metric 'Applied'"),
        (line(Applied=float("nan")), "the metric 'Applied'"),
    ],
)
def test_a_malformed_line(malformed: str, told: str) -> None:
    """What claims to carry metrics and does not hold to the format is told, and nothing of it is taken."""
    with pytest.raises(Malformed, match=told):
        parse(malformed)
