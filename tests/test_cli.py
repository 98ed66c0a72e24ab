"""The command line: what it does, what it says, and what its exit code means."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ledger import connect
from tests.support.command import Folio
from tests.support.faults import FaultyClient


def test_money_moves_and_is_seen(folio: Folio) -> None:
    """A transfer is in the balance, the entries, the transaction and the accounts."""
    moved = folio.deposit("user:1", "12.50", "--description", "first", "--key", "k1")

    held = folio.answer("balance", "user:1", "EUR")
    listed = folio.answer("entries", "user:1", "--currency", "EUR")
    posted = folio.answer("transaction", moved["id"])

    assert held["posted"] == {"amount": "12.50", "amount_minor": 1250, "currency": "EUR"}
    assert held["entry_count"] == 1
    assert folio.answer("balance", "user:1")["items"] == [held]
    assert folio.answer("balance", "user:1", "EUR", "--view")["entry_count"] == 0
    assert (listed["items"], listed["cursor"]) == ([moved["entries"][1]], None)
    assert (posted["type"], posted["description"]) == ("deposit", "first")
    assert folio.answer("transaction", "--key", "k1") == posted
    assert folio.answer("accounts", "--prefix", "user:")["items"] == ["user:1"]


def test_people_get_tables(folio: Folio) -> None:
    """Amounts with the currency's decimals, times in UTC, and no colours where nobody watches."""
    moved = folio.deposit("user:1", "12.5", "--metadata", '{"order": 7}')

    shown = [
        folio("transfer", "world:card", "user:1", "3", "JPY", "--type", "deposit"),
        folio("balance", "user:1"),
        folio("entries", "user:1"),
        folio("transaction", moved["id"]),
        folio("accounts"),
        folio("balance", "user:2"),
    ]

    assert [said.code for said in shown] == [0] * 6
    assert "3 JPY" in shown[0].out
    assert "12.50 EUR" in shown[1].out
    assert moved["recorded_at"][:19].replace("T", " ") in shown[2].out
    assert '{"order": 7}' in shown[3].out
    assert "world:card" in shown[4].out
    assert shown[5].out == "user:2 has no entries\n"
    assert not any("\x1b" in said.out + said.err for said in shown)


def test_a_transaction_of_several_entries(folio: Folio) -> None:
    """Its entries are given three words each, any number of times."""
    legs = ["--debit", "user:1", "9.90", "EUR", "--credit", "shop:7", "9.50", "EUR"]
    legs += ["--credit", "company:fees", "0.40", "EUR"]

    posted = folio.answer("post", *legs, "--type", "purchase", "--key", "order-1")
    again = folio.answer("post", *legs, "--type", "purchase", "--key", "order-1")

    assert [(e["account"], e["direction"], e["money"]["amount"]) for e in posted["entries"]] == [
        ("user:1", "debit", "9.90"),
        ("shop:7", "credit", "9.50"),
        ("company:fees", "credit", "0.40"),
    ]
    assert (again["id"], again["replayed"], posted["replayed"]) == (posted["id"], True, False)


TRANSACTION = {
    "type": "purchase",
    "entries": [
        {"account": "user:1", "direction": "debit", "amount": "9.90", "currency": "EUR"},
        {"account": "shop:7", "direction": "credit", "amount": "9.90", "currency": "EUR"},
    ],
    "effective_at": "2026-11-01T12:00:00+01:00",
    "metadata": {"order": [7, "a"]},
}


