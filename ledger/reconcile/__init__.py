"""The reconciler: nobody is trusted.

It replays the log and names what the view misses, has twice or has wrong, and what was done to the
log behind the ledger's back.
"""

from ledger.reconcile.report import Finding, Report, Totals
from ledger.reconcile.run import reconcile

__all__ = ["Finding", "Report", "Totals", "reconcile"]
