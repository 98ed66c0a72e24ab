"""Commands are functions of a session; the options that all share are added here, once.

They may stand before the command's name and after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ledger.cli.session import Options, Session

PANEL = "Which ledger, and how it answers"

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Answer with one JSON document, errors too.", rich_help_panel=PANEL
    ),
]
Embedded = Annotated[
    Path | None,
    typer.Option(
        "--embedded",
        help="A ledger with an engine of its own, kept in this folder; one process at a time.",
        metavar="FOLDER",
        rich_help_panel=PANEL,
    ),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        "--endpoint-url",
        help="Where an engine answers, instead of AWS.",
        metavar="URL",
        rich_help_panel=PANEL,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        help="The AWS region; else AWS's own variables and profile say.",
        rich_help_panel=PANEL,
    ),
]
SHARED = {"json": Json, "embedded": Embedded, "endpoint_url": EndpointUrl, "region": Region}

Command = Callable[..., int | None]
"""Takes a session, then its own arguments; returns its exit code, None for 0."""


def command(
    app: typer.Typer, name: str | None = None, kind: type[TyperCommand] | None = None
) -> Callable[[Command], Command]:
    """Make a command of a function: its arguments, and the shared options."""

    def register(function: Command) -> Command:
        def invoke(context: typer.Context, **given: Any) -> int:
            shared = {option: given.pop(option) for option in SHARED}
            before = context.find_object(Options) or Options()
            return function(Session(before.beneath(**shared)), **given) or 0

        signature = _signature(function)
        invoke.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
        invoke.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        invoke.__doc__ = paragraphs(function.__doc__ or "")
        app.command(name or function.__name__, cls=kind)(invoke)
        return function

    return register


def paragraphs(doc: str) -> str:
    """A docstring whose paragraphs are a line each, for a terminal to wrap."""
    return "\n\n".join(" ".join(p.split()) for p in inspect.cleandoc(doc).split("\n\n"))


def _signature(function: Command) -> inspect.Signature:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    kind = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(
            name, kind, default=False if name == "json" else None, annotation=annotation
        )
        for name, annotation in SHARED.items()
    ]
    context = inspect.Parameter("context", kind, annotation=typer.Context)
    return inspect.Signature([context, *(p.replace(kind=kind) for p in own), *shared])
