"""Every attempt is seen: what wrote nothing is told apart from what may have written.

Here the client is a script, for AWS gives answers that no engine does.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from ledger.attempts import MAX_BACKOFF_SECONDS
from ledger.aws import Cancelled, ConditionFailed, Reason, Repeat, translate
from ledger.clock import Clock
from ledger.errors import (
    Contended,
    InvalidRequest,
    LedgerError,
    Misconfigured,
    OutcomeUnknown,
    Unavailable,
)
from ledger.request import Operation, Request
from ledger.store import Store
from tests.support.examples import many

URL = "https://dynamodb.eu-west-1.amazonaws.com/"
ITEM = {"PK": {"S": "a"}}


def answered(code: str, status: int = 400, **more: Any) -> ClientError:
    """An error that DynamoDB answered."""
    response: Any = {
        "Error": {"Code": code, "Message": "made by the test"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    } | more
    return ClientError(response, "PutItem")


def told(value: object) -> str:
    """What an error is called in the names of tests."""
    if not isinstance(value, ClientError):
        return value.__name__ if isinstance(value, type) else type(value).__name__
    response: Any = value.response
    codes = [reason["Code"] for reason in response.get("CancellationReasons", ())]
    return "-".join((response["Error"]["Code"], *codes))


def cancelled(*codes: str) -> ClientError:
    """A cancelled transaction with these reasons."""
    reasons = [{"Code": code, "Message": f"the {code}"} for code in codes]
    return answered("TransactionCanceledException", CancellationReasons=reasons)


LOST = ReadTimeoutError(endpoint_url=URL)
THROTTLED = answered("ThrottlingException")
CONFLICT = answered("TransactionConflictException")
UNSENT = EndpointConnectionError(endpoint_url=URL)

REPEATS: list[tuple[str, Exception]] = [
    ("throttled", THROTTLED),
    ("throttled", answered("ProvisionedThroughputExceededException")),
    ("throttled", answered("RequestLimitExceeded")),
    ("throttled", cancelled("None", "ThrottlingError")),
    ("throttled", cancelled("ProvisionedThroughputExceeded", "TransactionConflict")),
    ("conflict", CONFLICT),
    ("conflict", answered("ReplicatedWriteConflictException")),
    ("conflict", cancelled("None", "TransactionConflict", "None")),
    ("unsent", UNSENT),
    ("unsent", ConnectTimeoutError(endpoint_url=URL)),
    ("unsent", ProxyConnectionError(proxy_url=URL)),
    ("lost", LOST),
    ("lost", ConnectionClosedError(endpoint_url=URL)),
    ("lost", HTTPClientError(error=OSError("broken pipe"))),
    ("lost", SSLError(endpoint_url=URL, error=ssl.SSLEOFError("EOF while reading the reply"))),
    ("lost", ResponseParserError("half an answer")),
    ("lost", answered("InternalServerError", 500)),
    ("lost", answered("ServiceUnavailable", 503)),
    ("lost", answered("502", 502)),
    ("lost", answered("TransactionInProgressException")),
    ("lost", cancelled()),
    ("lost", cancelled("None", "None")),
]


@pytest.mark.parametrize(
    ("kind", "error"), [pytest.param(*case, id=f"{case[0]}: {told(case[1])}") for case in REPEATS]
)
def test_fault_09_an_attempt_that_may_be_repeated_has_a_kind(kind: str, error: Exception) -> None:
    """Throttled, in conflict or never sent: nothing was written. Anything else: nothing is known."""
    outcome = translate(error)
    assert isinstance(outcome, Repeat)
    assert outcome.kind == kind


FINAL: list[tuple[type[LedgerError], str, Exception]] = [
    (InvalidRequest, "made by the test", answered("ValidationException")),
    (InvalidRequest, "the ValidationError", cancelled("None", "ValidationError")),
    (InvalidRequest, "refused", cancelled("ItemCollectionSizeLimitExceeded")),
    (Misconfigured, "no such table", answered("ResourceNotFoundException")),
    (Misconfigured, "AccessDeniedException", answered("AccessDeniedException")),
    (Misconfigured, "InvalidSignatureException", answered("InvalidSignatureException")),
    (Misconfigured, "UnknownCode", cancelled("UnknownCode")),
    (Misconfigured, "NoCredentialsError", NoCredentialsError()),
    (Misconfigured, "BotoCoreError", BotoCoreError()),
]


@pytest.mark.parametrize(
    ("kind", "says", "error"), [pytest.param(*case, id=told(case[2])) for case in FINAL]
)
def test_what_a_retry_cannot_help_ends_at_once(
    kind: type[LedgerError], says: str, error: Exception
) -> None:
    """A wrong request is the caller's to fix, a missing table or permission the operator's."""
    outcome = translate(error)
    assert type(outcome) is kind
    assert says in str(outcome)
    store, client = scripted(error)
    with pytest.raises(kind):
        store.send(WRITE)
    assert len(client.asked) == 1


def test_a_failed_condition_brings_what_stands_there() -> None:
    """A single write gives the item, a transaction one reason for each of its items, in order."""
    single = translate(answered("ConditionalCheckFailedException", Item=ITEM))
    assert isinstance(single, ConditionFailed)
    assert single.item == ITEM
    reasons = [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Item": ITEM},
        {"Code": "TransactionConflict"},
    ]
    several = translate(answered("TransactionCanceledException", CancellationReasons=reasons))
    assert isinstance(several, Cancelled)
    assert several.reasons == [Reason(False, None), Reason(True, ITEM), Reason(False, None)]


class Script:
    """A client that answers as it was told, then well."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, operation: str) -> Any:
        return self._answer

    def _answer(self, **parameters: Any) -> Any:
        self.asked.append(parameters)
        answer = self._answers.pop(0) if self._answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer


