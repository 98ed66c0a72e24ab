"""What goes into the functions' zip, by path: Folio's own code, its dependencies, and no ballast. Pure.

A path is relative to the zip's root, with slashes.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

from ledger.errors import Misconfigured

SERVICES = ("dynamodb", "dynamodbstreams", "events", "s3", "sts")
"""The services whose descriptions stay in botocore: those that the functions call, and STS, by which
roles are assumed. The other four hundred are most of botocore's size."""

OWN_PACKAGES = ("ledger", "projector")
NOT_FOR_FUNCTIONS = ("ledger/cli", "ledger/embedded", "ledger/importer", "ledger/stack")
"""What runs on people's machines. The functions' imports are tested without it."""

DATA = PurePosixPath("botocore/data")
SHARED_DATA = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")
HANDLERS = ("projector/handler.py", "ledger/reconcile/handler.py")

INSTALLERS_NOTES = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
"""Written by whoever installs a wheel, not part of it."""


def is_own(path: str) -> bool:
    """Whether a file of the packages `ledger` and `projector` is for the functions."""
    return not _is_ballast(PurePosixPath(path)) and not any(
        path == folder or path.startswith(f"{folder}/") for folder in NOT_FOR_FUNCTIONS
    )


def is_dependency(path: str) -> bool:
    """Whether a file of the installed dependencies is for the functions."""
    it = PurePosixPath(path)
    if it.parts[0] == "bin" or _is_ballast(it):
        return False
    if it.is_relative_to(DATA):
        inside = it.relative_to(DATA).parts
        return len(inside) == 1 or inside[0] in SERVICES
    return not (it.parts[0].endswith(".dist-info") and it.name in INSTALLERS_NOTES)


def check(paths: Collection[str]) -> None:
    """Hold the zip's paths against what the functions need.

    Raises:
        Misconfigured: a handler, or a description of a service that the functions call, is missing.
    """
    missing = [path for path in HANDLERS if path not in paths]
    missing += [str(DATA / name) for name in SHARED_DATA if str(DATA / name) not in paths]
    missing += [str(DATA / name) for name in SERVICES if not _is_described(name, paths)]
    if missing:
        raise Misconfigured(
            f"the functions' package lacks {', '.join(missing)}: what it is made from is not what "
            "this version expects; install folio-ledger anew"
        )


def _is_described(service: str, paths: Collection[str]) -> bool:
    folder = DATA / service
    described = [PurePosixPath(p) for p in paths if p.startswith(f"{folder}/")]
    names = {path.name.removesuffix(".gz") for path in described}
    return {"service-2.json", "endpoint-rule-set-1.json"} <= names


def _is_ballast(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return hidden or "__pycache__" in path.parts or path.suffix in {".pyc", ".pyo"}
