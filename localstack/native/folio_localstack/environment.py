"""The variables that LocalStack is started with. Nothing else of the user's environment reaches it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from folio_localstack.folders import TEMPLATE
from folio_localstack.venvs import Pythons

REGION = "us-east-1"
ACCESS_KEY = "test"
STACK = "folio"
"""What the init hook deploys."""
PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "DEBUG", "LS_LOG")


def of_hook(package: Path, parameters: Mapping[str, str]) -> dict[str, str]:
    """What the init hook deploys: the functions' zip, and the template's parameters that differ from its defaults."""
    return {
        "FOLIO_PACKAGE": str(package.resolve()),
        "FOLIO_TEMPLATE": str(TEMPLATE),
        "FOLIO_PARAMETERS": json.dumps(dict(parameters)),
    }


def exports(endpoint_url: str) -> dict[str, str]:
    """What programs need that are to work on it, `folio` among them."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
    }


def variables(port: int, root: Path, pythons: Pythons) -> dict[str, str]:
    """For a LocalStack on a port, with its files below `root`."""
    found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return found | {
        "HOME": str(root),
        "TMPDIR": str(root / "tmp"),
        "FILESYSTEM_ROOT": str(root),
        "OVERRIDE_IN_DOCKER": "0",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER": "hypercorn",  # the default one binds every interface, whatever it is told
        "DNS_ADDRESS": "0",
        "DISABLE_EVENTS": "1",  # no usage data
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DYNAMODB_IN_MEMORY": "1",
        # Half the CPU for as long as tests run, and it starts sooner.
        "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "PROVIDER_OVERRIDE_DYNAMODB": "v2",
        "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "1",  # the template's dashboard
        "LAMBDA_RUNTIME_EXECUTOR": "folio",
        "FOLIO_LAMBDA_PYTHON": str(pythons.function),
        "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.1",
        "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "1",
        "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_ERROR_SEC": "2",
    }
