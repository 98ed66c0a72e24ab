"""The commands. Exit codes: 0 done or clean, 1 error, 2 usage, 3 drift, 4 incomplete, 5 rows rejected."""

from __future__ import annotations

import json
import logging
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

from ledger import connect
from ledger.cli import demo as demo_
from ledger.cli.context import (
    ERROR,
    INCOMPLETE,
    REJECTED,
    Options,
    caught_up,
    fail,
    opened,
    printable,
    tell,
)
from ledger.errors import InvalidRequest, LedgerError
from ledger.importer import Summary, file_mapping, import_file
from ledger.ledger import Ledger
from ledger.log import to_stream
from ledger.model import Entry, Leg, Receipt, credit, debit
from ledger.reconcile import Report, reconcile
from projector import repair as repairs
from projector.checkpoint import Checkpoint
from projector.poller import Poller, stream_arn
from projector.redrive import redrive

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
projector_app = typer.Typer(no_args_is_help=True, help="The projector, where there is no Lambda.")
app.add_typer(projector_app, name="projector")

Key = Annotated[str | None, typer.Option("--key", help="an idempotency key")]
Type = Annotated[str, typer.Option("--type", help='the transaction\'s type, as in "deposit"')]
Text = Annotated[str | None, typer.Option("--description")]
Id = Annotated[str | None, typer.Option("--id", help="the id of an earlier, unknown attempt")]


def run() -> None:
    """Run the command line; Ctrl-C ends it with 130."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


def _version(value: bool) -> None:
    if value:
        typer.echo(version("folio-ledger"))
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
    embedded: Annotated[Path | None, typer.Option(help="an engine of its own, kept here")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="an engine's address")] = None,
    region: Annotated[str | None, typer.Option(help="the AWS region")] = None,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """An event-sourced double-entry ledger. Example: folio --embedded ./books balance user:42."""
    context.obj = Options(as_json, embedded, endpoint_url, region)


@app.command()
def init(context: typer.Context) -> None:
    """Create the tables on an engine. Example: folio --endpoint-url http://localhost:8000 init."""
    with opened(context) as ledger:
        ledger.create_tables()
        tell(context, {"created": True}, ["tables"], [["ready"]])


@app.command("open")
def open_(context: typer.Context, accounts: list[str]) -> None:
    """Open accounts before their first entry. Example: folio open user:42 shop:7."""
    with opened(context) as ledger:
        new = {name: ledger.open_account(name) for name in accounts}
        tell(context, new, ["account", "new"], [[n, "yes" if v else "no"] for n, v in new.items()])


@app.command()
def post(
    context: typer.Context,
    type: Type,
    debit_: Annotated[
        list[str] | None, typer.Option("--debit", help="ACCOUNT AMOUNT CURRENCY")
    ] = None,
    credit_: Annotated[list[str] | None, typer.Option("--credit", help="as --debit")] = None,
    key: Key = None,
    description: Text = None,
    id: Id = None,
) -> None:
    """Post a transaction.

    Example: folio post --type deposit --debit 'world:card 9.90 EUR' --credit 'user:42 9.90 EUR'.
    """
    with opened(context) as ledger:
        legs = [_leg(ledger, debit, text) for text in debit_ or ()]
        legs += [_leg(ledger, credit, text) for text in credit_ or ()]
        _receipt(
            context,
            ledger,
            ledger.post(legs, type=type, idempotency_key=key, description=description, id=id),
        )


def _leg(ledger: Ledger, side: Any, text: str) -> Leg:
    parts = text.split()
    if len(parts) != 3:
        raise InvalidRequest("an entry is 'ACCOUNT AMOUNT CURRENCY', as in 'user:42 12.50 EUR'")
    leg: Leg = side(parts[0], ledger.money(parts[1], parts[2]))
    return leg


