"""The commands of an operator: reconcile, repair, redrive, the projector; and what is not installed."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import ledger
from ledger import Ledger, connect
from ledger.cli import options
from ledger.cli.app import app, projector, stack
from ledger.cli.output import Output
from ledger.request import Request
from projector import shards
from projector.batch import process
from projector.poller import Poller, stream_arn
from tests.support.command import Folio


def project(folio: Folio, *, altered: bool = False) -> None:
    """Apply all that the stream has; `altered` makes each record one that nobody understands."""
    runtime = connect.runtime(ledger.Settings(), None, folio.endpoint_url)
    streams = connect.client("dynamodbstreams", runtime.settings, None, folio.endpoint_url)
    arn = stream_arn(runtime.store.client, runtime.settings.events_table)
    for shard in shards.updated({}, shards.listed(streams, arn), {}).values():
        records = shards.read(streams, arn, shard)
        for record in records:
            if altered and record.new is not None:
                record.new["v"] = {"N": "99"}
        process(runtime, records, parallel=1)


def tamper(folio: Folio, account: str) -> None:
    """Change a balance behind the ledger's back."""
    store = connect.runtime(ledger.Settings(), None, folio.endpoint_url).store
    change = {
        "TableName": ledger.Settings().balances_table,
        "Key": {"PK": {"S": f"ACCOUNT#{account}"}, "SK": {"S": "BALANCE#EUR"}},
        "UpdateExpression": "ADD credits :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    store.send(Request("update_item", change))


def test_a_clean_ledger_ends_with_0(folio: Folio) -> None:
    """People see the verdict and the trial balance, machines the report."""
    folio.deposit("user:1", "12.50")
    project(folio)
    said, told = folio("reconcile", "--grace", "0"), folio.answer("reconcile", "--grace", "0")
    assert said.code == 0
    assert said.out.endswith("clean\n")
    assert "12.50 EUR" in said.out
    assert (told["verdict"], told["entries"], told["findings"]) == ("clean", 2, [])


def test_drift_ends_with_3_and_repair_mends_what_is_missing(folio: Folio) -> None:
    """Nothing projects here: all is missing. Repair names it, and applies it only when told to."""
    folio.deposit("user:1")

    drift = folio("reconcile", "--grace", "0")
    named = folio("reconcile", "user:1", "--grace", "0", "--json")
    unasked = folio("repair", "--grace", "0")
    unagreed = folio("repair", "--grace", "0", "--json")
    repaired = folio("repair", "--grace", "0", "--yes", "--json")

    assert (drift.code, named.code) == (3, 3)
    assert drift.out.endswith("drift\n")
    assert "missing" in drift.out
    assert [f["account"] for f in named.json["findings"]] == ["user:1"]
    assert (unasked.code, unagreed.code) == (3, 3)
    assert "to be applied from the log: 2" in unasked.out
    assert "nothing was applied" in unasked.out
    assert (unagreed.json["agreed"], unagreed.json["applied"]) == (False, 0)
    assert (repaired.code, repaired.json["applied"], repaired.json["failed"]) == (0, 2, [])
    assert folio("reconcile", "--grace", "0").code == 0
    assert "nothing to repair" in folio("repair", "--grace", "0").out


@pytest.mark.parametrize(("answer", "applied"), [("y\n", 2), ("n\n", 0)])
def test_repair_asks_where_somebody_watches(folio: Folio, answer: str, applied: int) -> None:
    """At a terminal it applies what was agreed to, and nothing else."""
    folio.deposit("user:1")
    folio.monkeypatch.setattr(Output, "watched", property(lambda self: not self.json))
    folio.monkeypatch.setattr(typer, "confirm", lambda *_, **__: answer == "y\n")
    said = folio("repair", "--grace", "0")
    assert said.code == (0 if applied else 3)
    assert folio.answer("balance", "user:1", "EUR", "--view")["entry_count"] == applied // 2


def test_what_needs_a_rebuild_is_named_and_left_alone(folio: Folio) -> None:
    """A balance that was altered by hand: drift before the repair, and after it."""
    folio.deposit("user:1")
    project(folio)
    tamper(folio, "user:1")
    said = folio("repair", "--grace", "0", "--yes", "--json")
    assert said.code == 3
    assert [f["account"] for f in said.json["rebuild"]] == ["user:1"]
    assert "need a rebuild, left alone: 1" in folio("repair", "--grace", "0").out


def test_what_could_not_be_read_ends_with_4(folio: Folio) -> None:
    """Incomplete is never clean, and a repair of it is not done either."""
    folio.deposit("user:1")
    project(folio)
    send = ledger.store.Store.send

    def unreadable(self: Any, request: Request) -> Any:
        if request.operation == "query" and "user:1" in str(request.parameters):
            raise ledger.Unavailable("this partition cannot be read")
        return send(self, request)

    folio.monkeypatch.setattr("ledger.store.Store.send", unreadable)
    said, repaired = folio("reconcile", "--grace", "0"), folio("repair", "--grace", "0", "--yes")
    assert (said.code, repaired.code) == (4, 4)
    assert said.out.endswith("incomplete\n")
    assert "cannot be read" in said.out


def test_redrive_says_what_became_of_each_record(folio: Folio) -> None:
    """What this version understands is applied; what it does not stays, and the exit code is 4."""
    assert "0 left quarantine, 0 stay" in folio("redrive").out
    folio.deposit("user:1")
    project(folio, altered=True)

    stays = folio("redrive", "--json")
    said = folio("redrive")

    assert (stays.code, stays.json["fates"]) == (4, {"kept": 2})
    assert [item["fate"] for item in stays.json["items"]] == ["kept", "kept"]
    assert "0 left quarantine, 2 stay" in said.out
    assert "version" in said.out


def stopped_after(folio: Folio, number: int, *arguments: object) -> Any:
    """Run the projector until the view has what was posted, then send it a signal."""
    idle = Poller.step

    def step(self: Poller) -> tuple[int, bool]:
        result = idle(self)
        if self.idle_passes == 2:
            os.kill(os.getpid(), number)
        return result

    folio.monkeypatch.setattr(Poller, "step", step)
    return folio("projector", "run", *arguments)


def test_the_projector_runs_until_it_is_told_to_stop(folio: Folio, tmp_path: Path) -> None:
    """SIGTERM ends it with 0 after its batch; another one goes on from the checkpoint."""
    checkpoint = tmp_path / "here.json"
    folio.deposit("user:1")
    handler = signal.getsignal(signal.SIGTERM)

    first = stopped_after(folio, signal.SIGTERM, "--checkpoint", checkpoint, "--json")
    second = stopped_after(folio, signal.SIGINT, "--checkpoint", checkpoint, "--json")

    assert (first.code, first.json["applied"]) == (0, 2)
    assert (second.code, second.json["applied"], second.json["duplicates"]) == (130, 0, 0)
    lines = [json.loads(line) for line in first.err.splitlines()]
    assert [line["applied"] for line in lines if line["event"] == "batch"] == [2]
    assert signal.getsignal(signal.SIGTERM) == handler
    assert folio.answer("balance", "user:1", "EUR", "--view")["entry_count"] == 1


def test_without_a_checkpoint_the_projector_reads_all_again(folio: Folio) -> None:
    """Harmlessly: what it reads twice has no effect."""
    folio.deposit("user:1")
    stopped_after(folio, signal.SIGTERM)
    again = stopped_after(folio, signal.SIGTERM, "--json")
    assert (again.json["applied"], again.json["duplicates"]) == (0, 2)


def test_an_embedded_ledger_keeps_what_was_written(bare_folio: Folio, tmp_path: Path) -> None:
    """Each command is a process of its own; the next one finds the money, projected."""
    where = ("--embedded", tmp_path / "books")
    move = ("transfer", "world:card", "user:1", "1.00", "EUR", "--type", "deposit")
    assert bare_folio(*where, *move).code == 0
    held = bare_folio.answer("balance", "user:1", "EUR", "--view", *where)
    assert held["posted"]["amount"] == "1.00"


COMMANDS = [
    *(command for command in app.registered_commands),
    *(command for command in projector.registered_commands),
    *(command for command in stack.registered_commands),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself_with_an_example(command: Any) -> None:
    """And the example's options are the command's."""
    doc = command.callback.__doc__
    examples = re.findall(r"^Example: folio (.*)$", doc, re.MULTILINE)
    assert examples
    known = inspect.signature(command.callback).parameters
    names = {name.replace("_", "-") for name in known} | {"row-id"}
    for example in examples:
        groups = ("", "projector ", "stack ")
        assert example.startswith(tuple(f"{group}{command.name}" for group in groups))
        assert set(re.findall(r"--([a-z-]+)", example)) <= names | set(options.SHARED)


def test_help_and_version_are_there(bare_folio: Folio) -> None:
    """Help lists every command and says what the exit codes mean."""
    helped, version = bare_folio("--help"), bare_folio("--version")
    assert (helped.code, version.code) == (0, 0)
    text = " ".join(helped.out.split())
    assert all(str(command.name) in text for command in app.registered_commands)
    assert "3 drift" in text
    assert re.fullmatch(r"folio \d+\.\d+\.\d+\n", version.out)


def without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `folio` in a Python that has not this module."""
    code = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"  # as `import` finds a module that is not there
        f"sys.argv = ['folio', *{list(arguments)!r}]\n"
        "from ledger.cli import main\n"
        "main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_its_extra_the_command_says_what_to_install(module: str) -> None:
    """One line, exit code 1, and no traceback."""
    done = without(module, "--version")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "folio-ledger[cli]" in done.stderr


@pytest.mark.parametrize("arguments", [("--embedded", "x", "accounts"), ("demo",)])
def test_without_the_embedded_extra_the_rest_works(arguments: tuple[str, ...]) -> None:
    """Who works on AWS need not have an engine; who asks for one is told what to install."""
    assert without("filelock", "--version").returncode == 0
    done = without("filelock", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "folio-ledger[cli,embedded]" in done.stderr


def test_without_the_stack_extra_the_rest_works() -> None:
    """Who does not deploy need not read templates; who does is told what to install."""
    assert without("yaml", "--version").returncode == 0
    done = without("yaml", "stack", "deploy")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "folio-ledger[cli,stack]" in done.stderr


def test_the_library_does_not_load_the_command_line() -> None:
    """Importing the ledger costs no typer."""
    code = "import sys, ledger, ledger.importer; print('typer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert Ledger is ledger.Ledger
