"""What requests cost in DynamoDB's units and in dollars: AWS's documented rules, and nothing else.

Engines count some of it wrong, so Folio counts by itself. The rules are those of the DynamoDB
Developer Guide: "DynamoDB item sizes and formats", "DynamoDB read and write operations", "Using
Global Secondary Indexes" (provisioned throughput considerations) and "DynamoDB Transactions: How it
works" (capacity management). The prices are those of the on-demand pricing page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
CONTAINER_BYTES = 3
"""Of a list or map, besides a byte for each of its members."""

READ_WEIGHTS = {"eventual": 0.5, "strong": 1.0, "transactional": 2.0}
Consistency = Literal["eventual", "strong", "transactional"]

DOLLARS_A_MILLION_WRITES = 0.625
DOLLARS_A_MILLION_READS = 0.125
"""Request units on demand, standard table class, us-east-1, as priced since November 2024."""

Image = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """What requests cost: how many calls they were, and write and read units."""

    calls: int = 0
    write_units: float = 0
    read_units: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.write_units + other.write_units,
            self.read_units + other.read_units,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.calls - other.calls,
            self.write_units - other.write_units,
            self.read_units - other.read_units,
        )

    @property
    def dollars(self) -> float:
        """The units on demand in us-east-1; not storage, streams, backups or traffic."""
        writes = self.write_units * DOLLARS_A_MILLION_WRITES
        return (writes + self.read_units * DOLLARS_A_MILLION_READS) / 1_000_000


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index that projects keys only: an item without its keys is not in it."""

    table: str
    keys: tuple[str, ...]
    table_keys: tuple[str, ...] = ("PK", "SK")

    def projected(self, item: Image | None) -> Image | None:
        """What the index holds of an item; None when it leaves it out."""
        if item is None or any(name not in item for name in self.keys):
            return None
        return {name: item[name] for name in (*self.table_keys, *self.keys)}


def item_bytes(item: Image | None) -> int:
    """The size of an item: its attributes' names and values. No item has none."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in (item or {}).items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """The size of one attribute's value, as boto3's low-level client has it: `{type: value}`."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return CONTAINER_BYTES + len(inner) + item_bytes(inner)
    if kind == "L":
        return CONTAINER_BYTES + len(inner) + sum(map(value_bytes, inner))
    if kind in ("SS", "NS", "BS"):
        return sum(_scalar_bytes(kind[0], member) for member in inner)
    return _scalar_bytes(kind, inner)


def _scalar_bytes(kind: str, inner: Any) -> int:
    if kind == "S":
        return len(inner.encode())
    if kind == "N":
        return number_bytes(inner)
    return len(inner) if kind == "B" else 1  # BOOL and NULL


def number_bytes(digits: str) -> int:
    """About a byte for two significant digits, and one more; here also one for a minus sign."""
    significant = digits.lstrip("-").replace(".", "").strip("0")
    return (len(significant) + 1) // 2 + 1 + digits.startswith("-")


def write_units(before: Image | None, after: Image | None, *, transactional: bool = False) -> int:
    """The units of one put, update, delete or condition check; as many when its condition fails.

    `before` and `after` are the item's images: the larger one counts, a KB begun is one unit, and
    a transaction costs twice.
    """
    size = max(item_bytes(before), item_bytes(after))
    return max(1, -(-size // WRITE_UNIT_BYTES)) * (2 if transactional else 1)


def index_write_units(index: Index, before: Image | None, after: Image | None) -> int:
    """The units of an index for one write of its table.

    One write puts an entry, or deletes it; another key costs both; an entry that stays as it was
    costs nothing. An index is written after the transaction, at the plain price.
    """
    old, new = index.projected(before), index.projected(after)
    if old == new:
        return 0
    changes = [entry for entry in (old, new) if entry is not None]
    return sum(write_units(None, entry) for entry in changes)


def get_units(items: Iterable[Image | None], consistency: Consistency) -> float:
    """The units of reading these items one by one (`GetItem`, `BatchGetItem`, `TransactGetItems`).

    Each is rounded up by itself; one that is not there costs as a small one.
    """
    return sum(read_units(item_bytes(item), consistency) for item in items)


def query_units(items: Sequence[Image], consistency: Consistency) -> float:
    """The units of one page of a query or scan over these items: what was read, before filters."""
    return read_units(sum(map(item_bytes, items)), consistency)


def read_units(size_bytes: int, consistency: Consistency) -> float:
    """The units of one read operation; 4 KB begun is one unit, nothing found costs the least."""
    return max(1, -(-size_bytes // READ_UNIT_BYTES)) * READ_WEIGHTS[consistency]
