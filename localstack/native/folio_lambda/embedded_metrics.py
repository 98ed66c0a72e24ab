"""Embedded metrics: log lines that CloudWatch turns into metrics, and LocalStack does not.

A function prints a JSON object with a member `_aws`, which says which of the others are metrics and which are
dimensions (AWS documents it as the "embedded metric format"). What is here is pure, and knows nothing of LocalStack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

MAX_VALUES = 100
"""Of one metric in one line."""


class Malformed(ValueError):
    """A line claims to carry metrics and does not hold to the format: CloudWatch takes none of it."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """One namespace's metrics, as `put_metric_data` takes them."""

    namespace: str
    data: list[dict[str, Any]]


def parse(line: str) -> list[Metrics]:
    """The metrics of a log line: none when it is any other line.

    Raises:
        Malformed: it has a member `_aws` and is not in the format; the message says where.
    """
    if not (line.startswith("{") and '"_aws"' in line):
        return []
    try:
        found = json.loads(line)
    except ValueError:
        return []
    if not isinstance(found, dict) or "_aws" not in found:
        return []
    about = _object(found["_aws"], "_aws")
    at = _time(about.get("Timestamp"))
    directives = _list(about.get("CloudWatchMetrics"), "CloudWatchMetrics")
    return [_metrics(_object(one, "CloudWatchMetrics"), found, at) for one in directives]


def _metrics(directive: Mapping[str, Any], line: Mapping[str, Any], at: datetime) -> Metrics:
    namespace = _text(directive.get("Namespace"), "Namespace")
    sets = [
        [_dimension(name, line) for name in _list(one, "Dimensions")]
        for one in _list(directive.get("Dimensions"), "Dimensions")
    ]
    data = [
        datum | {"Dimensions": dimensions, "Timestamp": at}
        for datum in _data(directive, line)
        for dimensions in sets or [[]]
    ]
    return Metrics(namespace, data)


def _data(directive: Mapping[str, Any], line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for given in _list(directive.get("Metrics"), "Metrics"):
        metric = _object(given, "Metrics")
        name = _text(metric.get("Name"), "Metrics.Name")
        datum = {"MetricName": name, "Unit": metric.get("Unit", "None")} | _value(name, line)
        if "StorageResolution" in metric:
            datum["StorageResolution"] = metric["StorageResolution"]
        yield datum


def _value(name: str, line: Mapping[str, Any]) -> dict[str, Any]:
    found = line.get(name)
    values = found if isinstance(found, list) else [found]
    if not 0 < len(values) <= MAX_VALUES or not all(map(_is_number, values)):
        raise Malformed(f"the metric {name!r} is no number and no list of 1 … {MAX_VALUES} of them")
    return {"Values": values} if isinstance(found, list) else {"Value": found}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _dimension(name: object, line: Mapping[str, Any]) -> dict[str, str]:
    known = _text(name, "Dimensions")
    return {"Name": known, "Value": _text(line.get(known), f"the dimension {known!r}")}


def _time(milliseconds: object) -> datetime:
    if not _is_number(milliseconds):
        raise Malformed("Timestamp is no number of milliseconds")
    return datetime.fromtimestamp(float(str(milliseconds)) / 1000, UTC)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{name} is no list")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is no text")
    return value
