"""What AWS would ask of IAM for a call to DynamoDB, and what IAM would answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.stack import ACCOUNT, REGION

Statement = Mapping[str, Any]
WRITES = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
PARTIQL_WRITES = ("PartiQLDelete", "PartiQLInsert", "PartiQLUpdate")
OF_A_PART = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


class Need(NamedTuple):
    """A permission: an action such as `dynamodb:PutItem`, and the ARN that it is for."""

    action: str
    resource: str


def table(name: str, index: str | None = None) -> str:
    """A table's or an index's ARN."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return f"{arn}/index/{index}" if index else arn


def needs(calls: Iterable[tuple[str, Mapping[str, Any]]]) -> set[Need]:
    """The permissions that calls of boto3's DynamoDB client need.

    A transaction needs those of its parts: there is no action for it as a whole.
    """
    return {need for operation, given in calls for need in _needs(operation, given)}


def _needs(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    if operation == "transact_write_items":
        for item in given["TransactItems"]:
            for kind, part in item.items():
                yield Need(f"dynamodb:{OF_A_PART[kind]}", table(part["TableName"]))
        return
    action = "dynamodb:" + "".join(word.title() for word in operation.split("_"))
    names = given["RequestItems"] if "RequestItems" in given else [given["TableName"]]
    for name in names:
        yield Need(action, table(name, given.get("IndexName")))


def allows(statements: Iterable[Statement], need: Need) -> bool:
    """Whether a policy allows it: some statement does, and none denies it."""
    effects = {one["Effect"] for one in statements if _covers(one, need)}
    return effects == {"Allow"}


def denies(statements: Iterable[Statement], need: Need) -> bool:
    """Whether a policy forbids it, whatever other policies allow."""
    return any(one["Effect"] == "Deny" and _covers(one, need) for one in statements)


def allowed(statements: Iterable[Statement], service: str) -> set[Need]:
    """All that a policy allows of a service, one by one."""
    return {
        Need(action, resource)
        for one in statements
        if one["Effect"] == "Allow"
        for action in _listed(one["Action"])
        for resource in _listed(one["Resource"])
        if action.startswith(f"{service}:")
    }


def _covers(statement: Statement, need: Need) -> bool:
    assert not statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}
    return _matches(statement["Action"], need.action) and _matches(
        statement["Resource"], need.resource
    )


def _matches(patterns: str | Sequence[str], text: str) -> bool:
    """IAM's wildcards: `*` is any text, `?` one character."""
    regular = (re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in _listed(patterns))
    return any(re.fullmatch(one, text) for one in regular)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
