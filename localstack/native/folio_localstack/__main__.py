"""LocalStack with the stack `folio` on it, until Ctrl-C: `make localstack`.

`FOLIO_PACKAGE` names the functions' zip; without it, it is made first, as by `folio stack package`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType

from rich.console import Console

from folio_localstack.environment import exports
from folio_localstack.package import package
from folio_localstack.run import LocalStack, check_free
from ledger.errors import Misconfigured
from ledger.stack.outputs import lines, settings

WATCH_SECONDS = 0.5


def main() -> int:
    """Run until told to stop. The exit code is 1 when it could not run, or ended by itself."""
    port = _arguments().port
    signal.signal(signal.SIGTERM, _interrupt)
    teller = Teller()
    try:
        check_free(port)  # before the work of a minute
        with LocalStack(port, package(teller.tell), say=teller.tell) as stack:
            teller.ready(stack)
            while stack.is_alive():
                time.sleep(WATCH_SECONDS)
        teller.end(f"LocalStack ended by itself: see {stack.log}")
    except Misconfigured as error:
        teller.end(str(error))
    except KeyboardInterrupt:
        teller.end("ended")
        return 0
    return 1


class Teller:
    """Tells what is done: as one line that changes on a terminal, as lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._status = self._console.status("starting")
        if self._console.is_terminal:
            self._status.start()

    def tell(self, step: str) -> None:
        """What is done next."""
        if self._console.is_terminal:
            self._status.update(step)
        else:
            self._console.print(step)

    def ready(self, stack: LocalStack) -> None:
        """It is ready; what others need to export goes to standard output."""
        self._status.stop()
        self._console.print(
            f"ready; its log: {stack.log}; Ctrl-C ends it. For payment code and `folio`:"
        )
        variables = exports(stack.endpoint_url) | settings(stack.outputs(), {})
        for line in lines(variables):
            print(f"export {line}", flush=True)  # noqa: T201  # this command's output

    def end(self, message: str) -> None:
        """The last word."""
        self._status.stop()
        self._console.print(message)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m folio_localstack", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="where it listens (default: 4566)")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
