"""`stack status`: what runs, how far it is behind, and what waits for an operator."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.cli import codes
from ledger.cli.output import table, text
from ledger.cli.session import Session
from ledger.cli.stack_deploy import Name, aws_of
from ledger.stack import stacks, status
from ledger.stack.judge import Part

STYLES = {"well": "green", "wrong": "red", "unknown": "yellow"}


def status_(session: Session, name: Name = "folio") -> int:
    """Say how the stack is: its functions, the stream, lag, alarms, the last reconciliation, what waits.

    Exit code 1: something is wrong, or could not be looked at.

    Example: folio stack status

    Example: folio stack status --name books --json
    """
    aws = aws_of(session)
    stack = stacks.read(aws, name)
    if stack is None:
        raise stacks.absent(aws, name)
    parts = status.look(aws, stack, datetime.now(UTC))
    wrong = [part.name for part in parts if part.state == "wrong"]
    code = codes.ERROR if wrong else codes.DONE
    document = {
        "stack": stack.name,
        "region": aws.region,
        "parts": [_document(part) for part in parts],
        "wrong": wrong,
        "exit_code": code,
    }
    rows = [[part.state, part.name, part.said] for part in parts]
    verdict = f"wrong: {', '.join(wrong)}" if wrong else "all well"
    last = text(verdict, STYLES["wrong" if wrong else "well"])
    session.output.show(document, table(["", "part", "how it is"], rows), last)
    return code


def _document(part: Part) -> dict[str, object]:
    return {"part": part.name, "state": part.state, "said": part.said, "facts": dict(part.facts)}
