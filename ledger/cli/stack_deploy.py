"""`stack deploy`: the change set shown, asked about and applied, and the outputs as settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import RenderableType

from ledger.cli import codes
from ledger.cli.output import table, text
from ledger.cli.progress import steps
from ledger.cli.reconciling import STYLES, Yes
from ledger.cli.session import Session
from ledger.cli.stack import made
from ledger.errors import InvalidRequest
from ledger.log import logger
from ledger.reconcile.report import EXIT_CODES
from ledger.stack import changeset, deploy, follow, outputs, parameters, stacks, template
from ledger.stack import package as packages
from ledger.stack.calls import Aws, refusals
from ledger.stack.changes import Change
from ledger.stack.changeset import ChangeSet
from ledger.stack.deploy import Wanted
from ledger.stack.follow import Event
from ledger.stack.package import Architecture, Package, Python
from ledger.stack.stacks import Stack

log = logger("ledger.cli")

Name = Annotated[str, typer.Option("--name", help="The stack, and what stands before its names.")]
PackageFile = Annotated[
    Path | None,
    typer.Option(
        "--package", help="What `folio stack package` made; else it is made.", metavar="FILE"
    ),
]
CodeBucket = Annotated[
    str | None,
    typer.Option(
        "--code-bucket",
        help="Where the code is put; else the stack's, or folio-code-ACCOUNT-REGION.",
        metavar="BUCKET",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", help="A parameter of the template.", metavar="NAME=VALUE"),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", help="A tag for all that the stack makes.", metavar="NAME=VALUE"),
]
ExistingTables = Annotated[
    bool, typer.Option("--existing-tables", help="Take over the tables that are there.")
]


def deploy_(
    session: Session,
    name: Name = "folio",
    package: PackageFile = None,
    code_bucket: CodeBucket = None,
    parameter: Parameters = None,
    tag: Tags = None,
    existing_tables: ExistingTables = False,
    yes: Yes = False,
) -> int:
    """Put the stack up, or bring it up to date. It shows what would change, and asks.

    Parameters that are not given stay as they are. Then it prints the outputs as LEDGER_* settings,
    and has the reconciler run once: its verdict is the exit code (0 clean, 3 drift, 4 incomplete).
    Without a terminal, and with --json, it applies with --yes only.

    Example: folio stack deploy --parameter AlarmEmail=ops@example.com

    Example: folio stack deploy --name books --parameter Architecture=x86_64 --yes --json
    """
    want = deploy.wanted(
        name,
        template.text(),
        parameters.pairs(parameter or (), "--parameter"),
        tags=parameters.pairs(tag or (), "--tag"),
        code_bucket=code_bucket,
        existing_tables=existing_tables,
    )
    zip_ = packages.read(package) if package else None
    aws = aws_of(session)
    account = aws.account()
    found = _cleared(session, aws, stacks.read(aws, name), agreed=yes)
    before = found if stacks.way(found, name) == "UPDATE" else None
    deploy.check_version(before)
    zip_ = zip_ or _made(session, want, before)
    deploy.check_package(zip_, want, before)
    planned = deploy.prepare(aws, account, want, before, zip_, _say(session))
    if not planned.changes:
        changeset.discard(aws, planned)
        return _unchanged(session, before)
    if not session.output.json:
        session.output.show({}, _shown(planned.changes))
    if not (yes or _asked(session, f"apply {len(planned.changes)} changes to {name}?")):
        changeset.discard(aws, planned)
        return _declined(session, planned)
    return _proven(session, aws, planned, _applied(session, aws, planned, name))


def aws_of(session: Session) -> Aws:
    """The account and region of a command's options."""
    if session.options.embedded:
        raise InvalidRequest("--embedded: the stack is for AWS, or an engine at --endpoint-url")
    return Aws(session.aws(), session.options.endpoint_url)


def _made(session: Session, want: Wanted, before: Stack | None) -> Package:
    """The package for the stack's architecture and Python."""
    return made(
        session,
        cast("Architecture", want.effective("Architecture", before)),
        cast("Python", want.effective("PythonVersion", before)),
    )


