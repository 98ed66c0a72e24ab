"""Accounts, as the write side needs them: which of a call's are new, and their opening."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger import keys
from ledger.aws import Cancelled, ConditionFailed
from ledger.errors import Misconfigured, NotFound, NotHome, NotYetHere
from ledger.items import Image
from ledger.runtime import Runtime
from ledger.write import requests
from ledger.write.outcome import what_stands
from ledger.write.requests import MAX_ITEMS, Part


def new_among(rt: Runtime, names: Iterable[str]) -> list[str]:
    """Those of `names` that have no record yet and may be opened here; the others are remembered.

    Raises:
        NotFound: one has none, and the settings say that accounts are declared.
        NotYetHere: one has none, and this region is not its home.
    """
    new = look_up(rt, names)
    for name in new:
        may_open(rt, name)
    return new


def look_up(rt: Runtime, names: Iterable[str]) -> list[str]:
    """Those of `names`, once each, that have no record yet; the others are remembered."""
    unknown = rt.known.unknown(names)
    if not unknown:
        return []
    wanted = [(keys.account(name), keys.RECORD) for name in unknown]
    return still_new(rt, unknown, rt.store.get_many(rt.settings.accounts_table, wanted))


def still_new(rt: Runtime, names: Sequence[str], records: Iterable[Image]) -> list[str]:
    """Those of `names` of which no record is among `records`; the others are remembered."""
    found = {_readable(record) for record in records}
    rt.known.remember(found)
    return [name for name in names if name not in found]


def _readable(record: Image) -> str:
    """The account of a record. A limited one needs code that knows of its guard."""
    name = keys.account_name(record["PK"]["S"])
    if "limited" in record:
        raise Misconfigured(f"account {name} is limited: this version cannot write it, upgrade")
    return name


def may_open(rt: Runtime, name: str) -> None:
    """Refuse to open an account away from its home, or undeclared."""
    home = rt.settings.home_of(name)
    if home not in (None, rt.region):
        raise NotYetHere(
            f"account {name} has no record in {rt.region} yet: it is opened in its home, {home}"
        )
    if rt.settings.accounts == "declared":
        raise NotFound(
            f"account {name} is not declared: open it first (ledger.open_account, `folio open`), "
            'or set accounts="open"'
        )


def parts(rt: Runtime, names: Sequence[str]) -> list[Part]:
    """The puts of new accounts' records."""
    opened_at = rt.clock.moment()
    return [requests.account_part(rt.settings, name, rt.region, opened_at) for name in names]


def register(rt: Runtime, names: Sequence[str]) -> None:
    """Write the records of new accounts, in calls before the one that needs them."""
    for start in range(0, len(names), MAX_ITEMS):
        _register(rt, names[start : start + MAX_ITEMS])


def _register(rt: Runtime, names: Sequence[str]) -> None:
    while names:
        try:
            rt.store.send(requests.transact(parts(rt, names)))
        except Cancelled as cancelled:
            # Another process opened some meanwhile: those are done.
            found = [what_stands(reason.item) for reason in cancelled.reasons if reason.failed]
            names = still_new(rt, names, found)
        else:
            rt.known.remember(names)
            return


def open_account(rt: Runtime, name: str) -> bool:
    """Open one account. True if it is new, False if it was open already.

    Raises:
        NotHome: the account's home is another region.
    """
    rt.synchronise()
    home = rt.settings.home_of(name)
    if home not in (None, rt.region):
        raise NotHome(f"account {name} is opened in its home, {home}; this is {rt.region}")
    moment = rt.clock.moment()
    try:
        rt.store.send(requests.put_account(rt.settings, name, rt.region, moment))
    except ConditionFailed as failed:
        still_new(rt, [name], [what_stands(failed.item)])
        return False
    rt.known.remember([name])
    return True
