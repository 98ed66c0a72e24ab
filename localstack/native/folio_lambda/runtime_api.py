"""Lambda's runtime API for one function process: it asks for invocations here, and answers here.

AWS documents it as the interface of custom runtimes; `awslambdaric` is its client.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from folio_lambda.events import Answered, Event, InitFailed, Ready

LOG = logging.getLogger(__name__)
PREFIX = "/2018-06-01/runtime/"


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the function is called with: the event as JSON, and Lambda's headers about it."""

    body: bytes
    headers: Mapping[str, str]


class RuntimeApi:
    """A server on a free port of the loopback interface, until `close`."""

    def __init__(self, report: Callable[[Event], None]) -> None:
        """Serve, and report what the function says."""
        self._pending: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._report = report
        self._server = _Server(self)
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="runtime API", daemon=True
        ).start()

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._server.server_port}"

    def offer(self, invocation: Invocation) -> None:
        """Give the function its next invocation."""
        self._pending.put(invocation)

    def close(self) -> None:
        """Stop serving, and let go of a request that waits for an invocation."""
        self._pending.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self) -> Invocation | None:
        """Wait for an invocation; None when there will be none."""
        self._report(Ready())
        return self._pending.get()

    def said(self, path: str, body: bytes) -> bool:
        """The function posted something. False when there is no such path."""
        match path.removeprefix(PREFIX).split("/"):
            case ["init", "error"]:
                self._report(InitFailed(body))
            case ["invocation", request_id, "response" | "error" as outcome]:
                self._report(Answered(request_id, body, is_error=outcome == "error"))
            case _:
                return False
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: RuntimeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # its place is given
        """A function that was killed does not read its reply: that is no news."""
        LOG.debug("runtime API: %s hung up: %r", client_address, sys.exception())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}invocation/next":
            return self._reply(404)
        invocation = self.server.api.next_invocation()
        if invocation is None:
            return self._reply(410)
        return self._reply(200, invocation.body, invocation.headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.server.api.said(self.path, body)
        self._reply(202 if known else 404, b'{"status":"OK"}' if known else b"")

    def _reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Each request is one of an invocation, which LocalStack logs."""
