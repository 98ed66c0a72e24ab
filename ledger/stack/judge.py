"""What the parts of a running stack tell: well, wrong, or not known. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ledger.stack import stacks
from ledger.stack.stacks import Stack

State = Literal["well", "wrong", "unknown"]

PAST_PROBLEMS = ("OK", "No records processed", "")
"""What a mapping says of its last batch when it has no problem."""

ON_THE_WAY = frozenset({"Creating", "Enabling", "Updating"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack, as it was found. `facts` are JSON's types."""

    name: str
    state: State
    said: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The last run of the nightly job. `at` is when it ended, to the minute."""

    at: datetime
    verdict: Literal["clean", "drift", "incomplete"]


def age(since: datetime, now: datetime) -> str:
    """How long ago, in the unit that says most."""
    seconds = max((now - since).total_seconds(), 0)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def iso(at: datetime | None) -> str | None:
    """A time as JSON has it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def of_stack(stack: Stack, now: datetime) -> Part:
    """Whether the last deployment ended well."""
    changed = stack.updated or stack.created
    said = f"{stack.status}, {age(changed, now)}" if changed else stack.status
    if stack.status.endswith("_IN_PROGRESS"):
        state: State = "unknown"
    elif stack.status in stacks.SUCCEEDED:
        state = "well"
    else:
        state, said = "wrong", f"{said}: the last operation failed: {stack.reason}"
    facts = {"status": stack.status, "changed_at": iso(changed), "reason": stack.reason}
    return Part("stack", state, said, facts)


def of_function(part: str, found: Mapping[str, Any]) -> Part:
    """Whether a function can run, and what it is."""
    facts = {
        "name": found["FunctionName"],
        "version": found.get("Version"),
        "code_sha256": found.get("CodeSha256"),
        "last_modified": found.get("LastModified"),
        "runtime": found.get("Runtime"),
        "architecture": next(iter(found.get("Architectures", ())), None),
        "state": found.get("State"),
        "last_update": found.get("LastUpdateStatus"),
    }
    runs = facts["state"] in {"Active", "Inactive"}  # Lambda sets aside what was long unused
    updated = facts["last_update"] in {"Successful", None}
    pending = facts["state"] == "Pending" or facts["last_update"] == "InProgress"
    state: State = "well" if runs and updated else "unknown" if pending else "wrong"
    said = (
        f"{facts['name']}: {facts['state']}, {facts['runtime']}, {facts['architecture']}, "
        f"modified {facts['last_modified']}"
    )
    why = found.get("StateReason") or found.get("LastUpdateStatusReason")
    return Part(part, state, said + (f": {why}" if state == "wrong" and why else ""), facts)


def of_mapping(found: Mapping[str, Any]) -> Part:
    """Whether the stream reaches the projector."""
    standing, result = found.get("State", ""), found.get("LastProcessingResult", "")
    said = f"{standing}; last result: {result or 'none yet'}"
    state: State = "wrong"
    if standing == "Enabled" and result in PAST_PROBLEMS:
        state = "well"
    elif standing in ON_THE_WAY:
        state = "unknown"
    return Part("mapping", state, said, {"state": standing, "last_result": result})


def of_lag(milliseconds: float | None, within: timedelta, limit_seconds: float) -> Part:
    """How old the records were that the projector was given of late."""
    lately = f"in the last {within.total_seconds() / 60:.0f} minutes"
    if milliseconds is None:
        said = f"not known: the projector was given nothing {lately}"
        return Part("lag", "unknown", said, {"seconds": None})
    seconds = milliseconds / 1000
    said = f"{seconds:.1f} s at the most {lately} (alarm above {limit_seconds:g} s)"
    return Part("lag", "wrong" if seconds > limit_seconds else "well", said, {"seconds": seconds})


def of_alarms(alarms: Iterable[Mapping[str, Any]]) -> Part:
    """Which alarms are on, and which have nothing to go by yet."""
    by_state: dict[str, list[str]] = {}
    for alarm in alarms:
        by_state.setdefault(alarm["StateValue"], []).append(alarm["AlarmName"])
    on = sorted(by_state.get("ALARM", ()))
    waiting = sorted(by_state.get("INSUFFICIENT_DATA", ()))
    said = [f"in ALARM: {', '.join(on)}"] if on else ["none in ALARM"]
    said += [f"without data: {', '.join(waiting)}"] if waiting else []
    facts = {"alarm": on, "insufficient_data": waiting, "ok": len(by_state.get("OK", ()))}
    return Part("alarms", "wrong" if on else "well", "; ".join(said), facts)


def of_reconciliation(last: Reconciled | None, hours: float, now: datetime) -> Part:
    """Whether the log and the balances agreed when they were last compared, and whether that was of late."""
    if last is None:
        return Part("reconciliation", "wrong", "none was found", {"at": None, "verdict": None})
    facts = {"at": iso(last.at), "verdict": last.verdict}
    said = f"{last.verdict}, {age(last.at, now)}"
    if now - last.at > timedelta(hours=hours):
        return Part("reconciliation", "wrong", f"{said}: more than {hours:g} h", facts)
    return Part("reconciliation", "well" if last.verdict == "clean" else "wrong", said, facts)


def of_count(part: str, count: int, what: str, *, more: bool) -> Part:
    """Whether something waits for an operator that should not be there at all. `more`: there may be more."""
    said = f"{count:,}{' or more' if more else ''} {what}"
    return Part(part, "wrong" if count or more else "well", said, {"count": count, "more": more})


def of_refusal(part: str, why: object) -> Part:
    """A part that could not be looked at. That is not well."""
    return Part(part, "wrong", f"could not be looked at: {why}")


def reconciled(message: str) -> Reconciled | None:
    """What a line of the reconciler's log says of its run, None for other lines."""
    try:
        line = json.loads(message)
    except ValueError:
        return None
    if not isinstance(line, dict) or "Clean" not in line or "_aws" not in line:
        return None
    at = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
    return Reconciled(at, verdict(_total(line["Clean"]), _total(line.get("Incomplete", 0))))


def verdict(clean: float, incomplete: float) -> Literal["clean", "drift", "incomplete"]:
    """What the metrics of one run say."""
    return "incomplete" if incomplete else "clean" if clean else "drift"


def _total(value: float | Sequence[float]) -> float:
    return value if isinstance(value, int | float) else sum(value)
