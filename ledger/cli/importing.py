"""`import`: a bank's file of rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import codes
from ledger.cli.output import printable, table
from ledger.cli.progress import Steps, steps
from ledger.cli.session import Session
from ledger.importer import FileMapping, Summary, check_file, file_mapping, import_file
from ledger.importer.run import Progress
from ledger.money import Currencies
from ledger.settings import Settings

PANEL = "The mapping: what the columns are"
REJECTS_SUFFIX = ".rejects.csv"


def _field(told: str, *names: str, metavar: str = "TEMPLATE") -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        *names, help=told, metavar=metavar, rich_help_panel=PANEL
    )
    return option


Source = Annotated[str | None, _field("The name of what the file is a part of.", metavar="NAME")]
RowId = Annotated[str | None, _field("The row's own id, as {trans_id}.", "--row-id")]
Account = Annotated[str | None, _field("As client:{account_id}.")]
Counter = Annotated[
    list[str] | None,
    _field(
        "The other side, as bank:{bank}:{account}, or a constant; of several the first that the "
        "row has; {spread 16} is 00 to 15, by the row's id."
    ),
]
Amount = Annotated[
    list[str] | None, _field("As {amount}; of several the first, as {in} and -{out}.")
]
Date = Annotated[str | None, _field("As {date}.")]
Type = Annotated[str | None, _field("The transaction's type, as {kind} or bank-statement.")]
Currency = Annotated[str | None, _field("As EUR or {currency}.")]
Direction = Annotated[str | None, _field("As {type}; without it the amount's sign says.")]
CreditWord = Annotated[
    list[str] | None, _field("What --direction says for money in.", metavar="WORD")
]
DebitWord = Annotated[
    list[str] | None, _field("What --direction says for money out.", metavar="WORD")
]
Description = Annotated[str | None, _field("As {purpose}.")]
Delimiter = Annotated[str | None, _field("Of fields.", metavar="CHARACTER")]
Encoding = Annotated[str | None, _field("Of the text.", metavar="NAME")]
Decimals = Annotated[str | None, _field("Of amounts.", metavar="CHARACTER")]
Thousands = Annotated[str | None, _field("Of amounts.", metavar="CHARACTER")]
DateFormat = Annotated[str | None, _field("As %d.%m.%Y.", metavar="FORMAT")]
Zone = Annotated[str | None, _field("Of dates that name none, as Europe/Prague.", metavar="NAME")]
ClaimKeys = Annotated[
    bool,
    typer.Option(
        "--claim-keys",
        help="Put each row's id under an idempotency key too: a row whose date was corrected is "
        "then a conflict and no second transaction.",
        rich_help_panel=PANEL,
    ),
]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", help="A TOML file of the options below.", metavar="FILE"),
]
RejectsFile = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        help=f"Where bad rows go, with line and reason (default: FILE{REJECTS_SUFFIX}, here).",
        metavar="FILE",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check every row, send nothing.")]


def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(help="CSV, plain or gzip.", metavar="FILE")],
    mapping: MappingFile = None,
    rejects: RejectsFile = None,
    dry_run: DryRun = False,
    source: Source = None,
    id: RowId = None,
    account: Account = None,
    counter_account: Counter = None,
    amount: Amount = None,
    currency: Currency = None,
    date: Date = None,
    date_format: DateFormat = None,
    zone: Zone = None,
    type: Type = None,
    direction: Direction = None,
    credit: CreditWord = None,
    debit: DebitWord = None,
    description: Description = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    decimal_separator: Decimals = None,
    thousands_separator: Thousands = None,
    claim_keys: ClaimKeys = False,
) -> int:
    """Import a file of rows, each exactly once: run it again to finish it, and nothing is added.

    In a template, {column} stands for the row's value. A row's id in the ledger is made from the
    source, its own id and its date.

    Example: folio import rows.csv.gz --mapping bank.toml

    Example: folio import rows.csv --source bank --row-id {id} --account client:{client}
    --counter-account world:bank/{spread 16} --amount {amount} --currency EUR --date {day}
    --type statement
    """
    read = file_mapping(
        mapping,
        source=source,
        id=id,
        account=account,
        counter_account=counter_account,
        amount=amount,
        currency=currency,
        date=date,
        date_format=date_format,
        zone=zone,
        type=type,
        direction=direction,
        credit=credit,
        debit=debit,
        description=description,
        delimiter=delimiter,
        encoding=encoding,
        decimal_separator=decimal_separator,
        thousands_separator=thousands_separator,
        claim_keys=claim_keys or None,
    )
    beside = rejects or Path(file.name + REJECTS_SUFFIX)
    summary = (
        _checked(session, file, read, beside) if dry_run else _sent(session, file, read, beside)
    )
    return _tell(session, summary, beside, dry_run=dry_run)


def _sent(session: Session, file: Path, mapping: FileMapping, rejects: Path) -> Summary:
    with (
        session.ledger(settled=True) as ledger,
        steps(session.output, "importing") as progress,
    ):
        return import_file(ledger, file, mapping, rejects=rejects, progress=_to(progress))


def _checked(session: Session, file: Path, mapping: FileMapping, rejects: Path) -> Summary:
    currencies = Currencies(Settings().currencies)
    with steps(session.output, "checking") as progress:
        return check_file(file, mapping, currencies, rejects=rejects, progress=_to(progress))


def _to(progress: Steps) -> Progress:
    def tell(summary: Summary, read_bytes: int, size_bytes: int) -> None:
        progress.at(read_bytes, size_bytes, rows=summary.rows, rejected=summary.rejected)

    return tell


def _tell(session: Session, summary: Summary, rejects: Path, *, dry_run: bool) -> int:
    code = _code(summary)
    counts = asdict(summary)
    named = str(rejects) if summary.rejected else None
    document = {**counts, "rejects": named, "dry_run": dry_run, "exit_code": code}
    names = {
        "rows": "read",
        "imported": "would go in" if dry_run else "imported",
        "replayed": "in the ledger already, nothing added",
        "repeated": "repeated in the file, passed over",
        "rejected": "rejected",
        "unfinished": "unfinished: in or not, import again",
    }
    rows = [[f"{counts[name]:,}", said] for name, said in names.items()]
    shown = table(["rows", "what became of them"], rows, numbers="rows")
    session.output.show(document, shown, *_then(summary, named))
    return code


def _then(summary: Summary, rejects: str | None) -> list[str]:
    said = []
    if rejects:
        said.append(f"rejected rows, with line and reason: {printable(rejects)}")
    if summary.damaged:
        said.append(f"not read to its end: {printable(summary.damaged)}")
    if not summary.finished:
        said.append(f"not finished; known up to line {summary.line}: run the same import again")
    return said


def _code(summary: Summary) -> int:
    if not summary.finished:
        return codes.ERROR
    return codes.REJECTED if summary.rejected else codes.DONE
