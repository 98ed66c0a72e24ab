"""The same files, the same zip, byte for byte: sorted, with one time, one mode and one compression."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can name."""

FILE_MODE = 0o100644
UNIX = 3
LEVEL = 9


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files, by their paths."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system = UNIX
            entry.external_attr = FILE_MODE << 16
            archive.writestr(entry, files[path], zipfile.ZIP_DEFLATED, LEVEL)
    return target.getvalue()
