"""A deployment, from what a user wants to a change set, and from an applied one to its proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from ledger.errors import InvalidRequest, Misconfigured
from ledger.stack import changes, changeset, existing, parameters
from ledger.stack import code as bucket_of
from ledger.stack.calls import Aws, refusals
from ledger.stack.changeset import ChangeSet
from ledger.stack.code import Say
from ledger.stack.package import Package
from ledger.stack.parameters import Parameter
from ledger.stack.stacks import Stack


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user wants deployed; its parameters are checked against the template."""

    name: str
    template: str
    known: Mapping[str, Parameter]
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    code_bucket: str | None = None
    existing_tables: bool = False

    def effective(self, name: str, before: Stack | None) -> str:
        """What a parameter will be."""
        old = before.parameters if before else {}
        return parameters.effective(name, self.known, self.parameters, old) or ""


def wanted(
    name: str,
    template: str,
    given: Mapping[str, str],
    *,
    tags: Mapping[str, str],
    code_bucket: str | None,
    existing_tables: bool,
) -> Wanted:
    """Check what a user wants against the template. Nothing is sent.

    Raises:
        InvalidRequest: an unknown parameter, or a malformed value.
    """
    known = parameters.declared(template)
    if wrong := known["Name"].check(name):
        raise InvalidRequest(f"--name: {wrong}")
    checked = parameters.checked(known, given)
    return Wanted(name, template, known, checked, tags, code_bucket, existing_tables)


def check_package(package: Package, want: Wanted, before: Stack | None) -> None:
    """Hold the package against the parameters, and this version against the stack's.

    Raises:
        InvalidRequest: it was made for another architecture or Python, or by another version.
    """
    label, option = package.label, "--parameter {0}={1}"
    fits = {"Architecture": label.architecture, "PythonVersion": label.python}
    for name, made_for in fits.items():
        if (runs_on := want.effective(name, before)) != made_for:
            raise InvalidRequest(
                f"the package was made for {made_for}, and the stack's {name} is {runs_on}: make it "
                f"anew, or give {option.format(name, made_for)}"
            )
    if label.version != version("folio-ledger"):
        raise InvalidRequest(
            f"the package is of folio {label.version}, and the template of {version('folio-ledger')}: "
            "make it anew"
        )


def check_version(before: Stack | None) -> None:
    """Refuse to put an older template over a newer stack.

    Raises:
        InvalidRequest: the stack was deployed by a newer version.
    """
    own = version("folio-ledger")
    deployed = deployed_version(before.parameters.get("CodeKey", "")) if before else None
    if deployed and _numbers(deployed) > _numbers(own):
        raise InvalidRequest(
            f"the stack was deployed by folio {deployed}, and this is {own}: its template is older; "
            "install the newer version"
        )


def deployed_version(code_key: str) -> str | None:
    """The version that a zip's key names, None where `folio stack deploy` did not choose it. Pure."""
    parts = code_key.rpartition("/")[2].split("-")
    named = len(parts) == 5 and parts[0] == "folio" and parts[1][:1].isdigit()
    return parts[1] if named else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def prepare(
    aws: Aws, account: str, want: Wanted, before: Stack | None, package: Package, say: Say
) -> ChangeSet:
    """Upload, and have CloudFormation say what would change; nothing that runs changes.

    `before` is the stack that would be updated, None where one would be created.

    Raises:
        InvalidRequest: a table would be replaced or removed, or stands in the way of a new one.
        Misconfigured: AWS refuses, or the tables that are there do not fit.
    """
    given = dict(want.parameters)
    name = want.effective("Name", before) if before else want.name
    if want.existing_tables:
        _check_not_own(before)
        given |= existing.take_over(aws, name, say)
    elif before is None:
        existing.check_none(aws, name)
    old = before.parameters if before else {}
    bucket = want.code_bucket or old.get("CodeBucket")
    bucket = bucket_of.ensure_bucket(aws, account, bucket, say)
    there = bucket_of.upload(aws, account, bucket, name, package, want.template, say)
    given |= {"CodeBucket": bucket, "CodeKey": there.code_key, "Name": name}
    made = changeset.make(
        aws,
        want.name,
        "UPDATE" if before else "CREATE",
        template_url=there.template_url,
        parameters=parameters.request(want.known, given, old),
        tags=want.tags,
    )
    try:
        changes.check(made.changes)
    except InvalidRequest:
        changeset.discard(aws, made)
        raise
    return made


def _check_not_own(before: Stack | None) -> None:
    if before and before.parameters.get("Tables") == "new":
        raise InvalidRequest(
            f"--existing-tables: the tables are the stack {before.name}'s own already, and are never "
            "taken out of it; leave the option out"
        )


def reconciled(aws: Aws, function: str) -> dict[str, Any]:
    """Have the nightly job run now, and wait for its report.

    Raises:
        Misconfigured: the function failed; the message says how.
    """
    with refusals():
        answer = aws.client("lambda", once=True).invoke(FunctionName=function, Payload=b"{}")
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise Misconfigured(
            f"the stack is deployed, but its reconciler fails: {said.get('errorType', '')}: "
            f"{said.get('errorMessage', said)}"
        )
    found: dict[str, Any] = said
    return found
