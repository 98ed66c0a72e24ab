"""Tracing as an option: a segment for each invocation of a function, one below it for each call to AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from ledger.errors import Misconfigured
from ledger.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer

Trace = Callable[[], AbstractContextManager[None]]
"""Opens the segment of one invocation."""


def tracing(settings: Settings, service: str) -> Trace:
    """What opens a segment, by the settings: nothing, unless they ask for tracing.

    Calls to AWS are traced by their service, operation and table; items never are. Threads need no
    care: in Lambda each finds the invocation's segment by itself.

    Raises:
        Misconfigured: tracing is asked for, and its SDK is not installed.
    """
    if not settings.tracing:
        return nullcontext
    try:
        import_module("aws_xray_sdk")
    except ModuleNotFoundError as error:
        raise Misconfigured(
            "LEDGER_TRACING is set, and the X-Ray SDK is not installed: pip install "
            "'folio-ledger[tracing]', or unset it"
        ) from error
    # Here and not above: who does not trace need not load it.
    from aws_lambda_powertools import Tracer  # noqa: PLC0415

    tracer = Tracer(service=service, patch_modules=("botocore",))
    return lambda: _segment(tracer, settings.name, service)


@contextmanager
def _segment(tracer: Tracer, ledger: str, service: str) -> Iterator[None]:
    with tracer.provider.in_subsegment(name=f"## {service}") as segment:
        segment.put_annotation(key="ledger", value=ledger)
        yield
