"""Every error that Folio raises, by what the caller does next.

| the caller                          | classes                                                                 |
| ----------------------------------- | ----------------------------------------------------------------------- |
| fixes the call                      | `InvalidRequest`                                                        |
| treats it as an outcome of business | `IdempotencyConflict`, `InsufficientFunds`, `CeilingExceeded`,          |
|                                     | `AccountFrozen`, `AccountClosed`, `HoldResolved`, `VersionConflict`,    |
|                                     | `NotFound`, `NotHome`                                                   |
| tries again later, nothing written  | `NotYetHere`, `Contended`, `Unavailable`                                |
| tries again with the id it carries  | `OutcomeUnknown`                                                        |
| calls the operator                  | `Misconfigured`                                                         |

Messages name fields, never the values of metadata or descriptions.
"""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """What every error of Folio is.

    `id` is the transaction's id and `idempotency_key` the key of the call, where the call had one.
    `retryable` says whether the same call may succeed later.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, id: str | None = None, idempotency_key: str | None = None
    ) -> None:
        super().__init__(message)
        self.id = id
        self.idempotency_key = idempotency_key


class InvalidRequest(LedgerError):
    """The call is wrong: nothing was sent. Fix the call."""


class IdempotencyConflict(LedgerError):
    """The same id or key stands for another request; nothing was written.

    `fields` names what differs, as `type` or `entries[1].amount_minor`; `id` is the transaction that
    stands there, not the one that the call brought.
    """

    def __init__(
        self,
        message: str,
        *,
        fields: tuple[str, ...] = (),
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(message, id=id, idempotency_key=idempotency_key)
        self.fields = fields


class InsufficientFunds(LedgerError):
    """A limited account would go below its floor. Nothing was written but the refusal."""


class CeilingExceeded(LedgerError):
    """A limited account would rise above its ceiling. Nothing was written but the refusal."""


class AccountFrozen(LedgerError):
    """The account is frozen. Nothing was written but the refusal."""


class AccountClosed(LedgerError):
    """The account is closed. Nothing was written but the refusal."""


class HoldResolved(LedgerError):
    """The hold has already ended in another way."""


class VersionConflict(LedgerError):
    """The account moved on since the version that the caller read."""


class NotFound(LedgerError):
    """There is no such account, transaction or entry."""


class NotHome(LedgerError):
    """This region is not the home of what the call would change. Nothing was sent."""


class NotYetHere(LedgerError):
    """What the call rests on has not been replicated to this region yet. Try again."""

    retryable = True


class Contended(LedgerError):
    """Others kept changing the same items. Nothing was written. Try again."""

    retryable = True


class Unavailable(LedgerError):
    """Every attempt was throttled or refused. Nothing was written. Try again."""

    retryable = True


class OutcomeUnknown(LedgerError):
    """A reply was lost: it may or may not have been written. Try again with `id` (or the key)."""

    retryable = True


class Misconfigured(LedgerError):
    """A missing table, permission or credential, or a clock that is far off. Call the operator."""


# What a refusal that stands in a header may be, by the name under which it was written.
REFUSALS: dict[str, type[LedgerError]] = {
    kind.__name__: kind
    for kind in (
        InsufficientFunds,
        CeilingExceeded,
        AccountFrozen,
        AccountClosed,
        HoldResolved,
        VersionConflict,
    )
}
