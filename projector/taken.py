"""What the drill after a restore takes out of the log, kept whole in quarantine."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from ledger import ids
from ledger.items import Item
from ledger.runtime import Runtime
from projector import quarantine
from projector.record import Quarantined, Record

REASON = "restored in part: the log has no header for this entry's transaction"


def keep(rt: Runtime, item: Item) -> None:
    """Keep an entry's item; the same item again is the same record.

    It is kept as the removal that it is about to be, so that `redrive` never applies it.
    """
    key = {name: item[name] for name in ("PK", "SK")}
    place = f"{key['PK']['S']} {key['SK']['S']}"
    recorded_ms = min(ids.time_ms(item["transaction"]["S"]), rt.clock.time_ms())
    record = Record(
        event_id=f"restored-{hashlib.sha256(place.encode()).hexdigest()[:32]}",
        name="REMOVE",
        sequence_number="0",
        keys=key,
        new=None,
        old=item,
        created_at=datetime.fromtimestamp(recorded_ms // 1000, UTC),
    )
    quarantine.put(rt, Quarantined(record, REASON))
