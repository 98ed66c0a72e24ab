"""The template of the stack, as it is shipped: plain CloudFormation, one for AWS and LocalStack.

Whoever has other tools takes the same file. `python -m ledger.stack.template > folio.yaml` writes
it; the zip that `CodeBucket` and `CodeKey` name is made by `folio stack package`.

CDK (Python; the tables are then `folio.get_resource("EventsTable")`, and so on):

    from aws_cdk.cloudformation_include import CfnInclude

    folio = CfnInclude(
        self, "Folio",
        template_file="folio.yaml",
        parameters={"CodeBucket": code.s3_bucket_name, "CodeKey": code.s3_object_key},
    )

Terraform (its outputs are then `aws_cloudformation_stack.folio.outputs["EventsTable"]`, and so on):

    resource "aws_cloudformation_stack" "folio" {
      name          = "folio"
      template_body = file("folio.yaml")
      capabilities  = ["CAPABILITY_IAM"]
      parameters    = { CodeBucket = var.code_bucket, CodeKey = var.code_key, Name = "folio" }
    }
"""

from __future__ import annotations

import sys
from pathlib import Path

SHIPPED = Path(__file__).parent
CHECKED_OUT = Path(__file__).parents[2] / "localstack"
"""Where the templates stand in the repository; the wheel carries them in `SHIPPED`."""

STACK = "template.yaml"
NIGHTS = "nights.yaml"
"""Beside the stack, for whoever reconciles by the day: DynamoDB's exports, and a bucket for them."""

MAX_BYTES = 51_200
"""What CloudFormation takes as a template's body; a longer one must lie in S3."""


def text(name: str = STACK) -> str:
    """A template, as YAML."""
    shipped = SHIPPED / name
    return (shipped if shipped.is_file() else CHECKED_OUT / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.stdout.write(text())
