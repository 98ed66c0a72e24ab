"""The import itself: rows in a stream, through `post_many` in chunks, each accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import InvalidRequest
from ledger.importer import rows
from ledger.importer.mapping import FileMapping
from ledger.importer.reader import BadRow, FileDamaged, Row, RowFile
from ledger.importer.rejects import Rejects
from ledger.importer.seen import SeenRows
from ledger.importer.send import Outcome, PostMany, send, unfinished
from ledger.ledger import Ledger
from ledger.model import Receipt, Transaction
from ledger.money import Currencies

CHUNK_ROWS = 1_000
"""Rows that are in memory at a time."""


@dataclass(slots=True)
class Summary:
    """What became of a file's rows, each counted once.

    Attributes:
        rows: how many rows were read.
        imported: are in the ledger by this import.
        replayed: were in the ledger already.
        repeated: stood in the file before, word for word, and were passed over.
        rejected: stand in the rejects file.
        unfinished: may be in or not: DynamoDB could not be reached. Import the file again.
        line: the line of the last row whose outcome, and that of all before it, is known.
        damaged: why the file could not be read to its end, if it could not: what stood before the
            break is accounted for. Mend the file and import it again.
    """

    rows: int = 0
    imported: int = 0
    replayed: int = 0
    repeated: int = 0
    rejected: int = 0
    unfinished: int = 0
    line: int = 0
    damaged: str | None = None

    @property
    def finished(self) -> bool:
        """Whether every row is in, or rejected for good."""
        return not self.unfinished and self.damaged is None


Progress = Callable[[Summary, int, int], None]
"""Told how things stand, and how many bytes of how many were read."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row on its way into the ledger."""

    row: Row
    transaction: Transaction


@dataclass(slots=True)
class _Import:
    """One import under way."""

    file: RowFile
    mapping: FileMapping
    currencies: Currencies
    post_many: PostMany
    seen: SeenRows
    rejects: Rejects
    sleep: Callable[[float], None]
    summary: Summary = field(default_factory=Summary)

    def run(self, progress: Progress | None) -> Summary:
        """Take every row to its end, or stop at the first chunk that could not be."""
        for chunk in self._chunks():
            self._settle(chunk, send(self.post_many, [w.transaction for w in chunk], self.sleep))
            if progress:
                progress(self.summary, self.file.read_bytes, self.file.size_bytes)
            if self.summary.unfinished:
                break
        return self.summary

    def _chunks(self) -> Iterator[list[_Waiting]]:
        chunk: list[_Waiting] = []
        for row in self._rows():
            self.summary.rows += 1
            waiting = self._prepared(row)
            if waiting is None:
                continue
            chunk.append(waiting)
            if len(chunk) == CHUNK_ROWS:
                yield chunk
                chunk = []
        yield chunk

    def _rows(self) -> Iterator[Row]:
        try:
            yield from self.file.rows()
        except FileDamaged as error:
            self.summary.damaged = str(error)

    def _prepared(self, row: Row) -> _Waiting | None:
        """The row's transaction, unless it is rejected or stood in the file before."""
        try:
            if row.wrong:
                raise BadRow(row.wrong)  # noqa: TRY301  # one place rejects
            named = dict(zip(self.file.columns, row.fields, strict=True))
            made = rows.transaction(self.mapping, named, self.currencies)
            earlier = self.seen.note(row.line, made)
            if earlier and not earlier.same:
                raise BadRow(  # noqa: TRY301
                    f"its id stood on line {earlier.line} already, with other content"
                )
        except BadRow as bad:
            self._reject(row, str(bad))
            return None
        if earlier:
            self.summary.repeated += 1
            return None
        return _Waiting(row, made)

    def _settle(self, chunk: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
        for waiting, outcome in zip(chunk, outcomes, strict=True):
            if isinstance(outcome, Receipt):
                self.summary.replayed += outcome.replayed
                self.summary.imported += not outcome.replayed
            elif unfinished(outcome):
                self.summary.unfinished += 1
            else:
                self._reject(waiting.row, f"{type(outcome).__name__}: {outcome}")
        if chunk and not self.summary.unfinished:
            self.summary.line = chunk[-1].row.line

    def _reject(self, row: Row, reason: str) -> None:
        self.rejects.add(row.line, reason, row.fields)
        self.summary.rejected += 1


def import_file(
    ledger: Ledger,
    path: Path,
    mapping: FileMapping,
    *,
    rejects: Path,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Summary:
    """Import a file: every row into the ledger once, or into the file `rejects` with the reason.

    What may succeed later is tried again for half a minute; then the import stops, and the summary
    says how many rows are `unfinished`. Import the file again to finish it.

    Raises:
        InvalidRequest: the file, the mapping or `rejects` is no good; nothing was sent.
        Misconfigured: no table, no permission.
    """
    currencies = ledger.runtime.currencies
    return _run(ledger.post_many, currencies, path, mapping, rejects, progress, sleep)


def check_file(
    path: Path,
    mapping: FileMapping,
    currencies: Currencies,
    *,
    rejects: Path,
    progress: Progress | None = None,
) -> Summary:
    """A dry run: as `import_file`, and nothing is sent; `imported` counts what would go in.

    It does not know what the ledger has, so it finds neither replays nor conflicts with it.
    """
    return _run(_nowhere, currencies, path, mapping, rejects, progress, time.sleep)


def _nowhere(transactions: Sequence[Transaction]) -> list[Outcome]:
    return [Receipt(id=str(t.id), entries=()) for t in transactions]


def _run(
    post_many: PostMany,
    currencies: Currencies,
    path: Path,
    mapping: FileMapping,
    rejects: Path,
    progress: Progress | None,
    sleep: Callable[[float], None],
) -> Summary:
    if rejects.exists() and path.exists() and rejects.samefile(path):
        raise InvalidRequest(f"{rejects} is the file to import: name another for the rejects")
    with (
        closing(RowFile(path, mapping)) as file,
        closing(Rejects(rejects, file.columns)) as rejected,
        closing(SeenRows()) as seen,
    ):
        one = _Import(file, mapping, currencies, post_many, seen, rejected, sleep)
        return one.run(progress)
