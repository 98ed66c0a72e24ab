"""What a reconciliation found: values only, for people, machines and repair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["clean", "drift", "incomplete"]
Mode = Literal["full", "window"]
Kind = Literal[
    "missing",  # in the log, not in the view, older than the grace time
    "phantom",  # in the view, not in the log
    "altered",  # in the log, and its fields are not those that it was written with
    "page sums",  # a page's sums are not those of its entries
    "balance sums",  # a balance's sums are not those of the entries in the view
    "broken view",  # ranges with gaps, an id outside its range, an item that cannot be read
    "leg missing",  # a header names an entry that the log does not have
    "leg injected",  # an entry that no header names
    "header altered",  # a header that is not what it was written as, or does not sum to zero
    "key",  # an idempotency key and a header disagree
    "unregistered",  # an account with entries or balances, and without a record
]
MAX_FINDINGS = 10_000

EXIT_CODES: dict[Verdict, int] = {"clean": 0, "drift": 3, "incomplete": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement, confirmed twice. `expected` is what the log says, `found` what stands there.

    Amounts are in minor units of `currency`.
    """

    kind: Kind
    message: str
    account: str = ""
    currency: str = ""
    entry_id: str = ""
    transaction_id: str = ""
    page: str = ""
    expected: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, int] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same finding when it is looked at again."""
        where = self.entry_id or self.page or self.transaction_id
        return (self.kind, self.account, self.currency, where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All accounts together in one currency, in minor units; entries appended alone stand apart."""

    credits: int = 0
    debits: int = 0
    single_credits: int = 0
    single_debits: int = 0

    @property
    def balanced(self) -> bool:
        """Whether the books sum to zero."""
        return self.credits == self.debits


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a reconciliation.

    Attributes:
        verdict: `clean`, `drift` (there are findings), or `incomplete` (something was not read:
            never `clean`, and the findings may lack some).
        findings: at most 10,000; `omitted` counts what looked wrong beyond the run's limits. By
            itself it makes a run `incomplete`: it was not confirmed.
        unread: what could not be read, and why.
        accounts, entries, transactions, singles: how many were compared.
        in_flight: entries younger than the grace time that the view does not have yet.
        totals: the trial balance, by currency; of a run over named accounts, theirs alone.
        digest: of all entries compared, whatever their order: the night's checkpoint.
        mode: `full`, or `window`: what was written in a window of time, by an export of it.
        window: from (inclusive) and until (exclusive), RFC 3339 in UTC; empty for a full run.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    omitted: int = 0
    unread: tuple[str, ...] = ()
    accounts: int = 0
    entries: int = 0
    transactions: int = 0
    singles: int = 0
    in_flight: int = 0
    totals: Mapping[str, Totals] = field(default_factory=dict)
    digest: str = ""
    mode: Mode = "full"
    window: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 clean, 3 drift, 4 incomplete."""
        return EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON's types."""
        return asdict(self)
