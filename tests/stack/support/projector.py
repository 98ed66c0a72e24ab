"""The projector of a stack, whose code and mapping a test exchanges."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.stack.support.deployed import Deployed
from tests.stack.support.functions import DATA
from tests.stack.support.waiting import eventually

HANDLER = "projector.handler.handler"
POLLER_ENDS_SECONDS = 3
"""LocalStack's poller reads on for a moment after its mapping is gone."""
MAPPED = (
    *("BatchSize", "MaximumBatchingWindowInSeconds", "ParallelizationFactor", "FilterCriteria"),
    *("EventSourceArn", "DestinationConfig", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts"),
    *("BisectBatchOnFunctionError", "FunctionResponseTypes", "StartingPosition"),
)
"""What a mapping is made of."""


class Projector:
    """The function of a stack and its event source mapping."""

    def __init__(self, deployed: Deployed, zip_: Path) -> None:
        self._lambda = deployed.client("lambda")
        self._zip = zip_
        self.name = deployed.outputs["ProjectorFunction"]
        self.mapping = deployed.outputs["ProjectorMapping"]
        mapping = self._lambda.get_event_source_mapping(UUID=self.mapping)
        self._mapped = {key: mapping[key] for key in MAPPED if key in mapping}
        self._timeout = self._configuration()["Timeout"]
        self._variables = self._configuration()["Environment"]["Variables"]

    @contextmanager
    def faulty(self, fault: str, odds: float = 0, timeout: int | None = None) -> Iterator[None]:
        """The function with a fault of tests/stack/data/faults.py, and then the real one again."""
        self._code(self._zip_with((DATA / "faults.py").read_text()))
        faults = {"FAULT": fault, "FAULT_ODDS": str(odds)}
        self._configure("faults.handler", timeout or self._timeout, faults)
        try:
            yield
        finally:
            self._configure(HANDLER, self._timeout, {})
            self._code(self._zip.read_bytes())

    def deploy_version(self, number: int) -> None:
        """New code, which does the same."""
        self._code(self._zip_with(f"VERSION = {number}"))

    def delete_mapping(self) -> None:
        """Delete the mapping, and wait until it is gone."""
        self._lambda.delete_event_source_mapping(UUID=self.mapping)
        eventually(self._state, lambda state: state == "gone")
        time.sleep(POLLER_ENDS_SECONDS)

    def make_mapping(self, **changed: object) -> None:
        """A new one, as it was but for what is `changed`: it has no memory of where the one before stood."""
        made = self._lambda.create_event_source_mapping(
            FunctionName=self.name, **self._mapped | changed
        )
        self.mapping = made["UUID"]
        eventually(self._state, lambda state: state == "Enabled")

    def _state(self) -> str:
        try:
            return str(self._lambda.get_event_source_mapping(UUID=self.mapping)["State"])
        except self._lambda.exceptions.ResourceNotFoundException:
            return "gone"

    def _zip_with(self, faults: str) -> bytes:
        file = io.BytesIO(self._zip.read_bytes())
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("faults.py", faults)
        return file.getvalue()

    def _configuration(self) -> dict[str, Any]:
        return dict(self._lambda.get_function_configuration(FunctionName=self.name))

    def _configure(self, handler: str, timeout: int, more: dict[str, str]) -> None:
        self._lambda.update_function_configuration(
            FunctionName=self.name,
            Handler=handler,
            Timeout=timeout,
            Environment={"Variables": self._variables | more},
        )
        self._wait()

    def _code(self, content: bytes) -> None:
        self._lambda.update_function_code(FunctionName=self.name, ZipFile=content)
        self._wait()

    def _wait(self) -> None:
        self._lambda.get_waiter("function_updated_v2").wait(
            FunctionName=self.name, WaiterConfig={"Delay": 1}
        )
