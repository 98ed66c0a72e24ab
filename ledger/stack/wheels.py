"""The functions' dependencies, by exact version and checksum, as wheels of the machine that runs them.

uv fetches them from the index that it is set up for, or from its cache. They are installed into a
folder of their own and never run here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

from ledger.errors import Misconfigured

PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
"""Lambda's architectures, as uv names them; the oldest Linux that its runtimes stand on."""

SECONDS = 600


def lock() -> str:
    """The functions' dependencies, pinned with hashes for every Python and platform."""
    return resources.files("ledger.stack").joinpath("function.lock").read_text("utf-8")


def install(into: Path, architecture: str, python: str) -> None:
    """Install what the lock names into a folder.

    Raises:
        Misconfigured: no uv, or uv could not: a wheel that is missing, or other than the lock says.
    """
    pinned = into.with_name(into.name + ".lock")
    pinned.write_text(lock(), "utf-8")
    command = [_uv(), "pip", "install", "--quiet", "--no-progress", "--target", str(into)]
    command += ["--python", sys.executable, "--link-mode", "copy"]
    command += ["--python-platform", PLATFORMS[architecture], "--python-version", python]
    command += ["--only-binary", ":all:", "--no-deps", "--require-hashes"]
    command += ["--requirements", str(pinned)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured(f"uv, which fetches the functions' dependencies: {error}") from error
    if done.returncode:
        raise Misconfigured(
            f"uv could not install the functions' dependencies for {architecture} and Python "
            f"{python}: {' '.join(done.stderr.split())}"
        )


def _uv() -> str:
    try:
        # Here and not above: it comes with the extra `stack`.
        from uv import find_uv_bin  # noqa: PLC0415

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        if found := shutil.which("uv"):
            return found
        raise Misconfigured(
            "uv, which fetches the functions' dependencies, is an extra that is not installed: "
            "pip install 'folio-ledger[cli,stack]'"
        ) from error
