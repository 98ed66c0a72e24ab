"""DynamoDB Local on disk: fetched once, by exact version and checksum, into a cache that is named.

Its licence lets anyone use it and nobody redistribute it, so it is fetched from Maven Central by whoever runs it. Each
file is kept only if its SHA-256 is the one in jars.txt, and is checked again on every start (a tenth of a second).

| variable                 | meaning                                                                  |
| ------------------------ | ------------------------------------------------------------------------ |
| `FOLIO_CACHE`            | the folder to keep it in, instead of the user's cache folder of Folio    |
| `FOLIO_MAVEN_REPOSITORY` | the URL of a Maven repository to fetch it from, instead of Maven Central |
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from ledger.embedded.machine import ELSEWHERE, native_platform
from ledger.errors import Misconfigured

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

Progress = Callable[[int, int], None]
"""Told how many files are there, and how many there will be."""

VERSION = "3.3.1"
CONNECTIONS = 4
ATTEMPTS = 3
REPLY_SECONDS = 30
LOCK_SECONDS = 600
"""How long to wait for another process that fetches the same files."""


@dataclass(frozen=True, slots=True)
class Jar:
    """A file that the engine needs: where it is published, and what must be in it."""

    coordinates: str
    """group:artifact:type:version"""
    sha256: str

    @property
    def filename(self) -> str:
        """Its name in the cache, as it is published."""
        _, artifact, kind, version = self.coordinates.split(":")
        return f"{artifact}-{version}.{kind}"

    def is_in(self, folder: Path) -> bool:
        """Whether the folder holds it, unaltered."""
        path = folder / self.filename
        return path.is_file() and _sha256(path) == self.sha256


def listed(platform: str) -> list[Jar]:
    """What jars.txt names for a platform, as `linux-x86_64`."""
    text = resources.files("ledger.embedded").joinpath("jars.txt").read_text("utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [Jar(row[1], row[0]) for row in rows if len(row) == 2 or row[2] == platform]


def cache_folder() -> Path:
    """Where DynamoDB Local is kept: below `FOLIO_CACHE`, else in the user's cache folder."""
    root = os.environ.get("FOLIO_CACHE")
    cache = Path(root) if root else platformdirs.user_cache_path("folio", appauthor=False)
    return cache.absolute() / f"dynamodb-local-{VERSION}"


def dynamodb_local(progress: Progress | None = None) -> list[Path]:
    """The files of DynamoDB Local for this machine, fetched if they are not there yet.

    Raises `Misconfigured` where there is no such engine for this machine, or it cannot be fetched.
    """
    jars, folder = listed(native_platform()), cache_folder()
    fetch(jars, folder, os.environ.get("FOLIO_MAVEN_REPOSITORY"), progress)
    return [folder / jar.filename for jar in jars]


def fetch(
    jars: Sequence[Jar],
    folder: Path,
    repository: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Make the folder hold the jars: those that it lacks come from the repository (a URL).

    Processes that fetch into the same folder wait for one another. Raises `Misconfigured` when a
    jar cannot be had, or is not the one that it should be.
    """
    if not _missing(jars, folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "fetch.lock", timeout=LOCK_SECONDS):
            _fetch_missing(jars, folder, repository, progress or _silent)
    except Timeout as error:
        raise Misconfigured(
            f"another process has been fetching into {folder} for too long"
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"cannot keep DynamoDB Local in {folder} ({error}): let FOLIO_CACHE name a folder that can be written"
        ) from error


def _missing(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not jar.is_in(folder)]


def _fetch_missing(
    jars: Sequence[Jar], folder: Path, repository: str | None, progress: Progress
) -> None:
    stage = folder / "fetching"
    shutil.rmtree(stage, ignore_errors=True)  # what a killed fetch left
    stage.mkdir()
    missing = _missing(jars, folder)
    there = len(jars) - len(missing)
    progress(there, len(jars))
    maven = _maven(stage, repository)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for path in pool.map(lambda jar: _download(jar, maven), missing):
            path.replace(folder / path.name)  # at once or not at all
            there += 1
            progress(there, len(jars))
    shutil.rmtree(stage)


def _maven(stage: Path, repository: str | None) -> MavenContext:
    # Imported here because it takes 0.3 s, and is needed once on a machine.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    remote = {"mirror": repository.rstrip("/")} if repository else None
    return MavenContext(
        PythonResolver(), repo_cache=stage, remote_repos=remote, timeout=REPLY_SECONDS
    )


def _download(jar: Jar, maven: MavenContext) -> Path:
    group, name, kind, version = jar.coordinates.split(":")
    artifact = maven.project(group, name).at_version(version).artifact(packaging=kind)
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        retry=retry_if_exception_type((OSError, RuntimeError)),
        reraise=True,
    )
    try:
        path = retrying(lambda: _resolve(artifact))
    except (OSError, RuntimeError) as error:
        raise Misconfigured(
            f"cannot fetch {jar.coordinates} ({error}): let FOLIO_MAVEN_REPOSITORY name a mirror, or {ELSEWHERE}"
        ) from error
    _check(path, jar)
    return path


def _resolve(artifact: Artifact) -> Path:
    if artifact.cached_path is not None:
        artifact.cached_path.unlink(missing_ok=True)  # half a file, from an attempt that failed
    return artifact.resolve()


def _check(path: Path, jar: Jar) -> None:
    found = _sha256(path)
    if found != jar.sha256:
        path.unlink()
        raise Misconfigured(
            f"{jar.coordinates} is not what was published: its SHA-256 is {found}, expected "
            f"{jar.sha256}. It was thrown away; see what stands between this machine and the repository"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _silent(there: int, total: int) -> None:
    """Nobody watches."""
