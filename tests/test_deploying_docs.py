"""docs/deploying.md says what the template and the commands are, and cannot drift from them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import boto3

from ledger.stack import parameters, template
from ledger.stack.parameters import OWN, Parameter

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")


def row(parameter: Parameter) -> str:
    """A parameter's line in the table."""
    given = OWN.get(parameter.name)
    default = f"by `{given}`" if given else f"`{parameter.default}`" if parameter.default else ""
    said = parameter.description.replace("|", "\\|")
    return f"| `{parameter.name}` | {default} | {said} |"


def test_the_table_of_parameters_is_the_templates() -> None:
    """Every parameter with its default and its description, in the template's order."""
    expected = [row(one) for one in parameters.declared(template.text()).values()]
    found = [line for line in DOC.splitlines() if re.match(r"\| `[A-Z][A-Za-z]+` \|", line)]
    assert found == expected, "\n".join(expected)


def test_the_cdk_example_is_ten_lines_of_python() -> None:
    """It parses; each output or resource that it names is the template's."""
    (example,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    ast.parse(example)
    read = parameters.loaded(template.text())
    assert set(re.findall(r'get_resource\("(\w+)"\)', example)) <= set(read["Resources"])
    assert len(example.splitlines()) <= 12


def test_the_terraform_example_names_outputs_and_parameters_of_the_template() -> None:
    """Each `outputs["…"]` and each parameter."""
    (example,) = re.findall(r"```terraform\n(.*?)```", DOC, re.DOTALL)
    read = parameters.loaded(template.text())
    assert set(re.findall(r'outputs\["(\w+)"\]', example)) <= set(read["Outputs"])
    (given,) = re.findall(r"parameters\s*= \{(.*)\}", example)
    assert set(re.findall(r"(\w+) +=", given)) <= set(read["Parameters"])


def test_the_permissions_cover_every_call_of_the_commands(session: boto3.Session) -> None:
    """Each method of AWS's clients that the stack's code calls stands in the lists by its action."""
    source = "".join(path.read_text() for path in (ROOT / "ledger" / "stack").glob("*.py"))
    named = set(re.findall(r"\.(\w+)\(", source))
    named |= set(re.findall(r'get_paginator\("(\w+)"\)', source))
    clients: list[Any] = [session.client(name) for name in SERVICES]  # type: ignore[call-overload]
    methods = {method for client in clients for method in client.meta.method_to_api_mapping}
    assert named & methods == set(ACTIONS)
    assert set(ACTIONS.values()) <= set(re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", DOC))


SERVICES = ("cloudformation", "cloudwatch", "dynamodb", "lambda", "logs", "s3", "sts")
ACTIONS = {
    "create_bucket": "s3:CreateBucket",
    "create_change_set": "cloudformation:CreateChangeSet",
    "delete_change_set": "cloudformation:DeleteChangeSet",
    "delete_stack": "cloudformation:DeleteStack",
    "describe_alarms": "cloudwatch:DescribeAlarms",
    "describe_change_set": "cloudformation:DescribeChangeSet",
    "describe_log_streams": "logs:DescribeLogStreams",
    "describe_stack_events": "cloudformation:DescribeStackEvents",
    "describe_stacks": "cloudformation:DescribeStacks",
    "describe_table": "dynamodb:DescribeTable",
    "execute_change_set": "cloudformation:ExecuteChangeSet",
    "get_caller_identity": "sts:GetCallerIdentity",
    "get_event_source_mapping": "lambda:GetEventSourceMapping",
    "get_function_configuration": "lambda:GetFunctionConfiguration",
    "get_log_events": "logs:GetLogEvents",
    "get_metric_data": "cloudwatch:GetMetricData",
    "head_bucket": "s3:ListBucket",
    "head_object": "s3:GetObject",
    "invoke": "lambda:InvokeFunction",
    "list_objects_v2": "s3:ListBucket",
    "list_stack_resources": "cloudformation:ListStackResources",
    "put_bucket_encryption": "s3:PutEncryptionConfiguration",
    "put_bucket_versioning": "s3:PutBucketVersioning",
    "put_object": "s3:PutObject",
    "put_public_access_block": "s3:PutBucketPublicAccessBlock",
    "scan": "dynamodb:Scan",
    "update_table": "dynamodb:UpdateTable",
}
"""What IAM calls the methods; `ListBucket` covers a bucket's head and its listing."""
