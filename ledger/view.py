"""The view, as it is read: balance items and pages into values. Its writing is the projector's.

BALANCE#<currency>                 sums; `open`: applied ids that no page holds yet; `through`
PAGE#<currency>#<generation>#<id>  ids of a sealed range (from, id], and the sums of just those
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ledger import ids, keys
from ledger.items import BadItem, Image
from ledger.model import Balance, Entry
from ledger.money import Money
from ledger.request import Request
from ledger.settings import Settings

SUM_FIELDS = ("credits", "debits", "pending_credits", "pending_debits", "entries")


@dataclass(frozen=True, slots=True)
class Sums:
    """What a set of entries adds up to, in minor units, and how many they are."""

    credits: int = 0
    debits: int = 0
    pending_credits: int = 0
    pending_debits: int = 0
    entries: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f) + getattr(other, f) for f in SUM_FIELDS))

    def __neg__(self) -> Sums:
        return Sums(*(-getattr(self, f) for f in SUM_FIELDS))

    def plus(self, entry: Entry) -> Sums:
        """With one more entry."""
        posted, pending = entry.amount_minor, entry.pending_minor
        if entry.direction == "credit":
            return self + Sums(posted, 0, pending, 0, 1)
        return self + Sums(0, posted, 0, pending, 1)


@dataclass(frozen=True, slots=True)
class BalanceImage:
    """One image of a balance item; `through` is `ids.FIRST` before the first seal."""

    sums: Sums
    open: frozenset[bytes]
    through: bytes
    lates: int
    generation: str


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page: the applied ids of the range (`start`, `through`], and their sums."""

    start: bytes
    through: bytes
    ids: frozenset[bytes]
    suspects: frozenset[bytes]
    sums: Sums
    generation: str


EMPTY = BalanceImage(Sums(), frozenset(), ids.FIRST, 0, "")


def balance_image(item: Image | None) -> BalanceImage:
    """A balance item; none stands for an account without applied entries. Raises `BadItem`."""
    if item is None:
        return EMPTY
    with _readable(item):
        return BalanceImage(
            sums=sums_of(item),
            open=_ids(item, "open"),
            through=bytes(item["through"]["B"]) if "through" in item else ids.FIRST,
            lates=_number(item, "lates"),
            generation=item["generation"]["S"] if "generation" in item else "",
        )


def page_image(item: Image) -> PageImage:
    """A page's item. Raises `BadItem`."""
    with _readable(item):
        return PageImage(
            start=bytes(item["from"]["B"]),
            through=ids.pack(keys.page_through(item["SK"]["S"])),
            ids=_ids(item, "ids"),
            suspects=_ids(item, "suspect"),
            sums=sums_of(item),
            generation=item["SK"]["S"].split("#", 3)[2],
        )


@contextmanager
def _readable(item: Image) -> Iterator[None]:
    """Only a hand that is not the projector's leaves a view that cannot be read."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        where = " ".join(str(item.get(name, {}).get("S")) for name in ("PK", "SK"))
        raise BadItem(
            "bad item", f"the view cannot be read at {where}, rebuild it ({type(error).__name__})"
        ) from error


def sums_of(item: Image) -> Sums:
    """The sums of a balance item or a page."""
    return Sums(*(_number(item, name) for name in SUM_FIELDS))


def _number(item: Image, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _ids(item: Image, name: str) -> frozenset[bytes]:
    return frozenset(map(bytes, item[name]["BS"])) if name in item else frozenset()


def balance(account: str, currency: str, sums: Sums) -> Balance:
    """What a reader gets of an account's sums."""
    return Balance(
        account=account,
        currency=currency,
        credits=Money(sums.credits, currency),
        debits=Money(sums.debits, currency),
        pending_credits=Money(sums.pending_credits, currency),
        pending_debits=Money(sums.pending_debits, currency),
        entry_count=sums.entries,
    )


def page_covering(
    settings: Settings, account: str, currency: str, generation: str, id: bytes
) -> Request:
    """The first page whose range ends at or above `id`, one consistent query with limit 1."""
    return pages_between(settings, account, currency, generation, id, None, limit=1)


def pages_between(
    settings: Settings,
    account: str,
    currency: str,
    generation: str,
    first: bytes,
    last: bytes | None,
    limit: int | None = None,
) -> Request:
    """The pages of one generation whose `through` is at least `first` and at most `last`."""
    end = ids.unpack(last) if last is not None else keys.END
    parameters: dict[str, Any] = {
        "TableName": settings.balances_table,
        "ConsistentRead": True,
        "KeyConditionExpression": "PK = :account AND SK BETWEEN :first AND :last",
        "ExpressionAttributeValues": {
            ":account": {"S": keys.account(account)},
            ":first": {"S": keys.page(currency, generation, ids.unpack(first))},
            ":last": {"S": keys.page(currency, generation, end)},
        },
    }
    return Request("query", parameters | ({"Limit": limit} if limit else {}))
