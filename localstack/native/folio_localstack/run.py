"""LocalStack as a process of this one: started, waited for, and ended with everything that it started."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import boto3

from folio_localstack.environment import ACCESS_KEY, REGION, STACK, of_hook, variables
from folio_localstack.folders import STATE
from folio_localstack.layout import lay_out
from folio_localstack.venvs import Say, set_up
from ledger.errors import Misconfigured

GUARD = Path(__file__).with_name("guard.py")
START_SECONDS = 300.0
END_SECONDS = 30.0
POLL_SECONDS = 0.25
LOG_TAIL = 30
LAST_LOG = STATE / "last.log"


class LocalStack:
    """A LocalStack on a port of the loopback interface, in memory.

    Attributes:
        port: where it listens.
        hook: the variables of its init hook.
        log: the file that it writes its log to; of the one that ended last, .localstack/last.log stays.
    """

    def __init__(
        self,
        port: int = 4566,
        package: Path | None = None,
        parameters: Mapping[str, str] | None = None,
        say: Say | None = None,
    ) -> None:
        """`port` 0 is any that is free. `package`: the functions' zip; with it the stack `folio` is deployed.

        `parameters` are the template's, where they differ from its defaults. `say` is told what is done next.
        """
        self.port = port or _free_port()
        self.hook = {} if package is None else of_hook(package, parameters or {})
        self._say = say or (lambda _: None)
        self._folder = STATE / str(self.port)
        self.log = STATE / f"{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """Where all its services answer."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Set it up where that is needed, start it, and wait until it is ready and the stack deployed.

        Raises:
            Misconfigured: it cannot be set up, the port is taken, it ended, or the stack failed.
        """
        check_free(self.port)
        pythons = set_up(self._say)
        self._say("laying out its files")
        shutil.rmtree(self._folder, ignore_errors=True)
        root = self._folder / "root"
        (root / "tmp").mkdir(parents=True)
        lay_out(root, self._say, hooks=bool(self.hook))
        self._say("starting LocalStack")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                # -P: the repository's localstack/ is no part of LocalStack.
                [sys.executable, GUARD, pythons.localstack, "-P", "-m", "localstack.runtime.main"],
                cwd=root,
                env=variables(self.port, root, pythons) | self.hook,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for who started it
            )
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it and everything that it started, and remove its files; its log stays as the last one."""
        if self._process is None:
            return
        cast(IO[bytes], self._process.stdin).close()
        self._process.wait(END_SECONDS)
        self._process = None
        self.log = self.log.replace(LAST_LOG)
        shutil.rmtree(self._folder, ignore_errors=True)

    def outputs(self) -> dict[str, str]:
        """Of the stack `folio`, by name."""
        session = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)
        cloudformation = session.client("cloudformation", endpoint_url=self.endpoint_url)
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        deploying = False
        while time.monotonic() < deadline:
            if not self.is_alive():
                raise Misconfigured(f"LocalStack ended; {self._last_lines()}")
            state = self._hooks()
            if state is not None:
                if any(script["state"] == "ERROR" for script in state["scripts"]):
                    raise Misconfigured(f"the stack could not be deployed; {self._last_lines()}")
                if state["completed"]:
                    return
                if state["scripts"] and not deploying:
                    deploying = True
                    self._say("deploying the stack")
            time.sleep(POLL_SECONDS)
        raise Misconfigured(
            f"LocalStack was not ready in {START_SECONDS:.0f} s; {self._last_lines()}"
        )

    def _hooks(self) -> dict[str, Any] | None:
        """How far its init hooks have come; None while it does not answer."""
        try:
            with urllib.request.urlopen(  # noqa: S310  # its own address
                f"{self.endpoint_url}/_localstack/init/ready", timeout=5
            ) as reply:
                found: dict[str, Any] = json.load(reply)
                return found
        except OSError:
            return None

    def _last_lines(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        told = [line for line in lines if line and "localstack.request" not in line]
        return "\n".join([f"the end of its log ({LAST_LOG} has all of it):", *told[-LOG_TAIL:]])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_free(port: int) -> None:
    """Raises `Misconfigured` when something listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Misconfigured(
                f"port {port} cannot be had ({error.strerror}): does a LocalStack run there already? "
                "Stop it, or take another port"
            ) from error