def test_a_transaction_as_json(folio: Folio, tmp_path: Path) -> None:
    """From a file or from standard input; an option goes before what it says."""
    path = tmp_path / "transaction.json"
    path.write_text(json.dumps(TRANSACTION))

    from_file = folio.answer("post", path, "--key", "k1")
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(TRANSACTION | {"type": "gift"}).encode()))
    folio.monkeypatch.setattr(sys, "stdin", stdin)
    from_stdin = folio.answer("post", "-", "--type", "purchase", "--key", "k1")

    assert from_file["entries"][0]["effective_at"] == "2026-11-01T11:00:00Z"
    assert (from_stdin["id"], from_stdin["replayed"]) == (from_file["id"], True)
    assert folio.answer("transaction", "--key", "k1")["metadata"] == {"order": [7, "a"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"entries": [{**TRANSACTION["entries"][0], "amount": 9.9}]}, "entries.0.amount"),  # type: ignore[index]
        ({"entries": 7}, "entries"),
        ({"amount": "1"}, "amount: is no field"),
        ({"metadata": {"rate": 0.5}}, "metadata['rate']"),
        ({"effective_at": "2026-11-01T12:00:00"}, "effective_at"),
        ({"type": None}, "type is missing"),
    ],
)
def test_a_json_transaction_that_is_wrong_names_the_field(
    folio: Folio, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    """It is refused as any bad call, and never half understood: a float is no amount."""
    path = tmp_path / "transaction.json"
    path.write_text(json.dumps(TRANSACTION | change))
    said = folio("post", path, "--json")
    assert (said.code, said.json["error"]["class"]) == (2, "InvalidRequest")
    assert says in said.json["error"]["message"]


def test_a_conflict_names_the_fields_that_differ(folio: Folio) -> None:
    """Another request under the same key: exit code 1, and JSON says all that the error knows."""
    first = folio.deposit("user:1", "1.00", "--key", "k")

    said = folio(
        "transfer", "world:card", "user:1", "2.00", "EUR", "--type", "deposit", "--key", "k"
    )
    told = folio(
        *("transfer", "world:card", "user:1", "2.00", "EUR", "--type", "deposit"),
        "--key",
        "k",
        "--json",
    )

    assert (said.code, told.code, said.out) == (1, 1, "")
    assert said.err.startswith("folio: IdempotencyConflict: ")
    error = told.json["error"]
    assert (error["class"], error["retryable"]) == ("IdempotencyConflict", False)
    assert (error["id"], error["idempotency_key"]) == (first["id"], "k")
    assert error["fields"] == ["entries[0].amount_minor", "entries[1].amount_minor"]


@pytest.mark.parametrize(
    "arguments",
    [
        "transfer world:card user#1 1.00 EUR --type deposit",
        "transfer world:card user:1 1e3 EUR --type deposit",
        "transfer world:card user:1 NaN EUR --type deposit",
        "transfer world:card user:1 1.00 XYZ --type deposit",
        "transfer world:card user:1 1.00 EUR",
        "transfer world:card user:1 1.00 EUR --type deposit --effective-at 2026-11-01T12:00:00",
        "transfer world:card user:1 1.00 EUR --type deposit --effective-at yesterday",
        "transfer world:card user:1 1.00 EUR --type deposit --metadata [1]",
        "transfer world:card user:1 1.00 EUR --type deposit --metadata {",
        "transfer world:card user:1 1.00 EUR --type deposit --id 01m8",
        "post --type deposit --debit world:card 1.00",
        "post --type deposit --debit world:card 1.00 EUR --credit user:1 2.00 EUR",
        "post no-such-file.json",
        "transaction nonsense",
        "transaction",
        "entries user:1 --cursor nonsense",
        "entries user:1 --limit 0",
        "entries user:1 --since 2026-11-01",
        "accounts --limit many",
        "balance user:1 EUR --embedded /nowhere --region eu-west-1",
        "import no-such-file.csv --mapping no-such-file.toml",
        "projector run --embedded /nowhere",
        "demo --region eu-west-1",
        "demo --seed one",
        "no-such-command",
        "balance --no-such-option",
        "balance",
    ],
)
def test_nonsense_is_refused_with_exit_code_2(bare_folio: Folio, arguments: str) -> None:
    """Before any call: for people a line on standard error, for machines one document."""
    said, told = bare_folio(*arguments.split()), bare_folio(*arguments.split(), "--json")
    assert (said.code, told.code) == (2, 2)
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "Traceback" not in said.err
    assert told.json["error"]["class"] in ("InvalidRequest", "Usage")
    assert told.json["error"]["message"]


def test_options_stand_before_the_command_and_after_it(folio: Folio) -> None:
    """Both places mean the same."""
    folio.deposit("user:1")
    call = ("balance", "user:1", "EUR")
    before, after = folio("--json", *call), folio(*call, "--json")
    assert before == after
    folio.monkeypatch.delenv("AWS_ENDPOINT_URL")
    folio.monkeypatch.delenv("AWS_DEFAULT_REGION")
    where = ("--endpoint-url", folio.endpoint_url, "--region", "us-east-1")
    assert folio(*where, *call, "--json") == folio(*call, *where, "--json") == before


def test_listings_go_on_where_a_page_ended(folio: Folio) -> None:
    """An object with items and a cursor; people are told the cursor too."""
    ids = [folio.deposit("user:1")["id"] for _ in range(3)]

    first = folio.answer("entries", "user:1", "--limit", "2")
    rest = folio.answer("entries", "user:1", "--limit", "2", "--cursor", first["cursor"])

    listed = [e["transaction_id"] for e in first["items"] + rest["items"]]
    assert (listed, rest["cursor"]) == (ids, None)
    assert f"more: --cursor {first['cursor']}" in folio("entries", "user:1", "--limit", "2").out
    assert folio.answer("accounts", "--limit", "1")["cursor"]
    newest = folio.answer("entries", "user:1", "--newest-first", "--until", "2100-01-01T00:00:00Z")
    assert [e["transaction_id"] for e in newest["items"]] == ids[::-1]


def test_accounts_are_opened_before_their_first_entry(folio: Folio) -> None:
    """With declared accounts an unknown one is refused: a typo must not hold money."""
    folio.set("LEDGER_ACCOUNTS", "declared")
    opened = folio.answer("open", "user:1", "world:card", "user:1")
    assert opened["items"] == [
        {"account": "user:1", "opened": True},
        {"account": "world:card", "opened": True},
    ]
    assert "was open" in folio("open", "user:1").out
    folio.deposit("user:1")
    typo = folio("transfer", "world:card", "user:11", "1", "EUR", "--type", "deposit", "--json")
    assert (typo.code, typo.json["error"]["class"]) == (1, "NotFound")


def test_what_a_terminal_would_obey_is_shown_and_not_obeyed(folio: Folio) -> None:
    """Escape sequences, markup, line breaks and right-to-left marks come out as text."""
    text = "\x1b[31mred\x07 [bold]b[/bold]\nnext\u202eback :smile:"
    folio.deposit("user:[red]1", "1.00", "--description", text, "--key", "\x1b]0;k\x07")

    shown = folio("entries", "user:[red]1").out + folio("transaction", "--key", "\x1b]0;k\x07").out
    conflict = folio("transaction", "--key", "\x1b[2J").err

    assert r"\x1b[31mred\x07 [bold]b[/bold]\nnext\u202eback :smile:" in shown
    assert "user:[red]1" in shown
    assert not set(shown + conflict) & set("\x1b\x07\u202e")
    assert folio.answer("entries", "user:[red]1")["items"][0]["description"] == text


def test_an_unknown_outcome_names_the_id_to_try_again_with(folio: Folio) -> None:
    """Every reply is lost: exit code 1, and the same call with that id is then a replay."""
    client = connect.client

    def losing(service: str, *arguments: object) -> object:
        faulty = FaultyClient(client(service, *arguments))  # type: ignore[arg-type]
        faulty.always("transact_write_items", "reply lost")
        return faulty

    call = ("transfer", "world:card", "user:1", "1.00", "EUR", "--type", "deposit")
    with folio.monkeypatch.context() as patched:
        patched.setattr(connect, "client", losing)
        said, told = folio(*call), folio(*call, "--json")

    error = told.json["error"]
    assert (said.code, told.code, error["class"]) == (1, 1, "OutcomeUnknown")
    assert error["retryable"] is True
    assert "(try again with --id " in said.err
    assert folio.answer(*call, "--id", error["id"])["replayed"] is True


def test_what_is_set_up_wrong_is_said_in_a_line(folio: Folio) -> None:
    """No table, no engine, no credentials, a profile or setting that is none: exit code 1."""
    folio.set("LEDGER_ATTEMPTS", "1")
    nowhere = folio("balance", "user:1", "EUR", "--endpoint-url", "http://127.0.0.1:1", "--json")
    folio.set("LEDGER_EVENTS_TABLE", "no-such-table")
    no_table = folio("transfer", "world:card", "user:1", "1", "EUR", "--type", "deposit")
    no_stream = folio("projector", "run")
    folio.set("LEDGER_ATTEMPTS", "many")
    setting = folio("balance", "user:1", "EUR")
    folio.set("LEDGER_ATTEMPTS", "1")
    folio.set("AWS_PROFILE", "no-such-profile")
    profile = folio("balance", "user:1", "EUR")

    assert (nowhere.code, nowhere.json["error"]["class"]) == (1, "Unavailable")
    for said, names in (
        (no_table, "folio init"),
        (no_stream, "DescribeTable"),
        (setting, "attempts"),
        (profile, "no-such-profile"),
    ):
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1), said
        assert names in said.err


def test_init_leaves_tables_that_are_there(folio: Folio) -> None:
    """It may be run again, and it is for engines: on AWS the stack makes the tables."""
    folio.deposit("user:1")
    assert len(folio.answer("init")["tables"]) == 5
    assert folio.answer("balance", "user:1", "EUR")["entry_count"] == 1
    aws = folio("init", "--endpoint-url", "https://dynamodb.eu-west-1.amazonaws.com", "--json")
    assert (aws.code, aws.json["error"]["class"]) == (1, "Misconfigured")


def test_ctrl_c_ends_with_130(folio: Folio) -> None:
    """Without a traceback."""

    def interrupted(*_arguments: object, **_options: object) -> object:
        raise KeyboardInterrupt

    folio.monkeypatch.setattr(connect, "runtime", interrupted)
    said = folio("balance", "user:1", "EUR")
    assert (said.code, said.out, said.err) == (130, "", "")
