"""Lays out the folder that LocalStack takes for its file system, so that it finds its DynamoDB Local installed.

LocalStack would fetch "the latest" DynamoDB Local and a JDK when it makes its first table. Here it finds the
engine of `ledger.embedded` instead: the same jars, by exact version and checksum, and the same Java.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from folio_localstack.folders import READY_HOOKS
from folio_localstack.venvs import Say
from ledger.embedded.engine import MAIN_CLASS
from ledger.embedded.jars import Jar, cache_folder, dynamodb_local, fetch
from ledger.embedded.machine import find_java

AGENT = Jar(
    "net.bytebuddy:byte-buddy-agent:jar:1.17.5",
    "c5b9334ad82e632f6af60df22bbbdbbb62cee04877f4f43c38ba04aed9bd9901",
)
"""LocalStack loads an agent into DynamoDB Local, for tables with more than 20 indexes, and cannot do without:
this one, which does nothing by itself, stands in its place."""


def lay_out(root: Path, say: Say, *, hooks: bool) -> None:
    """Fill an empty folder. `hooks`: whether the stack is deployed when LocalStack is ready.

    Raises `Misconfigured` where DynamoDB Local cannot be had, or there is no Java.
    """
    jars = dynamodb_local(
        lambda there, total: say(f"fetching DynamoDB Local: {there} of {total} files")
    )
    agents = cache_folder().with_name("localstack-agent")
    fetch([AGENT], agents, os.environ.get("FOLIO_MAVEN_REPOSITORY"))
    installed = root / "usr" / "lib" / "localstack"
    engine = installed / "dynamodb-local" / "2"
    engine.mkdir(parents=True)
    (engine / "DynamoDBLocal_lib").symlink_to(jars[0].parent)
    shutil.copy(agents / AGENT.filename, engine / "ddb-local-loader-0.1.jar")
    write_starter(engine / "DynamoDBLocal.jar", [jar for jar in jars if jar.suffix == ".jar"])
    (installed / "java").mkdir()
    (installed / "java" / "21").symlink_to(find_java().resolve().parents[1])
    init = root / "etc" / "localstack" / "init"
    init.mkdir(parents=True)
    if hooks:
        (init / "ready.d").symlink_to(READY_HOOKS)


def write_starter(path: Path, jars: Sequence[Path]) -> None:
    """The jar that `java -jar` starts: a manifest that names the main class and all other jars."""
    names = " ".join(f"DynamoDBLocal_lib/{jar.name}" for jar in jars)
    headers = ["Manifest-Version: 1.0", f"Main-Class: {MAIN_CLASS}", f"Class-Path: {names}"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "".join(map(_folded, headers)) + "\r\n")


def _folded(header: str) -> str:
    """A manifest's line has at most 72 bytes; a space continues it."""
    first, rest = header[:70], header[70:]
    return "\r\n ".join([first, *(rest[i : i + 69] for i in range(0, len(rest), 69))]) + "\r\n"
