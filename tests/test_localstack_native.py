"""LocalStack without Docker: what it needs is found or named, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
from folio_lambda.output import KEPT_BYTES, LINE_BYTES, Output
from folio_lambda.sandbox import BOOTSTRAP
from folio_localstack.folders import REPOSITORY
from folio_localstack.layout import write_starter
from folio_localstack.python import SERIES, find_python
from folio_localstack.run import GUARD, LocalStack

from ledger.errors import Misconfigured
from tests.stack.support.waiting import eventually

NO_UV = Path("no-uv-here")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of which only this folder is known: bin/ is its PATH, pyenv/ is pyenv's."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_a_python_on_the_path(machine: Path) -> None:
    """The python3.13 of the PATH is taken, if it is one."""
    script(machine / "bin" / f"python{SERIES}", f"echo {SERIES}")
    assert find_python(NO_UV) == machine / "bin" / f"python{SERIES}"


def test_pyenvs_shim(machine: Path) -> None:
    """pyenv's shim that only says that there is none is passed over, and pyenv's versions are looked at."""
    script(machine / "bin" / f"python{SERIES}", "echo no such version >&2; exit 127")
    python = script(
        machine / "pyenv" / "versions" / f"{SERIES}.1" / "bin" / "python", f"echo {SERIES}"
    )
    assert find_python(NO_UV) == python


def test_uvs_python(machine: Path) -> None:
    """One that only uv knows is found through uv."""
    python = script(machine / "elsewhere" / "python", f"echo {SERIES}")
    assert find_python(script(machine / "uv", f"echo {python}")) == python


def test_no_python(machine: Path) -> None:
    """Where there is none, the error says which one is needed, and how to get it."""
    script(machine / "bin" / f"python{SERIES}", "echo 3.12")
    with pytest.raises(
        Misconfigured, match=rf"runs on Python {SERIES} .*uv python install {SERIES}"
    ):
        find_python(NO_UV)


def test_a_port_that_is_taken() -> None:
    """It is refused before anything is set up, with the port's number."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port} cannot be had"):
            LocalStack(port).start()


def test_the_starter_of_dynamodb_local(tmp_path: Path) -> None:
    """The jar's manifest names every jar, in lines that Java takes: at most 72 bytes."""
    jars = [Path(f"some-library-with-a-long-name-{n}.jar") for n in range(90)]
    write_starter(tmp_path / "starter.jar", jars)
    with zipfile.ZipFile(tmp_path / "starter.jar") as archive:
        manifest = archive.read("META-INF/MANIFEST.MF").decode()
    assert max(map(len, manifest.split("\r\n"))) <= 72
    headers = dict(
        line.split(": ", 1) for line in manifest.replace("\r\n ", "").split("\r\n") if line
    )
    assert headers["Class-Path"].split() == [f"DynamoDBLocal_lib/{jar.name}" for jar in jars]


def test_the_repository_does_not_shadow_localstack() -> None:
    """The folder localstack/ is no package, and has none of LocalStack's first modules."""
    names = {path.name for path in (REPOSITORY / "localstack").iterdir()}
    assert names.isdisjoint({"__init__.py", "config.py", "constants.py", "runtime"})


LEAVES_ONE_BEHIND = "setsid sleep 600 & echo $!; exec sleep 600"
"""A command with a child in a session of its own, as LocalStack's DynamoDB Local is."""


def test_nothing_is_left(tmp_path: Path) -> None:
    """When who started it lets go, or dies, the command ends, and what it left behind."""
    out = tmp_path / "out"
    with out.open("wb") as log:
        guard = subprocess.Popen(
            [sys.executable, GUARD, "sh", "-c", LEAVES_ONE_BEHIND],
            stdin=subprocess.PIPE,
            stdout=log,
        )
    while not out.read_text().endswith("\n"):
        time.sleep(0.01)
    left = [psutil.Process(int(out.read_text())), *psutil.Process(guard.pid).children()]
    assert len(left) == 2
    guard.communicate(timeout=20)  # closes its standard input
    assert not any(process.is_running() for process in left)


LEAVES_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_function_does_not_outlive_localstack(tmp_path: Path) -> None:
    """When LocalStack's end of the leash is gone, however, the function and its children are killed."""
    # Given, in place of AWS's runtime client, a module that has a child and waits
    (tmp_path / "awslambdaric.py").write_text(LEAVES_A_CHILD)
    its_end, ours = os.pipe()
    function = subprocess.Popen(
        [sys.executable, "-P", BOOTSTRAP, str(its_end), "function.handler"],
        env={"PYTHONPATH": str(tmp_path)},
        pass_fds=[its_end],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(its_end)
    assert function.stdout is not None
    child = psutil.Process(int(function.stdout.readline()))
    # When
    os.close(ours)
    # Then
    assert function.wait(20) == -signal.SIGKILL
    function.stdout.close()
    eventually(child.is_running, lambda running: not running)


@pytest.fixture
def pipe() -> Iterator[tuple[Output, IO[bytes]]]:
    """What is read of a function's output, and the function's end of it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as function:
        output = Output(os.fdopen(reading, "rb", buffering=0))
        thread = threading.Thread(target=output.pump)
        thread.start()
        yield output, function
    thread.join()


def test_all_that_was_written_before(pipe: tuple[Output, IO[bytes]]) -> None:
    """What a function wrote before it answered is there when its answer is, every time."""
    output, function = pipe
    for number in range(2000):
        function.write(b"%d\n" % number)
        assert output.take() == [str(number)]


def test_half_a_line(pipe: tuple[Output, IO[bytes]]) -> None:
    """A line is given when it is whole, or when the function is gone."""
    output, function = pipe
    function.write(b"one\ntw")
    assert output.take() == ["one"]
    function.write(b"o\n\nthree")
    assert output.take() == ["two"]
    function.close()
    eventually(output.take, lambda lines: lines == ["three"])


def test_a_flood(pipe: tuple[Output, IO[bytes]]) -> None:
    """A long line is cut, and lines beyond the measure are counted and dropped."""
    output, function = pipe
    function.write(b"x" * (3 * LINE_BYTES) + b"\nshort\n")
    long, short = output.take()
    assert (len(long), short) == (LINE_BYTES, "short")
    for _ in range(100):
        function.write(b"y" * (KEPT_BYTES // 80) + b"\n")
    lines = output.take()
    assert (len(lines), lines[-1][:23]) == (81, "[20 more lines were dro")
    function.write(b"after\n")
    assert output.take() == ["after"]
