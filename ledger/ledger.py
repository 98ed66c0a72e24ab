"""The library's front door: one class, each method a promise. What it does stands in write/ and read/."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import boto3

from ledger import check, connect, engine_tables, ids
from ledger.errors import InvalidRequest, LedgerError
from ledger.model import (
    Balance,
    Entry,
    Leg,
    Page,
    PostedTransaction,
    Receipt,
    Transaction,
    credit,
    debit,
)
from ledger.money import Money
from ledger.read import accounts as listing
from ledger.read import balance as balances
from ledger.read import entries as entries_
from ledger.read import lag as lagging
from ledger.read import transactions
from ledger.read.balance import Consistency
from ledger.read.entries import Listing
from ledger.read.lag import DEFAULT_SAMPLE, Lag
from ledger.runtime import Runtime
from ledger.settings import Settings
from ledger.write import accounts, append, bulk, post


class Ledger:
    """A ledger on DynamoDB.

    Thread-safe: share one among all threads of a process; its client's pool has
    `Settings.pool_connections` connections. With asyncio, call it through `asyncio.to_thread`. A
    process that forks makes a new one in each child: a connection must not be shared.

    Every method may raise `Unavailable` (try again later) and `Misconfigured` (call the operator);
    every write `OutcomeUnknown` (try again with the id or key that it carries) and `Contended`.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @classmethod
    def connect(
        cls,
        settings: Settings | None = None,
        session: boto3.Session | None = None,
        *,
        endpoint_url: str | None = None,
    ) -> Self:
        """A ledger by `settings`, or by the `LEDGER_*` variables. Nothing is sent yet.

        `session` is the caller's boto3 session (region, credentials); AWS's own variables, such as
        `AWS_ENDPOINT_URL_DYNAMODB`, name the endpoint where `endpoint_url` does not.
        """
        return cls(connect.runtime(settings or Settings(), session, endpoint_url))

    def new_id(self) -> str:
        """A new transaction id, of DynamoDB's time: keep it before the call, retry with it after."""
        return self.runtime.new_id()

    def money(self, amount: str | Decimal, currency: str) -> Money:
        """Exact money from a decimal amount: `("12.50", "EUR")`. Raises `InvalidRequest`."""
        return self.runtime.currencies.money(amount, currency)

    def format(self, money: Money) -> str:
        """`Money(1250, "EUR")` as `12.50 EUR`."""
        return self.runtime.currencies.format(money)

    def open_account(self, account: str) -> bool:
        """Open an account before its first entry; True if it is new.

        Raises:
            NotHome: its home is another region.
        """
        return accounts.open_account(self.runtime, check.account(account))

    def append(
        self,
        entry: Leg,
        *,
        type: str,
        id: str | None = None,
        description: str | None = None,
        effective_at: datetime | None = None,
        trace: Mapping[str, Any] | None = None,
        historical: bool = False,
    ) -> Receipt:
        """Append one entry by itself: one conditional put, idempotent on its id.

        It is marked `single` and totalled apart from the books that sum to zero. It has no header:
        no key, no metadata, `entry()` finds it and `transaction()` does not, and its id is unique
        on its account and currency only. Parameters as in `Transaction`.

        Raises:
            InvalidRequest: refused before any call.
            IdempotencyConflict: the id stands for another entry; nothing was written.
        """
        if not isinstance(entry, Leg):
            raise InvalidRequest("entry: expected credit(account, money) or debit(account, money)")
        transaction = Transaction(
            entries=[entry],
            type=type,
            id=id,
            description=description,
            effective_at=effective_at,
            trace=trace,
            historical=historical,
        )
        return append.append(self.runtime, transaction)

    def post(
        self,
        entries: Sequence[Leg] | Transaction,
        *,
        type: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        trace: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None = None,
        id: str | None = None,
        historical: bool = False,
    ) -> Receipt:
        """Post a transaction: its entries commit together, or none does.

        Takes entries and the fields of `Transaction`, or a `Transaction` and nothing else.

        Raises:
            InvalidRequest: refused before any call, or an id far from now that stands for nothing.
            IdempotencyConflict: the id or key stands for another request; nothing was written.
            NotFound: an account is not declared, and the settings say that accounts are.
            NotHome, NotYetHere: this region is not the home, or has not heard of the account.
        """
        given = {
            "type": type,
            "description": description,
            "metadata": metadata,
            "trace": trace,
            "effective_at": effective_at,
            "idempotency_key": idempotency_key,
            "id": id,
            "historical": historical or None,
        }
        return post.post(self.runtime, _transaction(entries, given))

    def transfer(
        self, *, source: str, destination: str, money: Money, type: str, **fields: Any
    ) -> Receipt:
        """Post a debit of `source` and a credit of `destination`; further fields as in `post`.

        Raises: as `post`; `InvalidRequest` also when both are one account.
        """
        if source == destination:
            raise InvalidRequest("source and destination are one account: nothing would move")
        legs = [debit(source, money), credit(destination, money)]
        return self.post(legs, type=type, **fields)

    def post_many(self, transactions: Sequence[Transaction]) -> list[Receipt | LedgerError]:
        """Post independent transactions, packed into few calls; the outcomes in the order given.

        One that is refused, conflicts or fails does not touch the others: its outcome is the error.
        """
        return bulk.post_many(self.runtime, list(transactions))

    def balance(
        self,
        account: str,
        currency: str,
        *,
        consistency: Consistency = "fresh",
        including: Receipt | None = None,
    ) -> Balance:
        """What an account holds in a currency; zero for one without entries.

        `fresh` reads the view and what the log has beyond it, two requests whatever the history;
        it lacks only entries that are late and not yet applied. `including=receipt` makes sure of
        that receipt's (read your own writes). `view` is one read of the view alone, at half the
        price, and as old as the projector is behind.

        Raises:
            InvalidRequest: a malformed account or an unknown currency.
            NotYetHere: the receipt's entries have not been replicated to this region.
        """
        check.account(account)
        self.runtime.currencies.exponent(currency)
        return balances.balance(self.runtime, account, currency, consistency, including)

    def balances(self, account: str, *, consistency: Consistency = "fresh") -> dict[str, Balance]:
        """The balance in every currency in which the account has entries, by currency."""
        return balances.balances(self.runtime, check.account(account), consistency)

    def entries(
        self,
        account: str,
        *,
        currency: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Entry]:
        """A page of an account's entries, recorded in [since, until), by id; strongly consistent.

        Without a currency the currencies are merged. `cursor` is an earlier page's, and outlives
        the process. `limit` is at most 1,000.

        Raises:
            InvalidRequest: a naive time, a limit out of range, a cursor of another listing.
        """
        if currency is not None:
            self.runtime.currencies.exponent(currency)
        wanted = Listing(
            check.account(account),
            currency,
            check.time("since", since) if since is not None else None,
            check.time("until", until) if until is not None else None,
            newest_first,
        )
        return entries_.entries(self.runtime, wanted, limit, cursor)

    def entry(self, account: str, entry_id: str, *, currency: str | None = None) -> Entry:
        """One entry, by the id that its receipt carries.

        Raises:
            NotFound: the account has no such entry.
            InvalidRequest: it has one in each of two currencies: pass `currency`.
        """
        if currency is not None:
            self.runtime.currencies.exponent(currency)
        return entries_.entry(self.runtime, check.account(account), entry_id, currency)

    def transaction(self, id: str) -> PostedTransaction:
        """A transaction as a whole: one strongly consistent, atomic read.

        Raises:
            NotFound: there is none under this id.
            LedgerError: it was refused; its refusal is raised again.
        """
        return transactions.transaction(self.runtime, ids.check_id(id))

    def transaction_by_key(self, key: str) -> PostedTransaction:
        """The transaction of an idempotency key. Raises as `transaction` does."""
        return transactions.transaction_by_key(self.runtime, check.idempotency_key(key))

    def accounts(
        self, *, prefix: str = "", limit: int = 100, cursor: str | None = None
    ) -> Page[str]:
        """A page of the accounts' names that begin with `prefix`, sorted; eventually consistent."""
        return listing.accounts(self.runtime, prefix, limit, cursor)

    def lag(self, accounts: Iterable[str] | None = None, *, sample: int = DEFAULT_SAMPLE) -> Lag:
        """How far the view is behind the log: of the accounts named, else of a sample of all.

        It costs some four small reads an account. It lacks late entries that are not applied yet.

        Raises:
            NotFound: an account that was named does not exist.
        """
        return lagging.lag(self.runtime, accounts, sample=sample)

    def create_tables(self) -> None:
        """Create the tables on an engine (DynamoDB Local, LocalStack, moto); those there stay.

        Raises:
            Misconfigured: the endpoint is AWS: there the stack creates them.
        """
        engine_tables.create_tables(self.runtime.store.client, self.runtime.settings)


def _transaction(entries: Sequence[Leg] | Transaction, given: Mapping[str, Any]) -> Transaction:
    fields = {name: value for name, value in given.items() if value is not None}
    if isinstance(entries, Transaction):
        if fields:
            raise InvalidRequest(
                f"{', '.join(fields)}: a Transaction carries its own fields, pass nothing beside it"
            )
        return entries
    if "type" not in fields:
        raise InvalidRequest('type is missing: pass type=, as in type="deposit"')
    return Transaction(entries=entries, **fields)
