"""Small functions of their own, from the files in tests/stack/data."""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path

from tests.stack.support.deployed import Clients

DATA = Path(__file__).parents[1] / "data"
ROLE = "arn:aws:iam::000000000000:role/any"
NUMBERS = itertools.count(1)


def zipped(source: str) -> bytes:
    """A package with one module, `function`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("function.py", source)
    return file.getvalue()


class Functions:
    """Functions that are removed together."""

    def __init__(self, clients: Clients) -> None:
        self._lambda = clients.client("lambda")
        self._names: list[str] = []

    def make(self, file: str, *, timeout: int = 10, **variables: str) -> str:
        """A function whose handler is `handler` in a file of tests/stack/data; its name."""
        name = f"function-{next(NUMBERS)}"
        self._lambda.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=ROLE,
            Handler="function.handler",
            Code={"ZipFile": zipped((DATA / file).read_text())},
            Timeout=timeout,
            Environment={"Variables": variables},
        )
        self._names.append(name)
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=name)
        return name

    def update_code(self, name: str, source: str) -> None:
        """A new version of its module."""
        self._lambda.update_function_code(FunctionName=name, ZipFile=zipped(source))
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=name)

    def update_variables(self, name: str, **variables: str) -> None:
        """Other environment variables, and only these."""
        self._lambda.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=name)

    def remove(self) -> None:
        """All that were made."""
        while self._names:
            self._lambda.delete_function(FunctionName=self._names.pop())
