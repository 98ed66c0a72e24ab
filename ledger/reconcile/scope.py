"""Which part of an account's view is compared with the log: all of it, or what a window of time touched."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from ledger.view import PageImage


class Scope(Protocol):
    """What is compared. The ids above all pages always are."""

    def compares(self, page: PageImage) -> bool:
        """Whether a page is compared with the log; else it is taken at its word."""

    @property
    def due(self) -> AbstractSet[bytes]:
        """Ids that are missing where the view lacks them, however young they are."""


class Everything:
    """Each page."""

    due: AbstractSet[bytes] = frozenset()

    def compares(self, page: PageImage) -> bool:  # noqa: ARG002  # the signature of Scope
        """Always."""
        return True


EVERYTHING = Everything()


@dataclass(slots=True)
class Window:
    """What a window of time touched.

    Attributes:
        written: the ids that came into the log, in order.
        suspects: ids whose items were changed or removed, in order.
        pages: generation and `through` of the pages that were written.
        whole: whether something was done that no one page can tell.
        due: what was written: it is old enough once the window is.
    """

    written: Sequence[bytes] = ()
    suspects: Sequence[bytes] = ()
    pages: AbstractSet[tuple[str, bytes]] = frozenset()
    whole: bool = False

    due: AbstractSet[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.due = frozenset(self.written)

    def compares(self, page: PageImage) -> bool:
        """A page that was written, whose entries were tampered with, or that lacks a new entry.

        A late event writes its page, and a seal writes a new one: so a page that nothing touched
        has the sums that it had when it was last compared.
        """
        return (
            self.whole
            or (page.generation, page.through) in self.pages
            or bool(_within(self.suspects, page))
            or not page.ids.issuperset(_within(self.written, page))
        )


def _within(ids: Sequence[bytes], page: PageImage) -> Sequence[bytes]:
    return ids[bisect_right(ids, page.start) : bisect_right(ids, page.through)]
