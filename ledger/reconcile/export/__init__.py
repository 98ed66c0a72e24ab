"""A night's reconciliation from DynamoDB's incremental exports: its cost grows with the day.

`bucket` talks to S3, `files` reads an export, `changes` says what a window changed, `window` compares
it, `nights` keeps what was found and says which window comes next, `exports` starts the exports.
"""

from ledger.reconcile.export.bucket import Bucket
from ledger.reconcile.export.window import reconcile_window

__all__ = ["Bucket", "reconcile_window"]
