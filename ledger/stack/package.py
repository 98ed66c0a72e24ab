"""The zip of both functions: Folio's own code and its pinned dependencies, for one kind of Lambda.

The same version, architecture and Python give the same bytes, wherever it is made (with the same
zlib).
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from ledger.errors import InvalidRequest, Misconfigured
from ledger.stack import contents, wheels
from ledger.stack.zipping import zipped

Architecture = Literal["arm64", "x86_64"]
Python = Literal["3.11", "3.12", "3.13", "3.14"]
Progress = Callable[[str, int], None]
"""Told what is done next, and how many of `STEPS` are behind it."""

STEPS = 4
LABEL = "folio-package.json"
"""In the zip: what it was made for."""

MAX_ZIPPED = 50_000_000
"""What Lambda takes in a request of its own; from S3 it takes more, as long as it unzips to:"""
MAX_UNZIPPED = 250 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Label:
    """What a package was made for and of."""

    version: str
    architecture: str
    python: str
    lock_sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """The functions' code: the zip's bytes, what it is for, and its size unzipped, in bytes."""

    content: bytes
    label: Label
    unzipped_bytes: int
    files: int

    @property
    def sha256(self) -> str:
        """The zip's, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What there is to say of it."""
        return asdict(self.label) | {
            "sha256": self.sha256,
            "files": self.files,
            "zipped_bytes": len(self.content),
            "unzipped_bytes": self.unzipped_bytes,
        }


def build(
    architecture: Architecture, python: Python, progress: Progress = lambda *_: None
) -> Package:
    """Make the package.

    Raises:
        Misconfigured: the dependencies cannot be had, something is missing, or it is too large.
    """
    with tempfile.TemporaryDirectory(prefix="folio-package-") as folder:
        installed = Path(folder) / "dependencies"
        progress("dependencies", 0)
        wheels.install(installed, architecture, python)
        progress("contents", 1)
        files = _own() | _dependencies(installed)
    contents.check(files.keys())
    label = Label(
        version("folio-ledger"),
        architecture,
        python,
        hashlib.sha256(wheels.lock().encode()).hexdigest(),
    )
    files[LABEL] = json.dumps(asdict(label), indent=1, sort_keys=True).encode() + b"\n"
    progress("zip", 2)
    package = Package(zipped(files), label, sum(map(len, files.values())), len(files))
    progress("done", STEPS)
    _check_size(package)
    return package


def read(path: Path) -> Package:
    """A package that was made before.

    Raises:
        InvalidRequest: no such file, or no package of Folio.
    """
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            label = Label(**json.loads(archive.read(LABEL)))
    except OSError as error:
        raise InvalidRequest(f"--package: {error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InvalidRequest(
            f"--package: {path} is no package that `folio stack package` made: {error}"
        ) from error
    package = Package(content, label, sum(e.file_size for e in entries), len(entries))
    _check_size(package)
    return package


def _check_size(package: Package) -> None:
    if package.unzipped_bytes > MAX_UNZIPPED:
        raise Misconfigured(
            f"the package unzips to {package.unzipped_bytes:,} bytes, and Lambda takes "
            f"{MAX_UNZIPPED:,}"
        )


def _own() -> dict[str, bytes]:
    found = {}
    for name in contents.OWN_PACKAGES:
        for path, file in _walk(resources.files(name), name):
            if contents.is_own(path):
                found[path] = file.read_bytes()
    return found


def _dependencies(folder: Path) -> dict[str, bytes]:
    return {
        path: file.read_bytes() for path, file in _walk(folder, "") if contents.is_dependency(path)
    }


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir():
        path = f"{prefix}/{one.name}" if prefix else one.name
        if one.is_dir():
            yield from _walk(one, path)
        else:
            yield path, one
