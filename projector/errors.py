"""What can go wrong in the projector alone."""

from __future__ import annotations

from ledger.errors import LedgerError


class Unappliable(LedgerError):
    """No try will apply these entries: the view itself is broken. They go into quarantine."""
