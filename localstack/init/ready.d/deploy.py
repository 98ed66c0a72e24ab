"""Deploys the stack `folio` when LocalStack is ready: the very template that AWS gets.

LocalStack runs it in its own process (compose and native alike), so it needs boto3 and nothing of Folio. It ends with
an error when the stack failed, and LocalStack tells so at /_localstack/init/ready.

| variable           | meaning                                                                    |
| ------------------ | -------------------------------------------------------------------------- |
| `FOLIO_PACKAGE`    | the functions' zip, as `folio stack package` makes it                      |
| `FOLIO_TEMPLATE`   | the template                                                               |
| `FOLIO_PARAMETERS` | a JSON object: values of its parameters other than the defaults (optional) |
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

STACK = "folio"
REGION = "us-east-1"
LABEL = "folio-package.json"
"""In the zip: which processor and which Python it was made for."""
WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
POLL_SECONDS = 0.5
POLLS = 600


def deploy() -> None:
    """Create or update the stack, and print its outputs."""
    package, template = (Path(os.environ[name]) for name in ("FOLIO_PACKAGE", "FOLIO_TEMPLATE"))
    bucket, key = upload(package)
    with zipfile.ZipFile(package) as archive:
        label = json.loads(archive.read(LABEL))
    parameters = {
        "CodeBucket": bucket,
        "CodeKey": key,
        "Architecture": label["architecture"],
        "PythonVersion": label["python"],
        **json.loads(os.environ.get("FOLIO_PARAMETERS") or "{}"),
    }
    stack = bring_up(template.read_text("utf-8"), parameters)
    for output in stack["Outputs"]:
        print(f"{STACK}: {output['OutputKey']}={output['OutputValue']}", flush=True)  # noqa: T201  # into LocalStack's log


def upload(package: Path) -> tuple[str, str]:
    """Put the zip into a bucket, under a key that its content gives: a new version has a new one."""
    content = package.read_bytes()
    bucket, key = f"{STACK}-code", f"{hashlib.sha256(content).hexdigest()}.zip"
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return bucket, key


def bring_up(template: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Create the stack, or update it where it stands, and wait until that is done."""
    cloudformation = client("cloudformation")
    request = {
        "StackName": STACK,
        "TemplateBody": template,
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    try:
        cloudformation.create_stack(**request)
    except cloudformation.exceptions.AlreadyExistsException:
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
    return settled(cloudformation)


def settled(cloudformation: Any) -> dict[str, Any]:
    """The stack, when nothing of it is in progress any more.

    Not by boto3's waiters: LocalStack leaves a stack in which nothing changed at CREATE_COMPLETE,
    and who waits for UPDATE_COMPLETE waits for ever.
    """
    stack: dict[str, Any] = {"StackStatus": "unknown"}
    for _ in range(POLLS):
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    if stack["StackStatus"] not in WELL:
        raise RuntimeError(f"the stack is {stack['StackStatus']}: {failures(cloudformation)}")
    return stack


def failures(cloudformation: Any) -> str:
    """Which resources failed, and why, the first one first."""
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
    return "; ".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in failed
    )


def client(service: str) -> Any:
    """A client of the LocalStack that runs this."""
    port = os.environ.get("GATEWAY_LISTEN", "").partition(",")[0].rpartition(":")[2] or "4566"
    return boto3.client(  # type: ignore[call-overload]  # any service
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # LocalStack takes any
    )


deploy()
