"""The `folio` command: `ledger.cli:main`."""

from __future__ import annotations

import sys

try:
    from ledger.cli.app import run
except ModuleNotFoundError as error:
    if error.name not in ("typer", "rich", "click"):
        raise
    run = None  # type: ignore[assignment]  # told by `main`

__all__ = ["main"]


def main() -> None:
    """Run the command, or say which extra is missing."""
    if run is None:
        sys.exit("folio: the command line is an extra: pip install 'folio-ledger[cli]'")
    run()
