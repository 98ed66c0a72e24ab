"""A night's findings as log lines: nobody reads the answer of a job that a schedule began."""

from __future__ import annotations

from ledger.log import logger
from ledger.reconcile.report import Report

MAX_LINES = 100
"""As many findings are lines, and as many places that were not read; `folio reconcile` has all."""

log = logger("ledger.reconcile")


def tell(report: Report) -> None:
    """One line for each disagreement, and for what could not be read."""
    for one in report.findings[:MAX_LINES]:
        log.error(
            "finding",
            kind=one.kind,
            message=one.message,
            account=one.account,
            currency=one.currency,
            entry=one.entry_id,
            transaction_id=one.transaction_id,
            page=one.page,
            expected=one.expected,
            found=one.found,
        )
    for what in report.unread[:MAX_LINES]:
        log.warning("not read", what=what)
