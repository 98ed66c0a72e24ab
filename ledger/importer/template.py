"""Templates: a text in which `{column}` stands for what a row has in that column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.errors import InvalidRequest

PIECES = re.compile(r"\{([^{}]*)\}|([^{}]+)|([{}])")
SPREAD = re.compile(r"spread ([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class Column:
    """Stands for a row's value in a column."""

    name: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Stands for a number below `over` that is a row's own, in two digits: spreads a hot account."""

    over: int


Piece = str | Column | Spread


@dataclass(frozen=True, slots=True)
class Template:
    """`client:{account_id}` makes `client:2378` of a row that has 2378 in its column account_id.

    `{spread 16}` stands for 00 … 15, by the row's id. `columns` are those that it needs.
    """

    text: str
    pieces: tuple[Piece, ...]
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises `InvalidRequest` for a brace that opens or closes nothing."""
        pieces = tuple(_pieces(text))
        return cls(text, pieces, tuple(p.name for p in pieces if isinstance(p, Column)))

    def has_all(self, row: Mapping[str, str]) -> bool:
        """Whether the row has something in every column that it needs."""
        return all(row[name] for name in self.columns)

    def fill(self, row: Mapping[str, str], number: int = 0) -> str:
        """The text for a row; `number` is the row's own, for `{spread …}`."""
        return "".join(_filled(piece, row, number) for piece in self.pieces)


def first_that_fits(templates: Iterable[Template], row: Mapping[str, str]) -> Template | None:
    """The first template of which the row has every column."""
    return next((template for template in templates if template.has_all(row)), None)


def _pieces(text: str) -> Iterator[Piece]:
    for found in PIECES.finditer(text):
        inside, verbatim, stray = found.groups()
        if stray or inside == "":
            raise InvalidRequest(
                f"template {text!r}: expected {{column}} and other text around it; a brace "
                "stands for itself nowhere"
            )
        if verbatim:
            yield verbatim
        elif spread := SPREAD.fullmatch(inside):
            yield Spread(int(spread[1]))
        else:
            yield Column(inside)


def _filled(piece: Piece, row: Mapping[str, str], number: int) -> str:
    if isinstance(piece, Column):
        return row[piece.name]
    return f"{number % piece.over:02d}" if isinstance(piece, Spread) else piece
