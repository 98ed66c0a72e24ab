"""Apply: a fold into the view, each event exactly once, however often and in whatever order it comes."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.aws import ConditionFailed
from ledger.errors import Contended
from ledger.model import Entry
from ledger.runtime import Runtime
from ledger.view import BalanceImage, balance_image
from projector import late, requests
from projector.fold import sums
from projector.seal import seal
from projector.tally import Tally

MAX_ROUNDS = 12
"""Others may apply, seal or rebuild the same account meanwhile; each round starts from what they left."""

Entries = Mapping[bytes, Entry]


def apply(rt: Runtime, account: str, currency: str, entries: Entries) -> Tally:
    """Apply at most 90 entries of one account and currency.

    Raises:
        Contended, Unavailable, OutcomeUnknown: not all are applied; give them again, harmlessly.
        Unappliable: a page that should cover a late event is not there.
    """
    tally, pending = Tally(), dict(entries)
    for _ in range(MAX_ROUNDS):
        if not pending:
            break
        done, pending = _round(rt, account, currency, pending)
        tally += done
    if pending:
        raise Contended(f"others kept changing the view of {account} in {currency}")
    return tally


def _round(
    rt: Runtime, account: str, currency: str, pending: Entries
) -> tuple[Tally, dict[bytes, Entry]]:
    """One try of all that is pending. What is left is tried again."""
    try:
        request = requests.apply(
            rt.settings, account, currency, pending, sums(pending.values()), rt.new_id()
        )
        reply = rt.store.send(request)
    except ConditionFailed as failed:
        return _refused(rt, account, currency, pending, balance_image(failed.item))
    done = seal(rt, account, currency, balance_image(reply["Attributes"]))
    return Tally(applied=len(pending)) + done, {}


def _refused(
    rt: Runtime, account: str, currency: str, pending: Entries, seen: BalanceImage
) -> tuple[Tally, dict[bytes, Entry]]:
    """The item that stands there tells why: ids in `open` are duplicates, those below `through` late."""
    behind = {id: entry for id, entry in pending.items() if id <= seen.through}
    ahead = {id: entry for id, entry in pending.items() if id > seen.through}
    new = {id: entry for id, entry in ahead.items() if id not in seen.open}
    done, left = late.apply_late(rt, account, currency, behind, seen.generation)
    return Tally(duplicates=len(ahead) - len(new)) + done, new | left
