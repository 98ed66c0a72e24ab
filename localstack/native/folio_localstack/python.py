"""Finds Python 3.13, which this release of LocalStack needs, and which the functions then run on too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ledger.errors import Misconfigured

SERIES: Final = "3.13"
_ASK = "import sys; print('%d.%d' % sys.version_info[:2])"


def find_python(uv: Path) -> Path:
    """A Python 3.13: on the PATH, one that uv knows, or one of pyenv's.

    Raises `Misconfigured` where there is none.
    """
    for candidate in _candidates(uv):
        if _says(candidate, "-c", _ASK) == SERIES:
            return candidate
    raise Misconfigured(
        f"LocalStack runs on Python {SERIES} and no other, and there is none: not on the PATH as python{SERIES}, "
        f"not among uv's, not among pyenv's. Get one, beside the one that you use: `uv python install {SERIES}`, "
        f"`pyenv install {SERIES}`, or apt install python{SERIES} where there is one. With Docker, "
        "`docker compose up` needs none"
    )


def _candidates(uv: Path) -> Iterator[Path]:
    # Each is tried by running it: pyenv puts a python3.13 on the PATH that only says that it is not there.
    for folder in os.get_exec_path():
        yield Path(folder, f"python{SERIES}")
    if found := _says(uv, "python", "find", "--no-python-downloads", SERIES):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in sorted((pyenv / "versions").glob(f"{SERIES}.*"), reverse=True):
        yield version / "bin" / "python"


def _says(command: Path, *arguments: str) -> str | None:
    """What it prints; None when it cannot be run, or fails."""
    try:
        return subprocess.run(
            [command, *arguments], capture_output=True, text=True, timeout=30, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
