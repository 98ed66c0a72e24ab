"""What a change set would do, and what of it is refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import InvalidRequest

TABLES = frozenset({"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"})
EMPTY = ("didn't contain changes", "no updates are to be performed", "no changes")
"""How CloudFormation says that there is nothing to change."""


@dataclass(frozen=True, slots=True)
class Change:
    """A resource that would be made, changed, replaced or removed."""

    action: str
    logical_id: str
    type: str
    replacement: str = ""
    """`True`, `Conditional` or nothing."""

    @property
    def loses_a_table(self) -> bool:
        """Whether a table would be, or might be, taken from under the ledger."""
        gone = self.action == "Remove" or self.replacement in {"True", "Conditional"}
        return gone and self.type in TABLES


def read(listed: Sequence[Mapping[str, Any]]) -> list[Change]:
    """The `Changes` of a change set, in the order of their names."""
    resources = [one["ResourceChange"] for one in listed if "ResourceChange" in one]
    changes = [
        Change(
            of["Action"],
            of["LogicalResourceId"],
            of["ResourceType"],
            _replacement(of.get("Replacement", "")),
        )
        for of in resources
    ]
    return sorted(changes, key=lambda change: change.logical_id)


def _replacement(said: str) -> str:
    return "" if said == "False" else said


def is_empty(status: str, reason: str) -> bool:
    """Whether a change set failed because there is nothing to change."""
    return status == "FAILED" and any(words in reason.lower() for words in EMPTY)


def check(changes: Sequence[Change]) -> None:
    """Refuse what would take a table away.

    Raises:
        InvalidRequest: a table would be replaced or removed; nothing was changed.
    """
    lost = [change for change in changes if change.loses_a_table]
    if not lost:
        return
    named = ", ".join(
        f"{one.logical_id} would be {'removed' if one.action == 'Remove' else 'replaced'}"
        for one in lost
    )
    raise InvalidRequest(
        f"{named}: the ledger's tables are never replaced nor taken out of the stack, and nothing "
        "was changed. See which parameter differs from the stack's; for a ledger with other tables "
        "take another --name"
    )
