"""The functions' package is the same bytes each time, holds what they need, and nothing else."""

from __future__ import annotations

import ast
import hashlib
import io
import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import cast

import pytest

from ledger.errors import InvalidRequest, Misconfigured
from ledger.stack import contents, package, wheels
from ledger.stack.package import Architecture, Package, Python
from ledger.stack.zipping import EPOCH, zipped
from tests.support.command import Folio

ROOT = Path(__file__).parents[1]
HERE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PINNED = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.append(sys.argv[1])
import boto3, ledger, projector
from ledger.reconcile.handler import handler
from projector.handler import handler
for package in (ledger, projector):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
for service in sys.argv[2:]:
    boto3.client(service, "eu-west-1", aws_access_key_id="k", aws_secret_access_key="s")
print(*sorted(module.partition(".")[0] for module in sys.modules if "." in module))
"""


@pytest.fixture(scope="session")
def built() -> Package:
    """The package for this machine and Python, made once."""
    return package.build(cast("Architecture", HERE), cast("Python", PYTHON))


@pytest.fixture(scope="session")
def files(built: Package) -> dict[str, bytes]:
    """What is in it."""
    with zipfile.ZipFile(io.BytesIO(built.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_same_files_make_the_same_bytes_in_any_order(
    files: dict[str, bytes], built: Package
) -> None:
    """Neither the order in which files are found nor the time counts."""
    backwards = dict(reversed(files.items()))
    assert zipped(backwards) == built.content


def test_a_zip_names_no_time_and_no_mode_of_the_machine(built: Package) -> None:
    """One time and one mode for all, readable by the user that Lambda runs functions as."""
    with zipfile.ZipFile(io.BytesIO(built.content)) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {EPOCH}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


def test_nothing_of_the_installation_is_in_it(files: dict[str, bytes]) -> None:
    """No bytecode, no scripts, no notes of the installer, which differ from machine to machine."""
    names = {Path(path).name for path in files}
    assert not names & set(contents.INSTALLERS_NOTES)
    assert not [path for path in files if path.endswith(".pyc") or path.startswith("bin/")]


def test_what_runs_on_peoples_machines_is_not_in_it(files: dict[str, bytes]) -> None:
    """The command line, the embedded engine, the importer and the stack stay out."""
    out = ("ledger/cli/", "ledger/embedded/", "ledger/importer/", "ledger/stack/")
    assert not [path for path in files if path.startswith(out)]
    assert {"projector/handler.py", "ledger/reconcile/handler.py", "ledger/py.typed"} <= set(files)


def test_the_handlers_need_nothing_else(files: dict[str, bytes], tmp_path: Path) -> None:
    """A bare interpreter imports every module from the folder alone, and makes each client."""
    for path, content in files.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    bare = [sys.executable, "-I", "-S", "-B", "-c", IMPORT_ALL, str(tmp_path), *contents.SERVICES]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pydantic" in done.stdout


def test_every_service_that_the_functions_call_is_described() -> None:
    """Each client that the code asks for by name has its description in the package."""
    asked = set()
    for folder in contents.OWN_PACKAGES:
        for path in (ROOT / folder).rglob("*.py"):
            if contents.is_own(path.relative_to(ROOT).as_posix()):
                asked |= _services(ast.parse(path.read_text()))
    assert {"dynamodb"} <= asked <= set(contents.SERVICES)


def _services(tree: ast.AST) -> set[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    first = [
        call.args[0]
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == "client"
    ]
    return {
        arg.value for arg in first if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
    }


def test_no_other_service_is_described(files: dict[str, bytes]) -> None:
    """Botocore's descriptions of four hundred services are most of its size."""
    data = [Path(path).parts[2:] for path in files if path.startswith("botocore/data/")]
    assert {parts[0] for parts in data if len(parts) > 1} == set(contents.SERVICES)
    assert {parts[0] for parts in data if len(parts) == 1} >= set(contents.SHARED_DATA)


@pytest.mark.parametrize("service", contents.SERVICES)
def test_a_missing_description_is_noticed(files: dict[str, bytes], service: str) -> None:
    """A botocore that keeps them elsewhere fails the packaging, not the first call on AWS."""
    left = [path for path in files if not path.startswith(f"botocore/data/{service}/")]
    contents.check(files.keys())
    with pytest.raises(Misconfigured, match=f"botocore/data/{service}"):
        contents.check(left)