def _cleared(session: Session, aws: Aws, before: Stack | None, *, agreed: bool) -> Stack | None:
    """None for a stack that never came up, once it is deleted; CloudFormation takes no update of it."""
    if before is None or before.status not in stacks.NEVER_CAME_UP:
        return before
    question = f"{before.name} is {before.status}, it never came up: delete what is left of it?"
    if not (agreed or _asked(session, question)):
        return before
    seen = follow.events(aws, before.id)
    _say(session)("deleting the stack that never came up", stack=before.name, status=before.status)
    with refusals():
        aws.client("cloudformation").delete_stack(StackName=before.id)
    left, happened = _followed(session, aws, before.id, "deleting", seen)
    if left:
        follow.check(left, before.name, happened)
    return None


def _applied(session: Session, aws: Aws, planned: ChangeSet, name: str) -> Stack:
    seen = follow.events(aws, planned.stack_id)
    changeset.apply(aws, planned)
    stack, happened = _followed(
        session, aws, planned.stack_id, "deploying", seen, len(planned.changes)
    )
    return follow.check(stack, name, happened)


def _followed(
    session: Session,
    aws: Aws,
    stack_id: str,
    what: str,
    seen: Sequence[Event],
    total: int | None = None,
) -> tuple[Stack | None, list[Event]]:
    done: set[str] = set()
    with steps(session.output, what) as progress:

        def told(event: Event) -> None:
            if event.ends_resource:
                done.add(event.logical_id)
            if session.output.watched:
                progress.at(len(done), total, resources=len(done))
                session.output.err.print(
                    text(f"{event.status:28} {event.logical_id} {event.reason}")
                )
                return
            log.info(
                what,
                resource=event.logical_id,
                type=event.type,
                status=event.status,
                reason=event.reason,
            )

        return follow.follow(aws, stack_id, seen, told)


def _say(session: Session) -> Any:
    def say(what: str, **fields: object) -> None:
        if session.output.watched:
            named = ", ".join(f"{name} {value}" for name, value in fields.items())
            session.output.err.print(text(f"{what}: {named}"))
            return
        log.info(what, **fields)

    return say


def _asked(session: Session, question: str) -> bool:
    return session.output.watched and typer.confirm(question, err=True)


def _shown(changes: Sequence[Change]) -> RenderableType:
    rows = [[c.action, c.logical_id, c.type, c.replacement or "no"] for c in changes]
    return table(["action", "logical id", "type", "replacement"], rows)


def _document(changes: Sequence[Change]) -> list[dict[str, str]]:
    return [
        {
            "action": c.action,
            "logical_id": c.logical_id,
            "type": c.type,
            "replacement": c.replacement,
        }
        for c in changes
    ]


def _declined(session: Session, planned: ChangeSet) -> int:
    document = {"applied": False, "changes": _document(planned.changes)}
    document["exit_code"] = codes.ERROR
    session.output.show(document, "nothing was applied; without a terminal, give --yes")
    return codes.ERROR


def _unchanged(session: Session, before: Stack | None) -> int:
    shown = _settings(before) if before else {}
    document = {"applied": False, "changes": [], "settings": shown}
    document |= {"outputs": dict(before.outputs) if before else {}, "exit_code": codes.DONE}
    session.output.show(document, "nothing to change", *outputs.lines(shown))
    return codes.DONE


def _settings(stack: Stack) -> dict[str, str]:
    return outputs.settings(stack.outputs, stack.parameters)


def _proven(session: Session, aws: Aws, planned: ChangeSet, stack: Stack) -> int:
    """Show the outputs at once; then the reconciler's verdict, which may take minutes."""
    settings, others = _settings(stack), outputs.others(stack.outputs)
    if not session.output.json:
        session.output.show(
            {}, *outputs.lines(settings), *(f"# {k}: {v}" for k, v in others.items())
        )
    report = deploy.reconciled(aws, stack.outputs["ReconcilerFunction"])
    verdict = report["verdict"]
    code = EXIT_CODES[verdict]
    document = {
        "applied": True,
        "stack": stack.name,
        "status": stack.status,
        "changes": _document(planned.changes),
        "settings": settings,
        "outputs": dict(stack.outputs),
        "reconciliation": {k: report[k] for k in ("verdict", "accounts", "entries", "in_flight")},
        "exit_code": code,
    }
    session.output.show(document, text(f"# reconciled: {verdict}", STYLES[verdict]))
    return code
