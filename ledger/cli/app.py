"""The `folio` command: its options, its commands, and what an error makes of its exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from ledger.cli import (
    codes,
    demoing,
    health,
    importing,
    options,
    projecting,
    reading,
    reconciling,
    redriving,
    restoring,
    stack_deploy,
    stack_status,
    writing,
)
from ledger.cli import stack as stacking
from ledger.cli.output import Output
from ledger.cli.session import Options
from ledger.errors import LedgerError
from ledger.log import to_stream

PROGRAM = "folio"

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog=options.paragraphs(codes.HELP),
)
projector = typer.Typer(no_args_is_help=True, help="The projector, where there is no Lambda.")
stack = typer.Typer(no_args_is_help=True, help="The stack on AWS: its code, and its deployment.")


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"{PROGRAM} {version('folio-ledger')}\n")
        raise typer.Exit


def folio(
    context: typer.Context,
    json: options.Json = False,
    embedded: options.Embedded = None,
    endpoint_url: options.EndpointUrl = None,
    region: options.Region = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it, and end.")
    ] = False,
) -> None:
    """An event-sourced double-entry ledger on DynamoDB.

    It works on AWS by AWS's own variables and profile, and by LEDGER_* settings; on an engine by
    --endpoint-url; or by itself, with --embedded FOLDER.

    Example: folio --embedded ./books transfer world:card user:42 12.50 EUR --type deposit
    """
    context.obj = Options(json, embedded, endpoint_url, region)


app.callback(help=options.paragraphs(folio.__doc__ or ""))(folio)
options.command(app)(writing.init)
options.command(app, "open")(writing.open_)
options.command(app, kind=writing.PostCommand)(writing.post)
options.command(app)(writing.transfer)
options.command(app)(reading.balance)
options.command(app)(reading.entries)
options.command(app)(reading.transaction)
options.command(app)(reading.accounts)
options.command(app, "import")(importing.import_)
options.command(app, "reconcile")(reconciling.reconcile_)
options.command(app, "repair")(reconciling.repair_)
options.command(app)(health.lag)
options.command(app)(health.health)
options.command(app)(restoring.replay)
options.command(app)(restoring.restored)
options.command(app, "redrive")(redriving.redrive_)
options.command(app, "demo")(demoing.demo)
options.command(projector, "run")(projecting.projector_run)
app.add_typer(projector, name="projector")
options.command(stack, "package")(stacking.package)
options.command(stack, "deploy")(stack_deploy.deploy_)
options.command(stack, "status")(stack_status.status_)
options.command(stack, "template")(stacking.template_)
app.add_typer(stack, name="stack")


def run(arguments: Sequence[str]) -> int:
    """Run a command; its exit code. What is expected to go wrong ends in one line."""
    to_stream(sys.stderr, logging.WARNING)
    logging.getLogger("ledger.cli").setLevel(logging.INFO)
    output = Output(json="--json" in arguments)
    try:
        code: int | None = app(list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except LedgerError as error:
        output.error(error)
        return codes.of(error)
    except typer.TyperException as error:
        if message := error.format_message():  # None where the help was shown instead
            output.usage(message)
        return codes.USAGE
    except (typer.Abort, KeyboardInterrupt):
        return codes.INTERRUPTED
    return code or codes.DONE