WRITE = Request("put_item", {"Item": ITEM})
READ = Request("get_item", {"Key": ITEM})
ATTEMPTS = 4


def scripted(*answers: Any, slept: list[float] | None = None) -> tuple[Store, Script]:
    """A store on a script, four attempts a request; `slept` notes its waits in seconds."""
    client = Script(answers)
    tokens = iter(range(100))
    store = Store(
        client,
        Clock(lambda: 1_790_000_000.0),
        attempts=ATTEMPTS,
        backoff_seconds=0.05,
        sleep=(slept if slept is not None else []).append,
        token=lambda: f"token {next(tokens)}",
    )
    return store, client


BY_KIND = {"throttled": THROTTLED, "conflict": CONFLICT, "unsent": UNSENT, "lost": LOST}


@many
@given(kinds=st.lists(st.sampled_from(sorted(BY_KIND)), max_size=ATTEMPTS + 1))
def test_fault_03_a_write_is_unavailable_only_when_nothing_was_written(kinds: list[str]) -> None:
    """Whatever the failures: one lost reply makes a write unknown, none leaves it unwritten."""
    store, client = scripted(*(BY_KIND[kind] for kind in kinds))
    if len(kinds) < ATTEMPTS:
        store.send(WRITE)
    else:
        with pytest.raises(LedgerError) as given_up:
            store.send(WRITE)
        seen = kinds[:ATTEMPTS]
        alike = Contended if seen[-1] == "conflict" else Unavailable
        assert type(given_up.value) is (OutcomeUnknown if "lost" in seen else alike)
        assert given_up.value.retryable
        says = "may or may not have been written" if "lost" in seen else "nothing was written"
        assert says in str(given_up.value)
    assert len(client.asked) == min(len(kinds) + 1, ATTEMPTS)


@many
@given(kinds=st.lists(st.sampled_from(["throttled", "unsent", "lost"]), min_size=ATTEMPTS))
def test_fault_09_a_read_is_never_unknown(kinds: list[str]) -> None:
    """A read that failed changed nothing, whatever became of its replies."""
    store, _ = scripted(*(BY_KIND[kind] for kind in kinds))
    with pytest.raises(Unavailable):
        store.send(READ)


@pytest.mark.parametrize("last", [error for _, _, error in FINAL], ids=told)
def test_fault_03_a_lost_reply_is_not_forgotten_when_the_next_attempt_is_refused(
    last: Exception,
) -> None:
    """A permission that goes, a table that goes: the first attempt may have written before."""
    store, _ = scripted(LOST, last)
    with pytest.raises(OutcomeUnknown):
        store.send(WRITE)
    store, _ = scripted(LOST, last)
    with pytest.raises(LedgerError) as error:
        store.send(READ)
    assert not isinstance(error.value, OutcomeUnknown)


