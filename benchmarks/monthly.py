"""python -m benchmarks.monthly: what a stack costs in a month, for three sizes of business.

From measured units (`make bench`) and list prices of us-east-1, on demand, Arm, without free tiers, discounts or taxes.
An estimate of one's own: change `BUSINESSES`, and read what stands at each figure.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.metering import Cost

# A transaction of two entries with an idempotency key, on accounts that exist.
WRITE_UNITS_TO_POST = 8
WRITE_UNITS_TO_PROJECT = 2.2  # an entry: its ADD, and its share of seals and of page splits
READ_UNITS_TO_PROJECT = 1.6  # an entry is read from the log once more when it is sealed
BYTES_KEPT = 1_450  # two entries, header, key and their ids in the view, with 100 bytes an item
READ_UNITS_OF_A_BALANCE = 2  # fresh; by the view alone it is half a unit

# The nightly replay of the whole log, keys and view.
READ_UNITS_TO_RECONCILE = 0.32  # an entry
ENTRIES_RECONCILED_A_SECOND = 3_000  # one vCPU

# The projector. A shard of the stream is polled four times a second, so that is the most that it
# calls the function; a table on demand begins with four partitions.
CALLS_A_SECOND_OF_A_SHARD = 4
PROJECTOR_SECONDS, PROJECTOR_GB = 0.1, 0.5
RECONCILER_GB = 1.75
LOG_BYTES_OF_A_CALL = 1_600
LOG_BYTES_OF_AN_ENTRY = 250

DOLLARS_A_GB_STORED = 0.25
DOLLARS_A_GB_BACKED_UP = 0.20
DOLLARS_A_MILLION_CALLS = 0.20
DOLLARS_A_GB_SECOND = 0.0000133334
DOLLARS_A_GB_LOGGED = 0.50
DOLLARS_A_METRIC, METRICS = 0.30, 16
DOLLARS_AN_ALARM, ALARMS = 0.10, 13
DOLLARS_A_DASHBOARD = 3.00

SECONDS_A_MONTH = 30 * 86_400
NIGHTS = 30
GB = 1e9


@dataclass(frozen=True, slots=True)
class Business:
    """How much it moves: transactions of two entries and balances read, a month; months kept."""

    name: str
    transactions: int
    balances_read: int
    shards: int = 4
    months: int = 12


BUSINESSES = (
    Business("a shop", transactions=30_000, balances_read=100_000),
    Business("a fintech", transactions=3_000_000, balances_read=10_000_000),
    Business("a processor", transactions=100_000_000, balances_read=300_000_000, shards=16),
)


@dataclass(frozen=True, slots=True)
class Month:
    """Dollars of one month after `months` months, and how long a night's replay takes, in hours."""

    writing: float
    projecting: float
    reading: float
    reconciling: float
    keeping: float
    watching: float
    replay_hours: float

    @property
    def total(self) -> float:
        """Dollars of the whole month."""
        spent = self.writing + self.projecting + self.reading
        return spent + self.reconciling + self.keeping + self.watching


def month(business: Business) -> Month:
    """What one month costs."""
    entries = 2 * business.transactions
    history = entries * business.months
    calls = min(entries, business.shards * CALLS_A_SECOND_OF_A_SHARD * SECONDS_A_MONTH)
    replay = history / ENTRIES_RECONCILED_A_SECOND
    replayed = Cost(read_units=history * READ_UNITS_TO_RECONCILE).dollars
    gigabytes = business.transactions * business.months * BYTES_KEPT / GB
    logged = (calls * LOG_BYTES_OF_A_CALL + entries * LOG_BYTES_OF_AN_ENTRY) / GB
    return Month(
        writing=Cost(write_units=business.transactions * WRITE_UNITS_TO_POST).dollars,
        projecting=Cost(
            write_units=business.transactions * WRITE_UNITS_TO_PROJECT,
            read_units=business.transactions * READ_UNITS_TO_PROJECT,
        ).dollars
        + calls / 1e6 * DOLLARS_A_MILLION_CALLS
        + calls * PROJECTOR_SECONDS * PROJECTOR_GB * DOLLARS_A_GB_SECOND,
        reading=Cost(read_units=business.balances_read * READ_UNITS_OF_A_BALANCE).dollars,
        reconciling=NIGHTS * (replayed + replay * RECONCILER_GB * DOLLARS_A_GB_SECOND),
        keeping=gigabytes * (DOLLARS_A_GB_STORED + DOLLARS_A_GB_BACKED_UP),
        watching=logged * DOLLARS_A_GB_LOGGED
        + METRICS * DOLLARS_A_METRIC
        + ALARMS * DOLLARS_AN_ALARM
        + DOLLARS_A_DASHBOARD,
        replay_hours=replay / 3600,
    )


def table() -> str:
    """The months as a Markdown table, as docs/operations.md has it."""
    months = [month(business) for business in BUSINESSES]
    rows = [
        ("", *(business.name for business in BUSINESSES)),
        ("---", *("---:" for _ in BUSINESSES)),
        ("transactions a month", *(f"{b.transactions:,}" for b in BUSINESSES)),
        ("balances read a month", *(f"{b.balances_read:,}" for b in BUSINESSES)),
        ("writing", *(_dollars(m.writing) for m in months)),
        ("projecting", *(_dollars(m.projecting) for m in months)),
        ("reading", *(_dollars(m.reading) for m in months)),
        ("reconciling every night", *(_dollars(m.reconciling) for m in months)),
        ("keeping a year, backed up", *(_dollars(m.keeping) for m in months)),
        ("watching: logs, metrics, alarms", *(_dollars(m.watching) for m in months)),
        ("**the month**", *(f"**{_dollars(m.total)}**" for m in months)),
        ("a night's replay on one CPU", *(_hours(m.replay_hours) for m in months)),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _dollars(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 10 else f"${amount:.2f}"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:,.0f} h"


if __name__ == "__main__":
    print(table())
