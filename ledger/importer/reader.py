"""Reads a file of rows in a stream: plain or gzip, told apart by its content. Nothing of it is kept."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ledger.errors import InvalidRequest
from ledger.importer.mapping import FileMapping

GZIP = b"\x1f\x8b"
MAX_LINE_CHARACTERS = 1_000_000
UNDECODED = re.compile("[\udc80-\udcff]")
"""What stands for bytes that are not of the file's encoding."""


class FileDamaged(Exception):
    """The file ends or breaks in the middle, and nothing can be read beyond."""


class BadRow(Exception):
    """A row that cannot go in; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line of the file that it begins at, and its fields, in order.

    `wrong` says why it cannot be read.
    """

    line: int
    fields: Sequence[str]
    wrong: str | None = None


class RowFile:
    """A file's rows, one after the other, and how far it has been read.

    Raises:
        InvalidRequest: it cannot be opened, or has not the columns that the mapping names.
    """

    def __init__(self, path: Path, mapping: FileMapping) -> None:
        self._path = path
        self._mapping = mapping
        try:
            self._raw: BinaryIO = path.open("rb")
            self.size_bytes = path.stat().st_size
        except OSError as error:
            raise InvalidRequest(f"{path}: {error.strerror}") from error
        self._text = _text(self._raw, mapping.encoding)
        self._line = 0
        self._reader = csv.reader(
            self._lines(),
            delimiter=mapping.delimiter,
            quotechar=mapping.quote,
            strict=True,
        )
        try:
            self.columns = self._headings()
        except BaseException:
            self.close()
            raise

    @property
    def read_bytes(self) -> int:
        """How many of its bytes have been read; of a gzip file, of the compressed ones."""
        return self._raw.tell()

    def close(self) -> None:
        """Close it."""
        self._text.close()
        self._raw.close()

    def rows(self) -> Iterator[Row]:
        """The rows, without empty lines. Raises `FileDamaged`."""
        while True:
            first = self._line + 1
            try:
                fields = self._next()
            except csv.Error as error:
                yield Row(first, (), f"the line is no row: {error}")
                continue
            if fields is None:
                return
            if fields:
                yield Row(first, fields, self._wrong(fields))

    def _wrong(self, fields: Sequence[str]) -> str | None:
        if len(fields) != len(self.columns):
            return f"it has {len(fields)} fields, the file has {len(self.columns)} columns"
        if UNDECODED.search("".join(fields)):
            return f"it has bytes that are not {self._mapping.encoding}"
        return None

    def _next(self) -> list[str] | None:
        with self._readable():
            return next(self._reader, None)

    def _headings(self) -> tuple[str, ...]:
        found = list(self._mapping.columns) or self._first_row()
        if len(set(found)) != len(found):
            raise InvalidRequest(f"{self._path}: two columns have one name: {', '.join(found)}")
        if missing := self._mapping.needs() - set(found):
            raise InvalidRequest(
                f"{self._path} has no column {', '.join(sorted(missing))}: it has "
                f"{', '.join(found) or 'none'}"
            )
        return tuple(found)

    def _first_row(self) -> list[str]:
        try:
            fields = self._next()
        except (csv.Error, FileDamaged) as error:
            raise InvalidRequest(f"{self._path}: no line of headings: {error}") from error
        return [field.strip() for field in fields or ()]

    def _lines(self) -> Iterator[str]:
        while line := self._text.readline(MAX_LINE_CHARACTERS):
            if len(line) == MAX_LINE_CHARACTERS:
                raise FileDamaged(
                    f"{self._path}: line {self._line + 1} is longer than {MAX_LINE_CHARACTERS} "
                    "characters: this is no file of rows"
                )
            self._line += 1
            yield line

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            raise FileDamaged(f"{self._path}: damaged after line {self._line}: {error}") from error


def _text(raw: BinaryIO, encoding: str) -> TextIO:
    begins = raw.read(len(GZIP))
    raw.seek(0)
    plain = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if begins == GZIP else raw
    # A byte that does not belong becomes half a surrogate pair, so that its row alone is rejected.
    return io.TextIOWrapper(
        plain,
        encoding="utf-8-sig" if encoding == "utf-8" else encoding,
        errors="surrogateescape",
        newline="",
    )
