"""A record as Lambda's JSON has it, so that what is kept of one can be read by what reads the other."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from projector.record import Record


def to_wire(record: Record) -> dict[str, Any]:
    """The record as JSON, binary values in base64."""
    dynamodb: dict[str, Any] = {
        "ApproximateCreationDateTime": record.created_at.timestamp(),
        "Keys": image(record.keys),
        "SequenceNumber": record.sequence_number,
    }
    if record.new is not None:
        dynamodb["NewImage"] = image(record.new)
    if record.old is not None:
        dynamodb["OldImage"] = image(record.old)
    return {"eventID": record.event_id, "eventName": record.name, "dynamodb": dynamodb}


def image(item: Mapping[str, Any]) -> dict[str, Any]:
    """An image of boto3's as JSON."""
    return {name: _value(value) for name, value in item.items()}


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    if kind == "B":
        return {"B": base64.b64encode(bytes(inner)).decode()}
    if kind == "BS":
        return {"BS": sorted(base64.b64encode(bytes(member)).decode() for member in inner)}
    if kind == "L":
        return {"L": [_value(member) for member in inner]}
    if kind == "M":
        return {"M": image(inner)}
    return {kind: inner}
