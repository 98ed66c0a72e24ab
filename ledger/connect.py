"""From settings and a boto3 session to a runtime: where clients, clocks and randomness come from."""

from __future__ import annotations

import platform
import secrets
import time
import uuid
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from ledger.clock import Clock
from ledger.errors import Misconfigured
from ledger.money import Currencies
from ledger.runtime import Runtime
from ledger.settings import Settings
from ledger.store import Store

USER_AGENT = f"folio-ledger Boto3/{boto3.__version__} Python/{platform.python_version()}"


def client_config(settings: Settings) -> Config:
    """One attempt a call (the store repeats them), explicit time-outs, a pool for all threads."""
    return Config(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        max_pool_connections=settings.pool_connections,
        retries={"mode": "standard", "total_max_attempts": 1},
        # Requests are built by code that the tests hold against the engines; checking each again
        # costs half of the CPU of a large transaction.
        parameter_validation=False,
        tcp_keepalive=True,
        account_id_endpoint_mode="disabled",
        # A bucket's own host name is not known where S3 is LocalStack's.
        s3={"addressing_style": "path"},
        # The SDK would put one together anew for every attempt, at a tenth of a call's CPU.
        user_agent=USER_AGENT,
    )


def client(
    service: str, settings: Settings, session: boto3.Session | None, endpoint_url: str | None = None
) -> Any:
    """A client of the session. AWS's own variables name the endpoint where `endpoint_url` does not.

    Raises:
        Misconfigured: no region, a broken profile, or the like.
    """
    try:
        clients: Any = session or boto3.Session()  # its types know service names as literals only
        return clients.client(service, config=client_config(settings), endpoint_url=endpoint_url)
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(f"no {service} client: {error}") from error


def runtime(
    settings: Settings, session: boto3.Session | None, endpoint_url: str | None = None
) -> Runtime:
    """A ledger's parts, on real clocks and randomness. Nothing is sent."""
    dynamodb = client("dynamodb", settings, session, endpoint_url)
    clock = Clock(time.time)
    store = Store(
        dynamodb,
        clock,
        attempts=settings.attempts,
        backoff_seconds=settings.backoff_seconds,
        sleep=time.sleep,
        token=lambda: uuid.uuid4().hex,
    )
    return Runtime(
        settings=settings,
        region=settings.region or dynamodb.meta.region_name,
        currencies=Currencies(settings.currencies),
        store=store,
        clock=clock,
        randomness=secrets.token_bytes,
    )
