"""Folio: an event-sourced double-entry ledger on DynamoDB.

`Ledger.connect()` is where to begin; `ledger.embedded.EmbeddedLedger` needs no AWS.
"""

from ledger.errors import (
    AccountClosed,
    AccountFrozen,
    CeilingExceeded,
    Contended,
    HoldResolved,
    IdempotencyConflict,
    InsufficientFunds,
    InvalidRequest,
    LedgerError,
    Misconfigured,
    NotFound,
    NotHome,
    NotYetHere,
    OutcomeUnknown,
    Unavailable,
    VersionConflict,
)
from ledger.ledger import Ledger
from ledger.model import (
    Balance,
    Entry,
    Leg,
    Page,
    PostedTransaction,
    Receipt,
    Transaction,
    credit,
    debit,
)
from ledger.money import Money
from ledger.settings import Settings

__all__ = [
    "AccountClosed",
    "AccountFrozen",
    "Balance",
    "CeilingExceeded",
    "Contended",
    "Entry",
    "HoldResolved",
    "IdempotencyConflict",
    "InsufficientFunds",
    "InvalidRequest",
    "Ledger",
    "LedgerError",
    "Leg",
    "Misconfigured",
    "Money",
    "NotFound",
    "NotHome",
    "NotYetHere",
    "OutcomeUnknown",
    "Page",
    "PostedTransaction",
    "Receipt",
    "Settings",
    "Transaction",
    "Unavailable",
    "VersionConflict",
    "credit",
    "debit",
]
