"""python -m benchmarks.cold_start: how long the functions take from nothing to their first answer.

The package is unpacked into an empty folder, as Lambda does, and a bare interpreter (no site
packages, no bytecode of the package) imports a handler and calls it, on DynamoDB Local. It is the
CPU time of that process on this machine: Lambda adds the start of its sandbox, and gives a function
with less than 1,769 MB less than one CPU.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from ledger import Ledger, Money, Settings, connect
from ledger.embedded import local_session
from ledger.embedded.engine import Engine
from ledger.engine_tables import create_tables
from ledger.stack.package import Python, build

HANDLERS = ("projector.handler", "ledger.reconcile.handler")
CONTEXT = "type('Context', (), {'aws_request_id': 'cold'})()"
TIMED = f"""
import sys, time
sys.path.append(sys.argv[1])
started = time.process_time()
import importlib, json, os
handler = importlib.import_module(sys.argv[2]).handler
imported = time.process_time()
event, out = json.load(sys.stdin), sys.stdout
sys.stdout = open(os.devnull, "w")
handler(event, {CONTEXT})
first = time.process_time()
handler(event, {CONTEXT})
out.write(json.dumps([imported - started, first - imported, time.process_time() - first]))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    machine: Literal["arm64", "x86_64"] = (
        "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    )
    package = build(machine, cast("Python", _series(options.python)))
    with Engine() as engine, tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
            archive.extractall(folder)
        events = _events(engine.endpoint_url)
        print("CPU ms, the median    import   first call   second call")
        for name in HANDLERS:
            ran = [
                _run(options.python, folder, name, events[name], engine.endpoint_url)
                for _ in range(options.rounds)
            ]
            times = [statistics.median(times) * 1000 for times in zip(*ran, strict=True)]
            print(f"{name.rsplit('.', 1)[0]:18} {times[0]:9.0f} {times[1]:12.0f} {times[2]:13.0f}")
    print(f"zipped {len(package.content):,} bytes, unzipped {package.unzipped_bytes:,} bytes")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to start")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is started")
    return parser.parse_args(arguments)


def _series(python: str) -> str:
    """The interpreter's version, as 3.13."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _events(endpoint_url: str) -> dict[str, Any]:
    """What each handler is called with: two records of a transfer, and the whole ledger."""
    session = local_session()
    runtime = connect.runtime(Settings(), session, endpoint_url)
    create_tables(runtime.store.client, runtime.settings)
    ledger = Ledger(runtime)
    ledger.transfer(
        source="world:card", destination="user:42", money=Money(1250, "EUR"), type="deposit"
    )
    table = runtime.settings.events_table
    items = runtime.store.client.scan(TableName=table)["Items"]
    entries = [item for item in items if item["PK"]["S"].startswith("ACCOUNT#")]
    return {
        "projector.handler": {"Records": [_record(n, item) for n, item in enumerate(entries)]},
        "ledger.reconcile.handler": {},
    }


def _record(number: int, item: dict[str, Any]) -> dict[str, Any]:
    image = json.loads(json.dumps(item, default=lambda raw: base64.b64encode(raw).decode()))
    return {
        "eventID": str(number),
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": str(number),
            "Keys": {"PK": image["PK"], "SK": image["SK"]},
            "NewImage": image,
            "ApproximateCreationDateTime": 1_800_000_000,
        },
    }


def _run(python: str, folder: str, name: str, event: object, endpoint_url: str) -> list[float]:
    """Seconds of CPU: the import, the first call, the second."""
    key = {"AWS_ACCESS_KEY_ID": "folio", "AWS_SECRET_ACCESS_KEY": "folio"}
    settings = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint_url}
    settings |= {"LEDGER_GRACE_SECONDS": "0"}
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", TIMED, folder, name],
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], **key, **settings},
        cwd=Path(folder),
    )
    found: list[float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
