"""docker-compose.yml holds to its specification, and starts what `make localstack` starts without Docker.

That it runs can only be shown where there is a Docker engine; its health check is run in tests/stack.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from folio_localstack.environment import variables
from folio_localstack.folders import NATIVE, READY_HOOKS, REPOSITORY, TEMPLATE
from folio_localstack.python import SERIES
from folio_localstack.venvs import VERSION, Pythons

FILE = REPOSITORY / "docker-compose.yml"
OF_DOCKER = {"MAIN_CONTAINER_NAME"}


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_it_holds_to_the_specification() -> None:
    """The schema of the Compose specification takes it."""
    checker = Path(sys.executable).with_name("check-jsonschema")
    checked = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", FILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_what_it_mounts_is_there(services: dict[str, Any]) -> None:
    """The init hook and the template are the repository's own, mounted read-only where the variables say."""
    mounts = [volume.split(":") for volume in services["localstack"]["volumes"]]
    ours = {(REPOSITORY / source).resolve(): rest for source, *rest in mounts if source[0] == "."}
    assert ours == {
        READY_HOOKS: ["/etc/localstack/init/ready.d", "ro"],
        TEMPLATE: [services["localstack"]["environment"]["FOLIO_TEMPLATE"], "ro"],
    }
    assert TEMPLATE.is_file()
    assert [path.name for path in READY_HOOKS.iterdir() if path.is_file()] == ["deploy.py"]


def test_its_versions_are_those_without_docker(services: dict[str, Any]) -> None:
    """One release of LocalStack and one Python, pinned, whichever way it is started."""
    assert services["localstack"]["image"] == f"localstack/localstack:{VERSION}"
    assert f"localstack-core=={VERSION} " in (NATIVE / "localstack.lock").read_text()
    assert re.fullmatch(rf"python:{SERIES}\.\d+-slim-\w+", services["package"]["image"])
    assert f"--python {SERIES} " in services["package"]["command"][-1]


def test_its_settings_are_those_without_docker(services: dict[str, Any]) -> None:
    """What is set for LocalStack itself has the same value without Docker."""
    native = variables(4566, Path("root"), Pythons(Path("python"), Path("python")))
    given = services["localstack"]["environment"]
    shared = {name for name in given if not name.startswith("FOLIO_")} - OF_DOCKER
    assert shared
    assert {name: given[name] for name in shared} == {name: native.get(name) for name in shared}


def test_it_is_not_open_to_the_network(services: dict[str, Any]) -> None:
    """Its port is bound to the loopback interface."""
    assert services["localstack"]["ports"] == ["127.0.0.1:4566:4566"]


def test_the_package_is_there_before_it_starts(services: dict[str, Any]) -> None:
    """LocalStack waits until the zip is made, and finds it where its variable says."""
    assert services["localstack"]["depends_on"] == {
        "package": {"condition": "service_completed_successfully"}
    }
    zipped = services["localstack"]["environment"]["FOLIO_PACKAGE"]
    assert f"--output {zipped}\n" in services["package"]["command"][-1]
    assert "package:/package" in services["package"]["volumes"]
    assert "package:/package:ro" in services["localstack"]["volumes"]
