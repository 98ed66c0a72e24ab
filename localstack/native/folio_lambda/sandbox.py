"""One execution environment: a process that runs a function, from its start to its death.

After a crash or a time-out it is never used again: the next invocation gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from folio_lambda.events import Answered, Event, Exited, InitFailed
from folio_lambda.output import Output
from folio_lambda.runtime_api import Invocation, RuntimeApi

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
END_SECONDS = 5.0


class TimedOut(Exception):
    """It did not answer in its time."""


class Crashed(Exception):
    """Its process ended before it answered."""

    def __init__(self, code: int) -> None:
        """`code`: its exit code, or minus the number of the signal that ended it."""
        super().__init__(f"signal: {-code}" if code < 0 else f"exit status {code}")


class InitError(Exception):
    """Its handler could not be imported."""

    def __init__(self, body: bytes) -> None:
        """`body`: the error, in Lambda's JSON."""
        super().__init__("the handler could not be imported")
        self.body = body


class Sandbox:
    """A function's process with a runtime API of its own."""

    def __init__(
        self, python: Path, handler: str, folder: Path, variables: Mapping[str, str]
    ) -> None:
        """Start it: `folder` holds the function's code, `variables` are its whole environment."""
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._killing = threading.Lock()
        self._killed = False
        self._api = RuntimeApi(self._events.put)
        its_end, self._leash = os.pipe()
        try:
            self._process = subprocess.Popen(
                [python, "-P", BOOTSTRAP, str(its_end), handler],
                cwd=folder,
                env={**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[its_end],
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except OSError:
            self._api.close()
            os.close(self._leash)
            raise
        finally:
            os.close(its_end)
        self.output = Output(cast(IO[bytes], self._process.stdout))
        self._pump = threading.Thread(target=self.output.pump, name="function log", daemon=True)
        self._pump.start()
        threading.Thread(target=self._watch, name="function exit", daemon=True).start()

    def is_alive(self) -> bool:
        """Whether it can be given another invocation."""
        return not self._killed and self._process.poll() is None

    def wait_ready(self, seconds: float) -> None:
        """Wait until its handler is imported.

        Raises:
            InitError, Crashed, TimedOut: it is not, and will not be.
        """
        match self._next(time.monotonic() + seconds):
            case InitFailed(body):
                raise InitError(body)
            case Exited(code):
                raise Crashed(code)

    def invoke(self, request_id: str, invocation: Invocation, seconds: float) -> Answered:
        """Let it work on an invocation, and wait for the answer.

        Raises:
            Crashed, TimedOut: there is none.
        """
        deadline = time.monotonic() + seconds
        self._api.offer(invocation)
        while True:
            match self._next(deadline):
                case Answered() as answer if answer.request_id == request_id:
                    return answer
                case Exited(code):
                    raise Crashed(code)
                case _:  # it asks for the next one, or answers twice
                    continue

    def kill(self) -> None:
        """End it and all that it started. What waits for it gets `Crashed`."""
        with self._killing:
            if self._killed:
                return
            self._killed = True
            self._kill_group()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            self._pump.join(END_SECONDS)  # its last lines
            os.close(self._leash)
            self._api.close()

    def _next(self, deadline: float) -> Event:
        try:
            return self._events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            self.kill()
            raise TimedOut from None

    def _watch(self) -> None:
        code = self._process.wait()
        self._kill_group()  # a child that it left would hold its pipe open
        self._pump.join(END_SECONDS)
        self._events.put(Exited(code))

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
