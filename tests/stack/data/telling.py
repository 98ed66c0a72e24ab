"""A function of a stream, which writes down what it is given, and dies once in the middle of a batch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], context: Any) -> None:
    """Write each record's id into the file that TOLD names; die at the id DEADLY, if that was not met before."""
    told = Path(os.environ["TOLD"])
    for record in event["Records"]:
        found = record["dynamodb"]["Keys"]["id"]["S"]
        met = found in (told.read_text().split() if told.exists() else [])
        with told.open("a") as file:
            file.write(f"{found}\n")
        if found == os.environ["DEADLY"] and not met:
            os._exit(1)
