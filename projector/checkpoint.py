"""Where a poller stands, kept in a small file.

It spares work and nothing rests on it: what is read again has no effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from ledger.log import logger

SEQUENCE_NUMBER = re.compile(r"[0-9]{21,40}")

log = logger("projector.poller")


class Checkpoint:
    """Shard → last sequence number applied, of one stream, in `path`; without a path, forgotten."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._saved: dict[str, str] = {}

    def load(self, stream_arn: str) -> Mapping[str, str]:
        """What was saved for this stream."""
        if self._path is None or not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text("utf-8"))
            saved = content["after"] if content["stream"] == stream_arn else {}
            self._saved = {str(shard): _sequence_number(after) for shard, after in saved.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("checkpoint unreadable, reading from the horizon", error=str(error))
            self._saved = {}
        return self._saved

    def save(self, stream_arn: str, after: Mapping[str, str]) -> None:
        """Replace what was saved, whole or not at all."""
        if self._path is None or after == self._saved:
            return
        self._saved = dict(after)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps({"stream": stream_arn, "after": self._saved}), "utf-8")
        beside.replace(self._path)


def _sequence_number(saved: object) -> str:
    if not isinstance(saved, str) or not SEQUENCE_NUMBER.fullmatch(saved):
        raise ValueError("a sequence number is 21 to 40 digits")
    return saved
