"""One invocation of a Lambda function: its log lines say whose they are, and its failure is one line."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from structlog.contextvars import bound_contextvars

from ledger.errors import LedgerError
from ledger.log import logger

log = logger("ledger.invocation")


@cache
def _invocations() -> Iterator[int]:
    """Numbers this process's invocations, from 0."""
    return itertools.count()


@contextmanager
def invocation(context: object) -> Iterator[None]:
    """Every line within has `function`, `request_id` and `cold_start`; afterwards none has.

    `context` is what Lambda passes. An error is one line, and raised: Lambda counts it and repeats
    the invocation. Of an error that is not Folio's own only class and place are written, for its
    message may hold values.
    """
    whose = {
        "function": getattr(context, "function_name", None),
        "request_id": getattr(context, "aws_request_id", None),
        "cold_start": next(_invocations()) == 0,
    }
    with bound_contextvars(**whose):
        try:
            yield
        except Exception as error:
            log.error(  # noqa: TRY400  # a traceback repeats the message
                "invocation failed",
                error=type(error).__name__,
                message=str(error) if isinstance(error, LedgerError) else None,
                at=_place(error),
            )
            raise


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno} {last.name}"
