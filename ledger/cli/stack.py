"""`stack package` and `stack template`: what is deployed, as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from ledger.cli.output import table
from ledger.cli.progress import steps
from ledger.cli.session import Session
from ledger.errors import InvalidRequest
from ledger.log import logger
from ledger.stack import package as packages
from ledger.stack import template
from ledger.stack.package import Architecture, Package, Python

log = logger("ledger.cli")

ArchitectureOption = Annotated[
    Architecture, typer.Option("--architecture", help="The functions' processor.")
]
PythonOption = Annotated[Python, typer.Option("--python", help="The functions' Python.")]
Target = Annotated[
    Path | None,
    typer.Option("--output", help="Where to write it; else here.", metavar="FILE"),
]


def package(
    session: Session,
    architecture: ArchitectureOption = "arm64",
    python: PythonOption = "3.13",
    output: Target = None,
) -> None:
    """Make the zip of both functions: Folio's own code and its pinned dependencies.

    The same version, architecture and Python give the same bytes. What it is made of comes from the
    package index that uv is set up for, or from uv's cache.

    Example: folio stack package --architecture x86_64 --output folio.zip
    """
    zip_ = made(session, architecture, python)
    target = output or Path(f"folio-{zip_.label.version}-{architecture}-python{python}.zip")
    try:
        target.write_bytes(zip_.content)
    except OSError as error:
        raise InvalidRequest(f"--output: {error}") from error
    session.output.show({"file": str(target)} | zip_.to_json(), *_shown(zip_, target))


def made(session: Session, architecture: Architecture, python: Python) -> Package:
    """Made, with its steps told."""
    with steps(session.output, "packaging") as progress:

        def told(step: str, done: int) -> None:
            if session.output.watched:
                progress.at(done, packages.STEPS)
            else:
                log.info("packaging", step=step, architecture=architecture, python=python)

        return packages.build(architecture, python, told)


def _shown(made: Package, target: Path) -> list[RenderableType]:
    zipped = len(made.content)
    direct = "fits" if zipped <= packages.MAX_ZIPPED else "is too large for"
    rows: list[list[object]] = [
        ["file", target],
        ["for", f"{made.label.architecture}, Python {made.label.python}"],
        ["version", made.label.version],
        ["files", f"{made.files:,}"],
        ["zipped", f"{zipped:,} bytes ({direct} Lambda's 50 MB for a direct upload)"],
        ["unzipped", f"{made.unzipped_bytes:,} bytes (of Lambda's 250 MB)"],
        ["SHA-256", made.sha256],
    ]
    return [table(["", ""], rows)]


def template_(
    session: Session,
    nights: Annotated[
        bool, typer.Option("--nights", help="The one for reconciling by the day, beside it.")
    ] = False,
) -> None:
    """Print the template: plain CloudFormation, for CDK, Terraform and whoever deploys otherwise.

    Example: folio stack template > folio.yaml

    Example: folio stack template --nights > nights.yaml
    """
    text = template.text(template.NIGHTS if nights else template.STACK)
    if session.output.json:
        session.output.show({"template": text})
    else:
        sys.stdout.write(text)  # to the letter: a terminal's width must not break lines