@pytest.mark.parametrize("path", [*contents.HANDLERS, "botocore/data/endpoints.json"])
def test_a_missing_file_is_noticed(files: dict[str, bytes], path: str) -> None:
    """A handler that is not there would be an error at the first call only."""
    with pytest.raises(Misconfigured, match=path):
        contents.check(files.keys() - {path})


def test_the_lock_pins_the_projects_versions_with_hashes() -> None:
    """The functions run what the tests ran, and each file is checked by its SHA-256."""
    own = dict(PINNED.findall(wheels.lock()))
    all_of_it = dict(PINNED.findall((ROOT / "requirements.lock").read_text()))
    assert own.items() <= all_of_it.items()
    blocks = wheels.lock().split("\n")
    starts = [n for n, line in enumerate(blocks) if PINNED.match(line)]
    assert all("--hash=sha256:" in blocks[n + 1] for n in starts)


def test_the_lock_is_of_the_core_and_tracing_alone() -> None:
    """What people's machines need is not in it, and no index is named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    name = re.compile(r"^[a-zA-Z0-9._-]+")

    def names(requirements: list[str]) -> set[str]:
        return {match[0].lower() for one in requirements if (match := name.match(one))}

    own = set(dict(PINNED.findall(wheels.lock())))
    assert names(project["dependencies"]) | names(extras["tracing"]) <= own
    assert not own & (names(extras["cli"]) | names(extras["embedded"]) | names(extras["stack"]))
    assert "://" not in wheels.lock()


def test_the_dependencies_are_those_of_the_lock(files: dict[str, bytes]) -> None:
    """Nothing came in beside the lock."""
    installed = {path.split("/")[0] for path in files if ".dist-info/" in path}
    named = {folder.removesuffix(".dist-info").rsplit("-", 1)[0] for folder in installed}
    assert {name.replace("_", "-").lower() for name in named} <= set(
        dict(PINNED.findall(wheels.lock()))
    )


def test_a_wheel_other_than_the_locks_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file whose checksum differs is not installed."""
    version = dict(PINNED.findall(wheels.lock()))["six"]
    forged = f"six=={version} --hash=sha256:{'0' * 64}\n"
    monkeypatch.setattr(wheels, "lock", lambda: forged)
    with pytest.raises(Misconfigured, match=r"uv could not install .*six"):
        wheels.install(tmp_path / "to", HERE, PYTHON)


def test_a_package_says_what_it_was_made_for(built: Package, tmp_path: Path) -> None:
    """Architecture, Python and version can be read back from the file."""
    file = tmp_path / "folio.zip"
    file.write_bytes(built.content)
    assert package.read(file) == built
    assert (built.label.architecture, built.label.python) == (HERE, PYTHON)


def test_another_file_is_no_package(tmp_path: Path) -> None:
    """A missing file, one that is no zip, and a zip of something else are told apart from packages."""
    other = tmp_path / "other.zip"
    for content in (b"", zipped({"x": b""}), zipped({package.LABEL: b"[]"})):
        other.write_bytes(content)
        with pytest.raises(InvalidRequest, match="no package"):
            package.read(other)
    with pytest.raises(InvalidRequest, match="No such file"):
        package.read(tmp_path / "none.zip")


def test_a_package_that_lambda_would_refuse_is_refused(
    built: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It unzips to no more than Lambda's limit, which is far."""
    assert built.unzipped_bytes * 5 < package.MAX_UNZIPPED
    file = tmp_path / "folio.zip"
    file.write_bytes(built.content)
    monkeypatch.setattr(package, "MAX_UNZIPPED", built.unzipped_bytes - 1)
    with pytest.raises(Misconfigured, match="unzips to"):
        package.read(file)


def test_the_command_writes_the_file_and_states_its_sizes(
    built: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_folio: Folio
) -> None:
    """The file, its SHA-256 and both sizes, for machines and people."""
    monkeypatch.setattr(package, "build", lambda *_: built)
    file = tmp_path / "folio.zip"
    told = bare_folio.answer("stack", "package", "--output", file, "--architecture", HERE)
    said = bare_folio("stack", "package", "--output", file)
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told["zipped_bytes"] == file.stat().st_size
    assert f"{built.unzipped_bytes:,} bytes" in said.out
    assert bare_folio("stack", "package", "--output", tmp_path / "no" / "such").code == 2
