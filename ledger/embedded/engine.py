"""DynamoDB Local as a process of its own, for as long as it is wanted.

It listens on **all interfaces** and has no option against it: keep no real data in it, and mind who can reach the
machine. Any region and any credentials see the same tables. Its telemetry is switched off.
"""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from ledger.embedded.jars import Progress, dynamodb_local
from ledger.embedded.machine import find_java
from ledger.embedded.process import GuardedProcess
from ledger.errors import Misconfigured

MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
HEAP_MB = 512
"""Of Java's heap; tables in memory are SQLite's, and not in it."""
START_SECONDS = 60
REPLY_SECONDS = 5
POLL_SECONDS = 0.02
PORTS_TRIED = 5


class Engine:
    """A DynamoDB Local of one's own: in memory, or kept under `path`.

        with Engine() as engine:
            boto3.client("dynamodb", endpoint_url=engine.endpoint_url, ...)

    A path has one engine at a time. The process is ended at the end of the block and with this process,
    however it ends: what was acknowledged is kept. (When the engine itself is killed by force, it may have
    acknowledged a transaction, some 20 ms ago at the most, that is lost.) `progress` is told of the files
    that are fetched on the machine's first start.
    """

    def __init__(self, path: Path | None = None, progress: Progress | None = None) -> None:
        self._path = None if path is None else Path(path).absolute()
        self._progress = progress
        self._lock: FileLock | None = None
        self._process: GuardedProcess | None = None
        self._port = 0
        self._pid = 0

    def start(self) -> Self:
        """Start it and wait until it answers; one that runs already goes on.

        Raises `Misconfigured` when the machine has no Java that fits, the engine cannot be fetched, the
        path is in use, or the engine ends or does not answer within a minute.
        """
        if self._process is not None:
            return self
        java, jars = find_java(), dynamodb_local(self._progress)
        self._lock_path()
        try:
            for _ in range(PORTS_TRIED):
                if self._launch(java, jars, _free_port()):
                    return self
        except BaseException:
            self.stop()
            raise
        self.stop()
        raise Misconfigured(
            f"DynamoDB Local found none of {PORTS_TRIED} ports free when it came to them"
        )

    def stop(self) -> None:
        """End it, and let go of its path. What was written is kept there."""
        self.kill()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def kill(self) -> None:
        """End it, and keep its path: `start` starts another one on it."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def endpoint_url(self) -> str:
        """Where it answers, for DynamoDB and its streams."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The TCP port that it listens on, on all interfaces."""
        self._running()
        return self._port

    @property
    def pid(self) -> int:
        """The id of its process."""
        self._running()
        return self._pid

    def log(self) -> str:
        """The last lines that it wrote."""
        return self._running().log()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> GuardedProcess:
        if self._process is None:
            raise Misconfigured("the engine does not run: start() it, or use it in a with block")
        return self._process

    def _lock_path(self) -> None:
        if self._path is None or self._lock is not None:
            return
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            # Not of this thread: who stops an engine need not be who started it.
            lock = FileLock(self._path / "engine.lock", timeout=0, thread_local=False)
            lock.acquire()
        except Timeout as error:
            raise Misconfigured(
                f"{self._path} is in use by another engine: stop that, or take another path"
            ) from error
        except OSError as error:
            raise Misconfigured(f"cannot keep an engine's data in {self._path}: {error}") from error
        self._lock = lock

    def _launch(self, java: Path, jars: list[Path], port: int) -> bool:
        """Start it on a port and wait until it answers. False when another program took the port."""
        self._process = GuardedProcess(_command(java, jars, port, self._path))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.is_alive():
            pid = self._process.listener(port)
            if pid is not None and _answers(port):
                self._port, self._pid = port, pid
                return True
            time.sleep(POLL_SECONDS)
        ended, log = not self._process.is_alive(), self._process.log()
        self.kill()
        if ended and "already in use" in log:
            return False
        raise Misconfigured(
            f"DynamoDB Local {'ended' if ended else f'did not answer within {START_SECONDS} s'}; "
            f"its last lines:\n{log}"
        )


def _command(java: Path, jars: list[Path], port: int, path: Path | None) -> list[str | Path]:
    class_path = ";" if java.suffix == ".exe" else ":"
    return [
        java,
        "-XX:+UseSerialGC",  # less CPU and memory than the default, and as quick
        f"-Xmx{HEAP_MB}m",
        "--enable-native-access=ALL-UNNAMED",  # its SQLite is native; newer Javas ask for leave
        f"-Djava.library.path={jars[0].parent}",
        "-cp",
        class_path.join(str(jar) for jar in jars if jar.suffix == ".jar"),
        MAIN_CLASS,
        *(["-inMemory"] if path is None else ["-dbPath", path]),
        "-sharedDb",
        "-disableTelemetry",
        "-port",
        str(port),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    """Whether something speaks HTTP there: without a signature, DynamoDB Local answers 400."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REPLY_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
