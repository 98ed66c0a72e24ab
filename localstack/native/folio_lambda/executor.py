"""LocalStack's side of a function: an execution environment that is made when it is needed, and made anew.

| variable              | meaning                                                                              |
| --------------------- | ------------------------------------------------------------------------------------ |
| `FOLIO_LAMBDA_PYTHON` | the Python that runs the functions: with awslambdaric and nothing else, so that what |
|                       | a function's zip lacks is missing here as on AWS                                     |
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import (
    LambdaRuntimeException,
    RuntimeExecutor,
)

from folio_lambda import cloudwatch
from folio_lambda.runtime_api import Invocation
from folio_lambda.sandbox import Crashed, InitError, Sandbox, TimedOut

INIT_SECONDS = 30.0
"""AWS gives 10, on a processor of its own."""
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
"""What a function sees of the machine's environment; the rest is the function's own."""


class FolioExecutor(RuntimeExecutor):  # type: ignore[misc]  # LocalStack is not installed here
    """Runs one function version, one invocation at a time: LocalStack makes as many as it needs."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self._variables: dict[str, str] = {}
        self._sandbox: Sandbox | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, env_vars: Mapping[str, object]) -> None:
        """Take the environment variables. The process starts with its first invocation.

        So an error of its start is that invocation's, with its log lines, as on AWS.
        """
        config = self.function_version.config
        code = str(config.code.get_unzipped_code_location())
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        given = {name: str(value) for name, value in env_vars.items()}
        scratch = (
            tempfile.gettempdir()
        )  # the user's HOME may hold a profile of AWS that AWS's own has not
        self._variables = {"HOME": scratch, "TMPDIR": scratch, **passed_on, **given}
        self._variables |= {
            "LAMBDA_TASK_ROOT": code,
            "LAMBDA_RUNTIME_DIR": code,
            "PYTHONPATH": os.pathsep.join(filter(None, [code, given.get("PYTHONPATH")])),
            "PYTHONUNBUFFERED": "1",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.runtime}",
        }

    def stop(self) -> None:
        """End the process; an invocation that runs fails."""
        with self._lock:
            self._stopped = True
            sandbox = self._sandbox
        if sandbox is not None:
            sandbox.kill()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Invoke the function and wait for its answer, at most for its time-out."""
        request_id, timeout = payload["invoke-id"], self.function_version.config.timeout
        started = time.monotonic()
        told: list[str] = []
        try:
            sandbox = self._ready_sandbox()
            started = time.monotonic()
            answer = sandbox.invoke(request_id, _invocation(payload, timeout), timeout)
            body, is_error = answer.body, answer.is_error
        except InitError as error:
            body, is_error = error.body, True
        except Crashed as error:
            message = f"RequestId: {request_id} Error: Runtime exited with error: {error}"
            body, is_error = _error("Runtime.ExitError", message), True
            told = [message, "Runtime.ExitError"]
        except TimedOut:
            message = f"Task timed out after {timeout:.2f} seconds"
            body = _error("Sandbox.Timedout", f"RequestId: {request_id} Error: {message}")
            is_error = True
            told = [f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {request_id} {message}"]
        lines = self._sandbox.output.take() if self._sandbox is not None else []
        version = self.function_version.id
        cloudwatch.publish(lines, version.account, version.region)
        millis = (time.monotonic() - started) * 1000
        size = self.function_version.config.memory_size
        logs = [
            f"START RequestId: {request_id} Version: {version.qualifier}",
            *lines,
            *told,
            f"END RequestId: {request_id}",
            f"REPORT RequestId: {request_id}\tDuration: {millis:.2f} ms\tMemory Size: {size} MB",
            "",
        ]
        return InvocationResult(request_id, body, is_error=is_error, logs="\n".join(logs))

    def _ready_sandbox(self) -> Sandbox:
        """The process of the invocation before, or a new one when that has died."""
        if self._sandbox is not None and self._sandbox.is_alive():
            return self._sandbox
        with self._lock:
            if self._stopped:
                raise LambdaRuntimeException("the execution environment is stopped")
            if self._sandbox is not None:
                self._sandbox.kill()
            self._sandbox = Sandbox(
                _python(),
                self._variables["_HANDLER"],
                Path(self._variables["LAMBDA_TASK_ROOT"]),
                self._variables,
            )
        try:
            self._sandbox.wait_ready(INIT_SECONDS)
        except (InitError, Crashed, TimedOut):
            self._sandbox.kill()
            raise
        return self._sandbox

    def get_logs(self) -> str:
        """None are kept: each invocation's are in its result."""
        return ""

    def get_address(self) -> str:
        """Of the function, seen from LocalStack."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Of LocalStack, seen from the function."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Of LocalStack's own runtime API, which nothing here calls."""
        return f"http://127.0.0.1/unused/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the code.

        Raises:
            LambdaRuntimeException: functions of that runtime cannot be run here.
        """
        runtime = function_version.config.runtime
        if runtime != (mine := f"python{_version_of(_python())}"):
            raise LambdaRuntimeException(f"functions run on {mine} here, not on {runtime}")
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing: LocalStack removes the code."""


def _invocation(payload: Mapping[str, str], timeout: int) -> Invocation:
    deadline = int((time.time() + timeout) * 1000)
    headers = {
        "Lambda-Runtime-Aws-Request-Id": payload["invoke-id"],
        "Lambda-Runtime-Deadline-Ms": str(deadline),
        "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
        "Lambda-Runtime-Trace-Id": payload["trace-id"],
    }
    return Invocation(payload["payload"].encode(), headers)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _python() -> Path:
    python = os.environ.get("FOLIO_LAMBDA_PYTHON")
    if not python:
        raise LambdaRuntimeException("FOLIO_LAMBDA_PYTHON does not name the functions' Python")
    return Path(python)


@functools.cache
def _version_of(python: Path) -> str:
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run(
        [python, "-c", ask], capture_output=True, text=True, check=True
    ).stdout.strip()