def test_a_condition_that_fails_after_a_lost_reply_is_for_the_caller_to_judge() -> None:
    """What stands there says whether it was this call's own earlier write."""
    store, _ = scripted(LOST, answered("ConditionalCheckFailedException", Item=ITEM))
    with pytest.raises(ConditionFailed) as failed:
        store.send(WRITE)
    assert failed.value.item == ITEM


def test_fault_07_waits_between_attempts_grow_have_jitter_and_an_end() -> None:
    """Each wait is drawn from 0 … twice the last one's longest, at most 2 s; there is none at the end."""
    waits: list[list[float]] = []
    for _ in range(40):
        slept: list[float] = []
        store, _ = scripted(*[CONFLICT] * ATTEMPTS, slept=slept)
        with pytest.raises(Contended):
            store.send(WRITE)
        waits.append(slept)
    for place, drawn in enumerate(zip(*waits, strict=True)):
        assert all(0 <= wait <= min(0.05 * 2**place, MAX_BACKOFF_SECONDS) for wait in drawn)
        assert len(set(drawn)) > 20, "no jitter: those who collided would collide again"
    assert all(len(slept) == ATTEMPTS - 1 for slept in waits)


def test_a_token_is_of_one_built_request() -> None:
    """All attempts of a request share a token; the next request, rebuilt or not, has another."""
    transact = Request("transact_write_items", {"TransactItems": []})
    store, client = scripted(LOST, THROTTLED)
    store.send(transact)
    store.send(transact)
    tokens = [parameters["ClientRequestToken"] for parameters in client.asked]
    assert tokens == ["token 0", "token 0", "token 0", "token 1"]
    assert "ClientRequestToken" not in transact.parameters


@pytest.mark.parametrize("operation", ["query", "scan"])
def test_a_query_is_read_to_its_end(operation: Operation) -> None:
    """LastEvaluatedKey is followed, through replies without items and failures too."""
    store, client = scripted(
        {"Items": [1, 2], "LastEvaluatedKey": ITEM},
        THROTTLED,
        {"Items": [], "LastEvaluatedKey": {"PK": {"S": "b"}}},
        {"Items": [3]},
    )
    pages: list[Any] = list(store.pages(Request(operation, {"TableName": "t"})))
    assert pages == [[1, 2], [], [3]]
    starts = [parameters.get("ExclusiveStartKey") for parameters in client.asked]
    assert starts == [None, ITEM, ITEM, {"PK": {"S": "b"}}]


def test_many_items_are_asked_for_a_hundred_at_a_time_until_none_is_left() -> None:
    """Keys that DynamoDB left unread are asked for again, and nothing else is."""
    left = [{"PK": {"S": "7"}}, {"PK": {"S": "8"}}]
    store, client = scripted(
        {"Responses": {"t": [ITEM]}, "UnprocessedKeys": {"t": {"Keys": left}}},
        {"Responses": {"t": [{"PK": {"S": "7"}}]}, "UnprocessedKeys": {}},
        {"Responses": {}},
    )
    found = store.get_many("t", [(str(number),) for number in range(150)])
    assert found == [ITEM, {"PK": {"S": "7"}}]
    asked = [parameters["RequestItems"]["t"]["Keys"] for parameters in client.asked]
    assert [len(keys) for keys in asked] == [100, 2, 50]
    assert asked[1] == left
    assert all(parameters["RequestItems"]["t"]["ConsistentRead"] for parameters in client.asked)


def test_keys_that_are_never_read_are_unavailable() -> None:
    """A table that leaves keys unread for ever is throttled: bounded, then a clear error."""
    slept: list[float] = []
    nothing = {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [ITEM]}}}
    store, client = scripted(*[nothing] * 10, slept=slept)
    with pytest.raises(Unavailable, match="throttled"):
        store.get_many("t", [("a",)])
    assert len(client.asked) == len(slept) == ATTEMPTS
