"""Small functions of their own, from the files in tests/stack/data."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Sequence
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
        self._dynamodb = clients.client("dynamodb")
        self._names: list[str] = []
        self._mappings: list[str] = []
        self._tables: list[str] = []

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

    def make_stream(self, ids: Sequence[str]) -> str:
        """The stream of a table that the items were put into; its ARN."""
        table = f"table-{next(NUMBERS)}"
        made = self._dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
        self._tables.append(table)
        self._dynamodb.get_waiter("table_exists").wait(TableName=table)
        for id in ids:
            self._dynamodb.put_item(TableName=table, Item={"id": {"S": id}})
        return str(made["TableDescription"]["LatestStreamArn"])

    def connect(self, stream: str, name: str) -> None:
        """Put a function behind a stream, from its beginning."""
        mapping = self._lambda.create_event_source_mapping(
            FunctionName=name, EventSourceArn=stream, StartingPosition="TRIM_HORIZON", BatchSize=100
        )
        self._mappings.append(mapping["UUID"])

    def remove(self) -> None:
        """All that were made."""
        while self._mappings:
            self._lambda.delete_event_source_mapping(UUID=self._mappings.pop())
        while self._tables:
            self._dynamodb.delete_table(TableName=self._tables.pop())
        while self._names:
            self._lambda.delete_function(FunctionName=self._names.pop())
