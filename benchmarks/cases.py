"""The rows: each operation of the ledger's, and the bare calls that it stands beside.

What the bare calls send is built before the clock starts. They make no condition, check nothing and
understand nothing of what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from benchmarks.measure import Case, Round
from benchmarks.stage import Stage, lambda_event, plain_balance
from ledger import Money, Receipt, Transaction, build, credit, debit, ids, keys
from ledger.items import Item, entry_item, header_item
from ledger.model import Entry
from ledger.read.balance import image
from ledger.read.log import events
from ledger.reconcile import reconcile
from ledger.reconcile.export import reconcile_window
from projector.batch import process
from projector.handler import FOLDS_SIDE_BY_SIDE
from projector.record import from_lambda
from tests.support.exports import Exporter

SHOP, CARD = "shop:amsterdam-central-07", "world:card/visa-00"
PRICE = Money(1_250, "EUR")
LEGS = [debit(CARD, PRICE), credit(SHOP, PRICE)]
CALL_TRANSACTIONS = 33
"""Two-legged transactions that one call of `post_many` holds."""

Prepare = Callable[[], Round]


def repeat(call: Callable[..., object], parameters: Iterable[dict[str, Any]]) -> None:
    for one in parameters:
        call(**one)


def append(stage: Stage, count: int) -> Prepare:
    stage.open_accounts([SHOP])
    leg = credit(SHOP, PRICE)

    def prepare() -> Round:
        table = stage.settings.events_table
        puts = [{"TableName": table, "Item": entry_item(e)} for e in stage.entries([SHOP], count)]
        return Round(
            count,
            lambda: [stage.ledger.append(leg, type="card.purchase") for _ in range(count)],
            lambda: repeat(stage.bare.put_item, puts),
        )

    return prepare


def post(stage: Stage, count: int) -> Prepare:
    stage.open_accounts([SHOP, CARD])

    def prepare() -> Round:
        calls = [_transact(stage, 1) for _ in range(count)]
        return Round(
            count,
            lambda: [stage.ledger.post(LEGS, type="card.purchase") for _ in range(count)],
            lambda: repeat(stage.bare.transact_write_items, calls),
        )

    return prepare


def post_many(stage: Stage, count: int) -> Prepare:
    stage.open_accounts([SHOP, CARD])
    transactions = [Transaction(entries=LEGS, type="card.purchase")] * (CALL_TRANSACTIONS * count)

    def prepare() -> Round:
        calls = [_transact(stage, CALL_TRANSACTIONS) for _ in range(count)]
        return Round(
            len(transactions),
            lambda: _posted(stage, transactions),
            lambda: repeat(stage.bare.transact_write_items, calls),
        )

    return prepare


def _posted(stage: Stage, transactions: Sequence[Transaction]) -> list[Receipt]:
    receipts = []
    for outcome in stage.ledger.post_many(transactions):
        if not isinstance(outcome, Receipt):
            raise outcome
        receipts.append(outcome)
    return receipts


def _transact(stage: Stage, transactions: int) -> dict[str, Any]:
    """One call that puts the header and the entries of some transactions."""
    table = stage.settings.events_table
    items = [item for _ in range(transactions) for item in _items(stage)]
    return {"TransactItems": [{"Put": {"TableName": table, "Item": item}} for item in items]}


def _items(stage: Stage) -> list[Item]:
    transaction = Transaction(entries=LEGS, type="card.purchase")
    header = build.header(transaction, id=stage.new_id(), origin=stage.runtime.region)
    return [header_item(header), *map(entry_item, build.entries(header))]


def projection(accounts: int, batch: int) -> Callable[[Stage, int], Prepare]:
    """Batches of `batch` events over `accounts` accounts, as the Lambda function gets them."""
    names = [f"user:{number:08d}" for number in range(accounts)]

    def with_batches(stage: Stage, count: int) -> Prepare:
        def prepare() -> Round:
            made = stage.entries(names, batch * count)
            stage.log(made)
            batches = list(_parts(made, batch))
            records = [lambda_event(one) for one in batches]
            updates = [one for entries in batches for one in _plain_updates(stage, entries)]
            return Round(
                len(made),
                lambda: _project(stage, records),
                lambda: repeat(stage.bare.update_item, updates),
            )

        return prepare

    return with_batches


def _project(stage: Stage, batches: Iterable[Sequence[dict[str, Any]]]) -> None:
    for batch in batches:
        records = [from_lambda(one) for one in batch]
        result = process(stage.runtime, records, parallel=FOLDS_SIDE_BY_SIDE)
        assert result.tally.applied == len(batch)


def _parts(entries: Sequence[Entry], size: int) -> Iterator[Sequence[Entry]]:
    return (entries[start : start + size] for start in range(0, len(entries), size))


def _plain_updates(stage: Stage, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """An unconditional ADD for each account of a batch: it counts twice what comes twice."""
    sums: dict[str, tuple[int, int]] = {}
    for entry in entries:
        credits_, count = sums.get(entry.account, (0, 0))
        sums[entry.account] = credits_ + entry.amount_minor, count + 1
    return [
        {
            "TableName": stage.settings.balances_table,
            "Key": plain_balance(account),
            "UpdateExpression": "ADD credits :credits, entries :entries",
            "ExpressionAttributeValues": {
                ":credits": {"N": str(credits_)},
                ":entries": {"N": str(count)},
            },
        }
        for account, (credits_, count) in sums.items()
    ]


def _projected(stage: Stage, count: int) -> None:
    """A history on one account, all of it in the view."""
    made = stage.entries([SHOP], count)
    stage.log(made)
    _project(stage, [lambda_event(part) for part in _parts(made, 10)])


HISTORY = 150
"""Entries of the account whose balance is read: some pages, and about forty not sealed yet."""


def view_balance(stage: Stage, count: int) -> Prepare:
    _projected(stage, HISTORY)
    get = {"TableName": stage.settings.balances_table, "Key": _balance_key()}
    read = stage.ledger.balance
    return lambda: Round(
        count,
        lambda: [read(SHOP, "EUR", consistency="view") for _ in range(count)],
        lambda: repeat(stage.bare.get_item, [get] * count),
    )


def _balance_key() -> dict[str, Any]:
    return {"PK": {"S": keys.account(SHOP)}, "SK": {"S": keys.balance("EUR")}}


def fresh_balance(stage: Stage, count: int) -> Prepare:
    _projected(stage, HISTORY)
    get = {
        "TableName": stage.settings.balances_table,
        "Key": _balance_key(),
        "ConsistentRead": True,
    }
    through = ids.unpack(image(stage.runtime, SHOP, "EUR").through)
    query = events(stage.settings, SHOP, "EUR", above=through).parameters

    def bare() -> None:
        for _ in range(count):
            stage.bare.get_item(**get)
            stage.bare.query(**query)

    return lambda: Round(
        count, lambda: [stage.ledger.balance(SHOP, "EUR") for _ in range(count)], bare
    )


def reconciliation(stage: Stage, count: int) -> Prepare:
    """A clean ledger of `count` two-legged transactions, over ten accounts and one outside."""
    entries = _written(stage, count)

    def folio() -> None:
        report = reconcile(stage.runtime)
        assert report.verdict == "clean", report
        assert report.entries == entries

    return lambda: Round(entries, folio, lambda: _scan(stage))


def _scan(stage: Stage) -> None:
    scan = {"TableName": stage.settings.events_table, "ConsistentRead": True}
    while (last := stage.bare.scan(**scan).get("LastEvaluatedKey")) is not None:
        scan["ExclusiveStartKey"] = last


def window(stage: Stage, count: int) -> Prepare:
    """What a night wrote, `count` transactions, on a ledger that had ten times as many before."""
    exporter = Exporter(stage)
    for _ in range(10):
        _written(stage, count)
    exporter.take()
    entries = _written(stage, count)
    exports = exporter.take()

    def folio() -> None:
        report = reconcile_window(stage.runtime, exporter.objects, exports, grace_seconds=0)
        assert report.verdict == "clean", report
        assert report.entries == entries

    return lambda: Round(entries, folio, lambda: _scan(stage))


def _written(stage: Stage, count: int) -> int:
    """So many transactions, in the log and in the view; how many entries they have."""
    transactions = [_settled(stage, f"user:{place % 10:08d}") for place in range(count)]
    entries = [entry for receipt in _posted(stage, transactions) for entry in receipt.entries]
    _project(stage, [lambda_event(part) for part in _parts(entries, 100)])
    return len(entries)


def _settled(stage: Stage, account: str) -> Transaction:
    legs = [debit(account, PRICE), credit(SHOP, PRICE)]
    return Transaction(entries=legs, type="card.purchase", id=stage.new_id())


CASES = [
    Case("append", "entry", "put_item of an item of the same size", append, 40),
    Case("post", "transaction", "transact_write_items of three such items", post, 30),
    Case(
        "post_many",
        "transaction",
        f"transact_write_items of {3 * CALL_TRANSACTIONS} such items",
        post_many,
        3,
    ),
    Case(
        "projection, one event a batch",
        "entry",
        "update_item that adds to a balance",
        projection(accounts=1, batch=1),
        50,
    ),
    Case(
        "projection, 100 events on 10 accounts",
        "entry",
        "update_item that adds to a balance, for each account",
        projection(accounts=10, batch=100),
        4,
    ),
    Case(
        "projection, 100 events on one account",
        "entry",
        "update_item that adds to a balance, once for the batch",
        projection(accounts=1, batch=100),
        4,
    ),
    Case("view balance", "balance", "get_item of the balance item", view_balance, 40),
    Case("fresh balance", "balance", "get_item and a query of the same entries", fresh_balance, 25),
    Case("reconcile", "entry", "a scan of the log, once", reconciliation, 300),
    Case("reconcile, a window", "entry", "a scan of the log, once", window, 300),
]
