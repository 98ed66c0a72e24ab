"""Log lines, structured by structlog and handed to the standard library, which is silent by default."""

from __future__ import annotations

import logging
from typing import TextIO

import structlog
from structlog.stdlib import BoundLogger


def logger(name: str) -> BoundLogger:
    """A logger whose lines are an event and fields, through `logging.getLogger(name)`."""
    bound: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ],
    )
    return bound


def to_stream(stream: TextIO, level: int | str = logging.INFO) -> None:
    """Write the lines of Folio's own loggers to `stream`, one JSON object a line, from `level` on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("ledger", "projector"):
        own = logging.getLogger(name)
        own.handlers = [handler]
        own.setLevel(level)
        own.propagate = False
