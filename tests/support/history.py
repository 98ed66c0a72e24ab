"""An account's history, event by event into the log and batch by batch into the view, on a set clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger import Money, build, credit, ids
from ledger.items import entry_item
from ledger.model import Entry, Transaction
from projector.apply import apply
from projector.tally import Tally
from tests.support.house import START, House

LAG_SECONDS = 0.5
"""From an entry's id to its batch's arrival."""

BATCH_WRITE_ITEMS = 25


def entry_at(house: House, account: str, seconds: float) -> Entry:
    """An entry recorded `seconds` after the house's beginning."""
    id = ids.mint(int((START + seconds) * 1000), house.random.randbytes(ids.RANDOM_BYTES))
    amount = Money(house.random.randrange(1, 10_000_000), "EUR")
    return build.single(
        Transaction(entries=[credit(account, amount)], type="card.purchase"),
        id=id,
        origin="eu-west-1",
    )


def log(house: House, entries: Sequence[Entry]) -> None:
    """Put entries into the log, not metered."""
    table = house.settings.events_table
    puts = [{"PutRequest": {"Item": entry_item(entry)}} for entry in entries]
    for start in range(0, len(puts), BATCH_WRITE_ITEMS):
        reply = house.faults.batch_write_item(
            RequestItems={table: puts[start : start + BATCH_WRITE_ITEMS]}
        )
        assert not reply["UnprocessedItems"]


def project(house: House, entries: Sequence[Entry]) -> Tally:
    """Apply entries of one account, as one batch of the stream holds them."""
    first = entries[0]
    wanted = {ids.pack(entry.id): entry for entry in entries}
    return apply(house.runtime, first.account, first.currency, wanted)


def live(house: House, account: str, batches: Iterable[Sequence[float]]) -> int:
    """Log and project batches of events, given by their times; how many events they were."""
    made = [[entry_at(house, account, seconds) for seconds in batch] for batch in batches]
    log(house, [entry for batch in made for entry in batch])
    for batch in made:
        recorded = ids.time_ms(batch[-1].transaction_id) / 1000
        house.advance(recorded + LAG_SECONDS - house.clock.time())
        project(house, batch)
    return sum(map(len, made))
