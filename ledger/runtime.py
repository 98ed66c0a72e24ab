"""What every operation needs: settings, DynamoDB, its clock, and where ids come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

from ledger import ids
from ledger.clock import Clock
from ledger.money import Currencies
from ledger.settings import Settings
from ledger.store import Store

MAX_KNOWN_ACCOUNTS = 200_000


class KnownAccounts:
    """Accounts that this process has seen to exist. It never remembers an absence.

    It keeps the newest 200,000 names, some 20 MB at the most.
    """

    def __init__(self, most: int = MAX_KNOWN_ACCOUNTS) -> None:
        self._most = most
        self._names: dict[str, None] = {}
        self._lock = Lock()

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of `names`, once each, that this process has not seen."""
        return [name for name in dict.fromkeys(names) if name not in self._names]

    def remember(self, names: Iterable[str]) -> None:
        """Note that these exist."""
        with self._lock:
            self._names.update(dict.fromkeys(names))
            while len(self._names) > self._most:
                del self._names[next(iter(self._names))]


@dataclass(frozen=True, slots=True)
class Runtime:
    """A ledger's parts. `randomness` returns as many random bytes as it is asked for."""

    settings: Settings
    region: str
    currencies: Currencies
    store: Store
    clock: Clock
    randomness: Callable[[int], bytes]
    known: KnownAccounts = field(default_factory=KnownAccounts)

    def new_id(self) -> str:
        """A new transaction id of DynamoDB's time. A cold process asks DynamoDB for it first."""
        self.synchronise()
        return ids.mint(self.clock.time_ms(), self.randomness(ids.RANDOM_BYTES))

    def synchronise(self) -> None:
        """See one reply, so that the clock is DynamoDB's."""
        if not self.clock.synchronised:
            self.store.get(self.settings.accounts_table, "CLOCK", "CLOCK", consistent=False)
