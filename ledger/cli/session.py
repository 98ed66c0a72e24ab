"""A command's surroundings: the options that all share, where it writes, which ledger it works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError

from ledger import connect
from ledger.cli.output import Output
from ledger.errors import InvalidRequest, Misconfigured
from ledger.ledger import Ledger
from ledger.settings import Settings

if TYPE_CHECKING:
    from ledger.embedded import EmbeddedLedger

CATCH_UP_SECONDS = 900.0
"""How long the projector of an embedded ledger may take for what was written, e.g. by an import."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options that every command shares."""

    json: bool = False
    embedded: Path | None = None
    endpoint_url: str | None = None
    region: str | None = None

    def beneath(self, **given: Any) -> Options:
        """These, but for what a command was given itself."""
        return replace(self, **{name: value for name, value in given.items() if value})


class Session:
    """One command's: `output`, and the ledger that its options name."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.output = Output(json=options.json)
        if options.embedded and (options.endpoint_url or options.region):
            raise InvalidRequest(
                "--embedded is a ledger of its own: without --endpoint-url, --region"
            )

    @contextmanager
    def ledger(self, *, settled: bool = False) -> Iterator[Ledger]:
        """The ledger. `settled`: an embedded one's projector is waited for, before and after."""
        if self.options.embedded is None:
            yield Ledger.connect(Settings(), self.aws(), endpoint_url=self.options.endpoint_url)
            return
        with embedded_ledger()(self.options.embedded) as ledger:
            if settled:
                ledger.settle(CATCH_UP_SECONDS)
            yield ledger
            if settled:
                ledger.settle(CATCH_UP_SECONDS)

    def aws(self) -> boto3.Session:
        """AWS's session, by its own variables and profile. Raises `Misconfigured`."""
        try:
            return boto3.Session(region_name=self.options.region)
        except BotoCoreError as error:
            raise Misconfigured(f"AWS's variables or profile: {error}") from error

    def client(self, service: str, settings: Settings) -> Any:
        """A client of another service, where the ledger is. Raises `Misconfigured`."""
        return connect.client(service, settings, self.aws(), self.options.endpoint_url)


def embedded_ledger() -> type[EmbeddedLedger]:
    """The embedded ledger. Raises `Misconfigured` where its extra is not installed."""
    try:
        # Here and not above: whoever works on AWS need not have the extra.
        from ledger.embedded import EmbeddedLedger  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"the embedded engine is an extra that is not installed ({error.name} is missing): "
            "pip install 'folio-ledger[cli,embedded]'"
        ) from error
    return EmbeddedLedger
