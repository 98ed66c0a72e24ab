"""`restored` and `replay`: the drill after a restore, and a view that was lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from ledger import keys
from ledger import restored as drill
from ledger.cli import codes
from ledger.cli.output import printable, table
from ledger.cli.progress import steps
from ledger.cli.session import Session
from ledger.errors import Misconfigured
from ledger.restored import Cuts, Mended
from projector import replay as replaying
from projector import taken

SHOWN = 50
"""Of what a table lists, how many rows people are shown; machines get all."""

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Copy = Annotated[
    bool,
    typer.Option(
        "--this-is-a-restored-copy",
        help="Where the table cannot say that it was restored: an engine, an import.",
    ),
]
SideBySide = Annotated[int, typer.Option(help="Parts of the log at once.", min=1, max=64)]


def replay(session: Session, parallel: SideBySide = 4) -> int:
    """Apply every entry of the log to the balances: fills a view that was lost, or a new one.

    What is there already is not added again: run it beside the projector, and again if it was
    killed. Exit code 4: some entries were not applied, and are named.

    Example: folio replay --parallel 8
    """
    with session.ledger() as ledger, steps(session.output, "replaying") as progress:
        done = replaying.replay(
            ledger.runtime,
            segments=parallel,
            progress=lambda so_far: progress.at(
                so_far.read, None, entries=so_far.read, applied=so_far.applied
            ),
        )
    code = codes.INCOMPLETE if done.unsound or done.refused else codes.DONE
    session.output.show(
        asdict(done) | {"exit_code": code},
        *(f"not applied: {printable(why)}" for why in done.told),
        f"{done.read:,} entries read, {done.applied:,} applied, {done.already:,} were there, "
        f"{done.unsound:,} not sound, {done.refused:,} refused",
    )
    return code


def restored(session: Session, yes: Yes = False, this_is_a_restored_copy: Copy = False) -> int:
    """After a point-in-time restore, before anything uses the tables: make the log whole again.

    Entries that a header names and the cut left out are written again from it. Entries without a
    header never were a transaction: they are kept in quarantine and taken out. Idempotency keys and
    accounts follow the log. It says what it would do, and asks; without a terminal, and with
    --json, it does it with --yes only. It refuses where the tables are not a restored copy, have a
    stream, or a view. Then: folio replay, folio reconcile.

    Exit code 3: something is in parts still, or wrong in another way. 4: run it again for the rest.

    Example: folio restored --yes
    """
    with session.ledger() as ledger:
        rt = ledger.runtime
        with steps(session.output, "surveying") as progress:
            cuts = drill.survey(rt, lambda items: progress.at(items, None, items=items))
        if not session.output.json:
            session.output.show({}, *_planned(cuts))
        done, agreed = Mended(), False
        if not cuts.whole:
            if refused := drill.refusal(rt, cuts, declared=this_is_a_restored_copy):
                raise Misconfigured(f"nothing was done: {refused}")
            agreed = yes or _asked(session)
        if agreed:
            done = drill.mend(rt, cuts, lambda item: taken.keep(rt, item))
    left = [*cuts.left, *done.left]
    code = _code(cuts, left, agreed=agreed)
    session.output.show(
        _document(cuts, done, left, code, agreed=agreed), *_done(done, left, agreed)
    )
    return code


def _code(cuts: Cuts, left: list[str], *, agreed: bool) -> int:
    if left or (not cuts.whole and not agreed):
        return codes.DRIFT
    return codes.INCOMPLETE if cuts.more else codes.DONE


def _asked(session: Session) -> bool:
    return session.output.watched and typer.confirm("do this?", err=True)


def _rows(cuts: Cuts) -> Iterator[tuple[str, str, str]]:
    for entry in cuts.missing:
        yield "entry written again", entry.account, entry.id
    for item in cuts.lone:
        _, entry_id = keys.split_event(item["SK"]["S"])
        yield "entry taken out", keys.account_name(item["PK"]["S"]), entry_id
    for key in cuts.lost_keys:
        yield "key written again", "", key.transaction_id
    for key in cuts.lone_keys:
        yield "key removed", "", key.transaction_id
    for name in cuts.unregistered:
        yield "account registered", name, ""


def _planned(cuts: Cuts) -> list[RenderableType]:
    rows = [list(row) for row in _rows(cuts)]
    if not rows:
        return [f"{cuts.items:,} items of the log: nothing is in parts"]
    said = [table(["what would be done", "account", "entry or transaction"], rows[:SHOWN])]
    more = [f"and {len(rows) - SHOWN:,} more"] if len(rows) > SHOWN else []
    return [*said, *more]


def _done(done: Mended, left: list[str], agreed: bool) -> list[RenderableType]:
    shown: list[RenderableType] = [f"left alone: {printable(why)}" for why in left]
    if not agreed:
        return [*shown, "nothing was done"]
    counts = asdict(done) | {"left": len(left)}
    return [*shown, ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items())]


def _document(
    cuts: Cuts, done: Mended, left: list[str], code: int, *, agreed: bool
) -> dict[str, Any]:
    names = ("do", "account", "id")
    return {
        "items": cuts.items,
        "planned": [dict(zip(names, row, strict=True)) for row in _rows(cuts)],
        "agreed": agreed,
        "done": {name: n for name, n in asdict(done).items() if name != "left"},
        "left": left,
        "more": cuts.more,
        "exit_code": code,
    }
