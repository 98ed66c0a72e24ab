"""Checks of the log's stream, and of who reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger import control
from ledger.errors import LedgerError
from ledger.health.report import Check, Checks


def stream(table: Mapping[str, Any], lambda_: Any) -> Checks:
    """The stream of the log's table, and its reader; `lambda_` is None where a poller reads."""
    if fault := control.stream_fault(table):
        yield Check("stream", "failing", fault, "see the message")
        return
    arn = control.stream_arn(table)
    yield Check("stream", "ok", arn)
    if lambda_ is None:
        yield Check("stream's reader", "unknown", "a poller, it is said: the lag tells how it does")
    else:
        yield _reader(lambda_, arn)


def _reader(lambda_: Any, arn: str) -> Check:
    """The stream's reader, as far as Lambda knows it."""
    try:
        found = control.mappings(lambda_, arn)
    except (LedgerError, KeyError):
        why = "Lambda's API does not say (an engine, or lambda:ListEventSourceMappings is missing)"
        return Check("stream's reader", "unknown", why)
    reading = control.enabled(found)
    if not reading:
        states = ", ".join(f"{m['UUID']} is {m.get('State')}" for m in found) or "no mapping"
        return Check(
            "stream's reader",
            "failing",
            f"none of Lambda's: {states}",
            "enable the mapping, or deploy the stack; where a poller reads, pass --poller",
        )
    faults = [f"{m['UUID']}: {fault}" for m in reading for fault in reader_faults(m)]
    if faults:
        return Check("stream's reader", "failing", "; ".join(faults), "deploy the stack's mapping")
    return Check("stream's reader", "ok", ", ".join(str(m["FunctionArn"]) for m in reading))


def reader_faults(mapping: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an event source mapping: each of these has lost or delayed events."""
    if mapping.get("StartingPosition", "TRIM_HORIZON") != "TRIM_HORIZON":
        yield f"it starts at {mapping['StartingPosition']}, expected TRIM_HORIZON"
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        yield "without ReportBatchItemFailures what fails is lost"
    if mapping.get("ParallelizationFactor", 1) != 1:
        yield f"parallelization factor {mapping['ParallelizationFactor']}, expected 1"
