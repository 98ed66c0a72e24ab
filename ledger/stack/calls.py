"""AWS's clients for the stack, and what AWS's refusals mean to whoever deploys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from ledger.errors import LedgerError, Misconfigured, Unavailable

INVOKE_SECONDS = 910
"""A function's answer is waited for as long as Lambda lets it run."""

BAD_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException"})


@dataclass(frozen=True, slots=True)
class Aws:
    """The account and region that the stack stands in, through one boto3 session."""

    session: boto3.Session
    endpoint_url: str | None = None
    _clients: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def client(self, service: str, *, once: bool = False) -> Any:
        """A service's client, made at its first use. `once`: each call waits long and is never repeated.

        Raises:
            Misconfigured: no region, a broken profile, or the like.
        """
        if (service, once) not in self._clients:
            clients: Any = self.session  # its types know service names as literals only
            with refusals():
                self._clients[service, once] = clients.client(
                    service, config=self._config(once=once), endpoint_url=self.endpoint_url
                )
        return self._clients[service, once]

    @property
    def region(self) -> str:
        """Where the stack stands."""
        return str(self.client("cloudformation").meta.region_name)

    def account(self) -> str:
        """The account's number."""
        with refusals():
            return str(self.client("sts").get_caller_identity()["Account"])

    def _config(self, *, once: bool) -> Config:
        retries: Any = {"mode": "standard", "total_max_attempts": 1 if once else 5}
        # An engine's host has no name for each bucket.
        paths: Any = {"addressing_style": "path"} if self.endpoint_url else {}
        return Config(
            tcp_keepalive=True,  # an invocation is silent for minutes
            connect_timeout=5,
            read_timeout=INVOKE_SECONDS if once else 60,
            retries=retries,
            s3=paths,
        )


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what AWS raises within into Folio's errors."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise meaning(error) from error


def code(error: ClientError) -> str:
    """AWS's name of a refusal."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message(error: ClientError) -> str:
    """AWS's sentence on a refusal."""
    return str(error.response.get("Error", {}).get("Message", ""))


def meaning(error: ClientError | BotoCoreError) -> LedgerError:
    """What a refusal means: what was wrong, and what to do."""
    if isinstance(error, ClientError):
        return _answered(error)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Misconfigured(
            f"no credentials for AWS ({error}): set AWS_PROFILE, or run `aws configure` or `aws sso login`"
        )
    if isinstance(error, NoRegionError):
        return Misconfigured("no region: give --region, or set AWS_REGION")
    if isinstance(error, EndpointConnectionError):
        return Unavailable(f"{error}: check the network, and that the region's name is right")
    return Misconfigured(f"{type(error).__name__}: {error}")


def _answered(error: ClientError) -> LedgerError:
    name, said, operation = code(error), message(error), error.operation_name
    if name in BAD_CREDENTIALS:
        return Misconfigured(
            f"AWS does not take these credentials here ({operation}: {name}: {said}): they may have "
            "expired, or the account may not use this region"
        )
    if name in DENIED:
        return Misconfigured(
            f"no permission for {operation}: {said}: docs/deploying.md lists what the deployer needs"
        )
    if name in THROTTLED:
        return Unavailable(f"{operation}: {name}: {said}: try again")
    return Misconfigured(f"{operation}: {name}: {said}")