@app.command()
def transfer(
    context: typer.Context,
    source: str,
    destination: str,
    amount: str,
    currency: str,
    type: Type,
    key: Key = None,
    description: Text = None,
    id: Id = None,
) -> None:
    """Move money. Example: folio transfer user:42 shop:7 9.90 EUR --type purchase --key order-1."""
    with opened(context) as ledger:
        receipt = ledger.transfer(
            source=source,
            destination=destination,
            money=ledger.money(amount, currency),
            type=type,
            idempotency_key=key,
            description=description,
            id=id,
        )
        _receipt(context, ledger, receipt)


def _receipt(context: typer.Context, ledger: Ledger, receipt: Receipt) -> None:
    rows = [
        [
            receipt.id,
            e.account,
            e.direction,
            ledger.format(e.money),
            "yes" if receipt.replayed else "",
        ]
        for e in receipt.entries
    ]
    tell(context, receipt, ["transaction", "account", "direction", "amount", "replayed"], rows)


@app.command()
def balance(
    context: typer.Context, account: str, currency: Annotated[str | None, typer.Argument()] = None
) -> None:
    """What an account holds. Example: folio balance user:42 EUR."""
    with opened(context) as ledger:
        found = (
            {currency: ledger.balance(account, currency)} if currency else ledger.balances(account)
        )
        rows = [
            [ledger.format(b.posted), ledger.format(b.available), b.entry_count]
            for b in found.values()
        ]
        tell(context, found, ["posted", "available", "entries"], rows)


@app.command()
def entries(
    context: typer.Context,
    account: str,
    currency: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option()] = 100,
    cursor: Annotated[str | None, typer.Option()] = None,
    newest_first: Annotated[bool, typer.Option("--newest-first")] = False,
) -> None:
    """A page of an account's entries. Example: folio entries user:42 --newest-first --limit 20."""
    with opened(context) as ledger:
        page = ledger.entries(
            account, currency=currency, limit=limit, cursor=cursor, newest_first=newest_first
        )
        tell(context, page, ENTRY, [_entry(ledger, e) for e in page])
        if page.cursor and not context.obj.as_json:
            typer.echo(f"more: --cursor {page.cursor}")


ENTRY = ["entry", "recorded at (UTC)", "account", "type", "direction", "amount", "description"]


def _entry(ledger: Ledger, e: Entry) -> list[Any]:
    amount = ledger.format(e.money)
    return [
        e.id,
        f"{e.recorded_at:%Y-%m-%d %H:%M:%S}",
        e.account,
        e.type,
        e.direction,
        amount,
        e.description,
    ]


@app.command()
def transaction(context: typer.Context, id: str) -> None:
    """A transaction as a whole. Example: folio transaction 01M8697B9B79WXG766QSPG4TWG."""
    with opened(context) as ledger:
        found = ledger.transaction(id)
        tell(context, found, ENTRY, [_entry(ledger, e) for e in found.entries])


@app.command()
def accounts(
    context: typer.Context,
    prefix: Annotated[str, typer.Option()] = "",
    limit: Annotated[int, typer.Option()] = 100,
    cursor: Annotated[str | None, typer.Option()] = None,
) -> None:
    """The accounts, by name. Example: folio accounts --prefix user:."""
    with opened(context) as ledger:
        page = ledger.accounts(prefix=prefix, limit=limit, cursor=cursor)
        tell(context, page, ["account"], [[name] for name in page])


@app.command("import")
def import_(
    context: typer.Context,
    file: Path,
    mapping: Annotated[Path, typer.Option(help="a TOML file that says what the columns are")],
    rejects: Annotated[Path, typer.Option(help="where bad rows go")] = Path("rejects.csv"),
) -> None:
    """Import a CSV file, each row once. Example: folio --embedded ./bank import rows.csv.gz --mapping bank.toml."""
    with opened(context) as ledger:
        summary = import_file(ledger, file, file_mapping(mapping), rejects=rejects)
        names = ["rows", "imported", "replayed", "repeated", "rejected", "unfinished"]
        tell(context, summary, names, [[getattr(summary, name) for name in names]])
        if code := _import_code(summary):
            raise typer.Exit(code)


def _import_code(summary: Summary) -> int:
    if not summary.finished:
        return ERROR
    return REJECTED if summary.rejected else 0


