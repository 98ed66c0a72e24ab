"""Two environments below .localstack/: LocalStack's own, and the one that functions run in.

They are made from the locks beside this package, and made anew when a lock, the executor or Python changes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from folio_localstack.fingerprint import fingerprint
from folio_localstack.folders import NATIVE, STATE
from folio_localstack.python import find_python
from ledger.errors import Misconfigured

VERSION = "4.14.0"
"""The release of LocalStack: the one that localstack.lock pins. The last whose image needs no account."""

Say = Callable[[str], None]
"""Told what is done next."""


@dataclass(frozen=True, slots=True)
class Pythons:
    """The interpreters of the two environments."""

    localstack: Path
    function: Path


def set_up(say: Say) -> Pythons:
    """Make both environments, or find them as they should be.

    Raises `Misconfigured` where there is no Python 3.13, or a package cannot be had.
    """
    STATE.mkdir(exist_ok=True)
    pythons = Pythons(
        STATE / "localstack-venv" / "bin" / "python", STATE / "function-venv" / "bin" / "python"
    )
    with FileLock(STATE / "set-up.lock"):  # who starts a second one meanwhile waits
        stamp, wanted = STATE / "set-up", _fingerprint()
        if stamp.is_file() and stamp.read_text() == wanted and _stand(pythons):
            return pythons
        stamp.unlink(missing_ok=True)
        _make(pythons, say)
        stamp.write_text(wanted)
    return pythons


def _stand(pythons: Pythons) -> bool:
    """Whether both lead to a Python: one that is gone leaves its links behind."""
    return pythons.localstack.exists() and pythons.function.exists()


def _make(pythons: Pythons, say: Say) -> None:
    uv = _uv()
    base = find_python(uv)
    for python, lock in ((pythons.localstack, "localstack"), (pythons.function, "function")):
        say(f"installing {lock}.lock")
        _run(uv, "venv", "--clear", "--python", base, python.parents[1])
        _run(uv, "pip", "sync", "--require-hashes", "--python", python, NATIVE / f"{lock}.lock")
    say("installing the executor")
    wheels = STATE / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    # Built by Folio's own build backend: it is locked, and LocalStack's environment needs none.
    _run(Path(sys.executable), "-m", "hatchling", "build", "-t", "wheel", "-d", wheels)
    wheel = next(wheels.glob("*.whl"))
    _run(uv, "pip", "install", "--no-deps", "--python", pythons.localstack, wheel)


def _run(program: Path, *arguments: str | Path) -> None:
    try:
        subprocess.run(
            [program, *arguments], cwd=NATIVE, capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as error:
        told = (error.stderr or error.stdout).strip()
        raise Misconfigured(f"LocalStack could not be set up: {told}") from error


def _uv() -> Path:
    beside = Path(sys.executable).with_name("uv")
    found = beside if beside.is_file() else shutil.which("uv")
    if found is None:
        raise Misconfigured(
            "LocalStack is set up from Folio's .venv, by `make localstack`: uv is not there"
        )
    return Path(found)


def _fingerprint() -> str:
    """Of all that the environments are made of."""
    executor = [NATIVE / "pyproject.toml", *(NATIVE / "folio_lambda").glob("*.py")]
    return fingerprint(NATIVE, [*NATIVE.glob("*.lock"), *executor])
