"""A function that does what its event says. It is alone in its zip."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

STARTED = time.time()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what the event's members name, in their order; answer what the function sees."""
    for action, argument in event.items():
        ACTIONS[action](argument)
    return {
        "process": os.getpid(),
        "variables": dict(os.environ),
        "found": {name: bool(importlib.util.find_spec(name)) for name in ("boto3", "localstack")},
        "request": context.aws_request_id,
        "milliseconds_left": context.get_remaining_time_in_millis(),
    }


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def say_much(lines: int) -> None:
    for number in range(lines):
        say(f"{number} " + "x" * 1000)


def fail(message: str) -> None:
    raise ValueError(message)


def leave_a_child(seconds: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    say(f"child {child.pid}")


ACTIONS: dict[str, Callable[[Any], object]] = {
    "say": say,
    "say much": say_much,
    "say as JSON": lambda value: say(json.dumps(value)),
    "fail": fail,
    "exit": os._exit,
    "die": lambda number: os.kill(os.getpid(), number),
    "sleep": time.sleep,
    "leave a child": leave_a_child,
}