@app.command("reconcile")
def reconcile_(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[ACCOUNT]...")] = None,
    grace: Annotated[
        float | None, typer.Option(help="seconds in which entries may be in flight")
    ] = None,
) -> None:
    """Replay the log and verify the views. Example: folio reconcile; folio reconcile user:42."""
    with opened(context) as ledger:
        caught_up(ledger)
        report = reconcile(ledger.runtime, names, grace_seconds=grace)
        _report(context, report)
    raise typer.Exit(report.exit_code)


def _report(context: typer.Context, report: Report) -> None:
    rows = [
        [f.kind, f.account, f.currency, f.entry_id or f.page or f.transaction_id, f.message]
        for f in report.findings
    ]
    tell(context, report, ["finding", "account", "currency", "where", "what"], rows)
    if context.obj.as_json:
        return
    for code, t in report.totals.items():
        typer.echo(
            f"{code}: credits {t.credits}, debits {t.debits} minor units; "
            f"appended alone +{t.single_credits} -{t.single_debits}"
        )
    for line in report.unread:
        typer.echo(f"not read: {printable(line)}")
    typer.echo(
        f"{report.verdict}: {report.accounts} accounts, {report.entries} entries, {report.transactions} transactions, "
        f"{report.in_flight} in flight"
    )


@app.command()
def repair(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    grace: Annotated[float | None, typer.Option(help="as in reconcile")] = None,
) -> None:
    """Apply what the view misses, from the log. Example: folio repair --yes."""
    with opened(context) as ledger:
        caught_up(ledger)
        report = reconcile(ledger.runtime, grace_seconds=grace)
        plan = repairs.plan(report)
        if not context.obj.as_json:
            typer.echo(
                f"to apply: {len(plan.missing)} entries; to rebuild, by hand for now: {len(plan.rebuild)} findings"
            )
        if plan.missing and not (yes or (not context.obj.as_json and typer.confirm("apply them?"))):
            raise typer.Exit(report.exit_code)
        done = repairs.repair(ledger.runtime, plan)
        told = {
            "applied": done.applied,
            "already": done.already,
            "failed": done.failed,
            "rebuild": [f.message for f in plan.rebuild],
        }
        tell(
            context,
            told,
            ["applied", "already there", "failed"],
            [[done.applied, done.already, len(done.failed)]],
        )
    if report.verdict == "incomplete":
        raise typer.Exit(INCOMPLETE)
    raise typer.Exit(ERROR if done.failed else (3 if plan.rebuild or report.omitted else 0))


@app.command("redrive")
def redrive_(context: typer.Context) -> None:
    """Look at what waits in quarantine again. Example: folio redrive."""
    with opened(context) as ledger:
        fates = [
            {"event": r.kept.event_id, "fate": r.fate, "reason": r.reason}
            for r in redrive(ledger.runtime)
        ]
        tell(context, fates, ["record", "fate", "reason"], [list(fate.values()) for fate in fates])


@app.command()
def demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="the day's seed")] = 1,
    transactions: Annotated[int, typer.Option(help="how many")] = 3000,
) -> None:
    """A small payment company's day, with faults, proven at its end. Example: folio demo --seed 7."""
    try:
        result = demo_.day(seed, transactions, quiet=context.obj.as_json)
    except LedgerError as error:
        fail(context.obj, error)
    if context.obj.as_json:
        typer.echo(json.dumps(result))
    raise typer.Exit(0 if result["right"] else ERROR)


@projector_app.command("run")
def projector_run(
    context: typer.Context,
    checkpoint: Annotated[Path | None, typer.Option(help="where it stands is kept here")] = None,
) -> None:
    """Apply the stream until it is stopped. Example: folio projector run --checkpoint here.json."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    to_stream(sys.stdout, logging.INFO)
    with opened(context) as ledger:
        runtime, given = ledger.runtime, context.obj
        streams = connect.client("dynamodbstreams", runtime.settings, None, given.endpoint_url)
        arn = stream_arn(runtime.store.client, runtime.settings.events_table)
        Poller(runtime, streams, arn, checkpoint=Checkpoint(checkpoint)).run(stop)
