"""The functions' zip for LocalStack on this machine, made as `folio stack package` makes it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from filelock import FileLock

from folio_localstack.fingerprint import fingerprint
from folio_localstack.folders import REPOSITORY, STATE
from folio_localstack.python import SERIES
from folio_localstack.venvs import Say
from ledger.stack.package import build

KEPT_SECONDS = 3600
"""Another LocalStack that starts may be about to read an older one."""


def package(say: Say) -> Path:
    """The zip: the one that `FOLIO_PACKAGE` names, else made from this repository, when that has changed.

    Raises `Misconfigured` when its dependencies cannot be had.
    """
    if given := os.environ.get("FOLIO_PACKAGE"):
        return Path(given)
    STATE.mkdir(exist_ok=True)
    with FileLock(STATE / "package.lock"):
        target = STATE / f"package-{_sources()[:16]}.zip"
        if not target.exists():
            made = build("x86_64", SERIES, lambda step, _: say(f"packaging the functions: {step}"))
            _remove_old()
            fresh = target.with_suffix(".new")
            fresh.write_bytes(made.content)
            fresh.replace(target)
    return target


def _remove_old() -> None:
    for zipped in STATE.glob("package-*.zip"):
        if time.time() - zipped.stat().st_mtime > KEPT_SECONDS:
            zipped.unlink()


def _sources() -> str:
    """A digest of all that the zip is made of: dependencies are pinned in a lock among the code."""
    code = [*REPOSITORY.glob("ledger/**/*"), *REPOSITORY.glob("projector/**/*")]
    return fingerprint(REPOSITORY, [*code, REPOSITORY / "pyproject.toml"])
