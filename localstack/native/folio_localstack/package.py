"""The functions' zip for LocalStack on this machine, made as `folio stack package` makes it."""

from __future__ import annotations

import os
from pathlib import Path

from folio_localstack.folders import STATE
from folio_localstack.python import SERIES
from folio_localstack.venvs import Say
from ledger.stack.package import build


def package(say: Say) -> Path:
    """The zip: the one that `FOLIO_PACKAGE` names, else made from this repository.

    Raises `Misconfigured` when its dependencies cannot be had.
    """
    if given := os.environ.get("FOLIO_PACKAGE"):
        return Path(given)
    made = build("x86_64", SERIES, lambda step, _: say(f"packaging the functions: {step}"))
    STATE.mkdir(exist_ok=True)
    target = STATE / "package.zip"
    fresh = STATE / f"package-{os.getpid()}.zip"
    fresh.write_bytes(made.content)
    fresh.replace(target)  # at once: another LocalStack may be reading it
    return target
