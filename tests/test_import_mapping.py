"""A mapping says what the columns of a file are: what it may say, and what each way of writing means."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidRequest, Transaction, ids
from ledger.importer import FileMapping, check_file, file_mapping, rows
from ledger.importer.reader import BadRow
from ledger.importer.rejects import harmless
from ledger.importer.template import Template
from ledger.money import Currencies
from tests.support import statements
from tests.support.statements import FIELDS, HEADINGS, mapping

BANK = Path(__file__).parent / "data" / "czech-bank.toml"


def read(found: FileMapping, **changes: object) -> Transaction:
    """The transaction of a row."""
    row = dict(zip(HEADINGS, map(str, statements.line(7, **changes)), strict=True))
    return rows.transaction(found, row, Currencies())


def signed(transaction: Transaction) -> int:
    """What the client gets, in minor units."""
    (leg,) = (leg for leg in transaction.entries if leg.account.startswith("client:"))
    return leg.money.amount_minor * (1 if leg.direction == "credit" else -1)


ENGLISH = {"thousands_separator": ","}
GERMAN = {"decimal_separator": ",", "thousands_separator": "."}
FRENCH = {"decimal_separator": ",", "thousands_separator": " "}


@pytest.mark.parametrize(
    ("separators", "text", "cents"),
    [
        ({}, "12.50", 1250),
        ({}, "+12.5", 1250),
        ({}, " 12 ", 1200),
        ({}, "0012.50", 1250),
        (ENGLISH, "1,234,567.89", 123456789),
        (ENGLISH, "1234567.89", 123456789),
        (GERMAN, "1.234,50", 123450),
        (FRENCH, "1 234,50", 123450),
        (FRENCH, "1\u00a0234,50", 123450),
        (FRENCH, "1\u202f234,5", 123450),
    ],
)
def test_amounts_are_read_as_they_are_written(
    separators: dict[str, str], text: str, cents: int
) -> None:
    """With the separators that the mapping names."""
    assert signed(read(mapping(**separators), sum=text)) == cents


@pytest.mark.parametrize(
    ("separators", "text"),
    [
        ({}, "1,234.50"),
        ({}, "12.345"),
        ({}, "1e3"),
        ({}, "0x10"),
        ({}, "NaN"),
        ({}, ""),
        ({}, "-"),
        ({}, ".50"),
        ({}, "12."),
        ({}, "١٢"),  # digits, but none of ours
        ({}, "12.50 EUR"),
        (ENGLISH, "1,20"),  # 1.20 of another country, and no 120
        (ENGLISH, "12,34.50"),
        (ENGLISH, "1,2345"),
        (GERMAN, "12.50"),
        (GERMAN, "1,234.50"),
        (FRENCH, "1  234,50"),
        ({}, "9" * 41),
        ({}, "1" + "0" * 26),
    ],
)
def test_an_amount_written_otherwise_is_no_amount(separators: dict[str, str], text: str) -> None:
    """A separator taken for another one would be a hundred times the money."""
    with pytest.raises(BadRow):
        read(mapping(**separators), sum=text)


def test_without_a_direction_the_sign_says_which_way() -> None:
    """Negative takes money out; two columns are two alternatives, the first that the row has."""
    by_sign = mapping(direction=None, credit=None, debit=None)
    assert signed(read(by_sign, sum="-12.50")) == -1250
    assert signed(read(by_sign, sum="12.50")) == 1250
    two = mapping(direction=None, credit=None, debit=None, amount=["{sum}", "-{note}"])
    assert signed(read(two, sum="", note="3.00")) == -300
    assert signed(read(two, sum="4.00", note="3.00")) == 400


def test_words_and_alternatives_choose_the_other_side() -> None:
    """The bank's file: the other bank's account where there is one, else the outside world's."""
    bank = file_mapping(BANK)
    row = dict.fromkeys(bank.needs(), "") | {
        "trans_id": "1",
        "account_id": "2378",
        "amount": "700.00",
        "type": "VYBER",
        "operation": "VYBER KARTOU",
        "date": "930102",
    }
    cash = rows.transaction(bank, row, Currencies())
    paid = rows.transaction(bank, row | {"bank": "YZ", "account": "62457513"}, Currencies())
    half = rows.transaction(bank, row | {"account": "0"}, Currencies())
    assert [leg.account for leg in paid.entries] == ["client:2378", "bank:YZ:62457513"]
    assert cash.entries[1].account.startswith("world:card-withdrawal/")
    assert half.entries == cash.entries
    assert (cash.type, cash.description) == ("card-withdrawal", None)
    with pytest.raises(BadRow, match="operation is 'VÝBĚR': the mapping has no word for it"):
        rows.transaction(bank, row | {"operation": "VÝBĚR"}, Currencies())


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), st.integers(0, 27))
def test_an_id_is_of_its_source_its_row_and_its_date(source: str, own_id: str, day: int) -> None:
    """The same for the same, another for any other; its time is the date's."""
    found = mapping(source=source)
    date = f"2024-02-{day + 1:02d}"
    try:
        made = read(found, id=own_id, day=date)
    except BadRow:
        assert not own_id.strip()
        return
    same = read(found, id=own_id, day=date)
    others = [
        read(mapping(source=source + "x"), id=own_id, day=date),
        read(found, id=own_id + "x", day=date),
        read(found, id=own_id, day="2024-03-01"),
    ]
    assert made == same
    assert made.id not in [other.id for other in others]
    assert made.effective_at is not None
    assert ids.recorded_at(str(made.id)) == made.effective_at
    assert made.historical


