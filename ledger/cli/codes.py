"""Exit codes: what a script needs to know."""

from __future__ import annotations

from ledger.errors import InvalidRequest, LedgerError

DONE = 0
ERROR = 1
USAGE = 2
DRIFT = 3
INCOMPLETE = 4
REJECTED = 5
BEHIND = 6
UNHEALTHY = 7
INTERRUPTED = 130

HELP = """Exit codes: 0 done, or clean. 1 error: not done. 2 usage: the call is wrong, nothing was
sent. 3 drift: the reconciler's findings. 4 incomplete: something could not be read, or was left
behind. 5 an import is done, but for rows that were rejected. 6 behind: the balances lack
entries older than the limit. 7 unhealthy: a check fails. 130 interrupted by Ctrl-C."""


def of(error: LedgerError) -> int:
    """The exit code of an error."""
    return USAGE if isinstance(error, InvalidRequest) else ERROR
