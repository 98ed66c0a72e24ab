"""The command line: `folio`. It is an extra: `folio-ledger[cli]`."""

from __future__ import annotations

import sys

from ledger.cli import codes

EXTRA = ("typer", "rich")


def main() -> None:
    """Run `folio` with the arguments of this process, and end it with the exit code."""
    try:
        # Here and not above: without the extra there is nothing to import, and that is no traceback.
        from ledger.cli.app import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] not in EXTRA:
            raise
        sys.stderr.write(
            "folio: the command line is an extra that is not installed: "
            "pip install 'folio-ledger[cli]' (and 'folio-ledger[cli,embedded]' for --embedded)\n"
        )
        sys.exit(codes.ERROR)
    sys.exit(run(sys.argv[1:]))
