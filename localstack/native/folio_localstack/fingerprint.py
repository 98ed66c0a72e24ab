"""Whether files are still those that something was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(root: Path, paths: Iterable[Path]) -> str:
    """A digest of files' names and contents; folders and what Python has compiled do not count."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file() and "__pycache__" not in path.parts:
            name, content = str(path.relative_to(root)).encode(), path.read_bytes()
            digest.update(b"%d %d\n" % (len(name), len(content)) + name + content)
    return digest.hexdigest()
