"""What pydantic found wrong with input from outside, in one line."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

SAYS = {"missing": "is missing", "extra_forbidden": "is no field that is known here"}


def problems(error: ValidationError) -> str:
    """`field: what is wrong with it; …`, without the values."""
    return "; ".join(_problems(error))


def _problems(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(map(str, one["loc"]))
        says = SAYS.get(one["type"], one["msg"].removeprefix("Value error, "))
        yield f"{where}: {says}" if where else says
