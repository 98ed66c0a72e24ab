"""python -m benchmarks: measures each case and prints the figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import boto3

from benchmarks.cases import CASES
from benchmarks.measure import Row, measure
from benchmarks.report import as_json, as_table
from ledger.embedded import local_session
from ledger.embedded.engine import Engine


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    with Engine() as engine:
        session, url = local_session(), engine.endpoint_url
        rows = list(suite(session, url, options.only, options.rounds, options.scale))
    print(as_json(rows) if options.json else as_table(rows))


def suite(
    session: boto3.Session, endpoint_url: str, only: str, rounds: int, scale: float
) -> Iterator[Row]:
    """The rows whose names contain `only`, one after the other."""
    for case in CASES:
        if only in case.name:
            print(f"measuring {case.name} …", file=sys.stderr)
            yield measure(case, session, endpoint_url, rounds=rounds, scale=scale)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="all figures, for machines")
    parser.add_argument("--only", default="", metavar="NAME", help="cases whose name contains it")
    parser.add_argument("--rounds", type=int, default=7, help="how often each case is measured")
    parser.add_argument("--scale", type=float, default=1.0, help="times the events of a round")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