def test_ids_do_not_confuse_where_a_name_ends() -> None:
    """Source `a` and row `bc` are not source `ab` and row `c`."""
    assert read(mapping(source="a"), id="bc").id != read(mapping(source="ab"), id="c").id


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"account": None}, "account: is missing"),
        ({"colour": "red"}, "colour: is no field that is known here"),
        ({"account": "client:{"}, "account: template 'client:{'"),
        ({"account": "client:{}"}, "account: template 'client:{}'"),
        ({"amount": []}, "amount: "),
        ({"source": ""}, "source: "),
        ({"zone": "Middle/Earth"}, "zone: 'Middle/Earth' is no time zone"),
        ({"zone": "/etc/passwd"}, "zone: '/etc/passwd' is no time zone"),
        ({"encoding": "klingon"}, "encoding: 'klingon' is no text encoding"),
        ({"delimiter": ";;"}, "delimiter: "),
        ({"decimal_separator": "1"}, "decimal_separator: "),
        ({"thousands_separator": "."}, "the same"),
        ({"delimiter": '"'}, "the same"),
        ({"direction": None}, "direction, credit and debit go together"),
        ({"debit": None}, "direction, credit and debit go together"),
        ({"debit": "in"}, "'in' is a word for credit and for debit"),
        ({"words": {"side": "in"}}, "words.side: "),
    ],
)
def test_a_mapping_that_is_wrong_names_the_field(changes: dict[str, object], says: str) -> None:
    """Before the file is opened."""
    with pytest.raises(InvalidRequest) as refused:
        mapping(**changes)
    assert says in str(refused.value)


def test_options_go_before_the_file(tmp_path: Path) -> None:
    """A TOML file and options make one mapping; a file that is none is refused by its name."""
    assert file_mapping(BANK, source="other", credit=None).source == "other"
    assert file_mapping(BANK).credit == ("PRIJEM",)
    for name, content in (("a.toml", "source ="), ("b.toml", "\xff"), ("c.toml", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content.encode("latin-1"))
        with pytest.raises(InvalidRequest, match=name):
            file_mapping(path)


def test_a_file_must_have_the_columns(tmp_path: Path) -> None:
    """Those that the mapping names; a file without headings gets names from the mapping."""
    path = statements.statement(tmp_path / "rows.csv", [], headings=["id", "client", "day"])
    with pytest.raises(InvalidRequest, match="has no column note, side, sum"):
        check_file(path, mapping(), Currencies(), rejects=tmp_path / "bad.csv")
    for text, says in (("", "no column"), ("id,id\n", "two columns have one name")):
        path.write_text(text)
        with pytest.raises(InvalidRequest, match=says):
            check_file(path, mapping(), Currencies(), rejects=tmp_path / "bad.csv")
    bare = statements.statement(path, [statements.line(2)], headings=statements.line(1))
    named = mapping(columns=HEADINGS)
    assert check_file(bare, named, Currencies(), rejects=tmp_path / "bad.csv").imported == 2


def test_templates_are_no_programs() -> None:
    """A column's name is a key and nothing else: no attributes, no formats, no look-ups."""
    row = {"a": "{b}", "a.__class__": "x", "a!r": "y", "a:>9": "z", "b": "no"}
    assert Template.parse("{a}|{a.__class__}|{a!r}|{a:>9}").fill(row) == "{b}|x|y|z"
    assert Template.parse("{spread 16}").fill({}, 1 << 40 | 17) == "01"


@given(st.text(max_size=30))
def test_a_reject_is_never_a_formula(text: str) -> None:
    """What a spreadsheet sees begins like no formula, or is a number; and the text is all there."""
    seen = harmless(text)
    assert seen.removeprefix("'") == text.removeprefix("'")
    assert seen == text or seen == "'" + text
    begins_like_one = seen[:1] in tuple("=+-@\t\r\n")
    assert not begins_like_one or set(seen[1:]) <= set("0123456789., \u00a0\u202f")


def test_every_field_of_the_test_mapping_is_needed_once() -> None:
    """Taken away one by one, the mapping is refused or means less: none is there for nothing."""
    optional = {"description"}
    for name in random.Random(0).sample(sorted(FIELDS), len(FIELDS)):
        if name in optional:
            assert read(mapping(**{name: None})).description is None
        else:
            with pytest.raises(InvalidRequest):
                mapping(**{name: None})
