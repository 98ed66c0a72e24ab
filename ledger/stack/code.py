"""The bucket that holds the functions' code and the template, under keys named for their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ledger.errors import Misconfigured
from ledger.stack.calls import Aws, code, refusals
from ledger.stack.package import Package

HASH_CHARACTERS = 16
NOT_FOUND = frozenset({"404", "NoSuchBucket", "NoSuchKey", "NotFound"})
FORBIDDEN = frozenset({"403", "AccessDenied"})
WITHOUT_CONSTRAINT = "us-east-1"

Say = Callable[..., None]
"""Told what is done: a sentence, and fields."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Where the code and the template lie."""

    bucket: str
    code_key: str
    template_url: str


def default_bucket(account: str, region: str) -> str:
    """The bucket of all of Folio's stacks in an account and region."""
    return f"folio-code-{account}-{region}"


def code_key(name: str, package: Package) -> str:
    """The zip's key. Another content has another key, so that CloudFormation sees a change."""
    label = package.label
    return (
        f"{name}/folio-{label.version}-{label.architecture}-python{label.python}-"
        f"{package.sha256[:HASH_CHARACTERS]}.zip"
    )


def ensure_bucket(aws: Aws, account: str, named: str | None, say: Say) -> str:
    """The bucket, which is this account's and in this region. Only the default one is made.

    Raises:
        Misconfigured: it is another account's, in another region, or there is none of that name.
    """
    bucket = named or default_bucket(account, aws.region)
    try:
        with refusals():
            found = _found(aws, account, bucket)
    except Misconfigured as error:
        raise _sharper(error, bucket) from error
    if found is None:
        if named:
            raise Misconfigured(
                f"there is no bucket {bucket}: make it, or leave --code-bucket out for "
                f"{default_bucket(account, aws.region)}"
            )
        say(
            "making the bucket for the functions' code: private, encrypted, versioned",
            bucket=bucket,
        )
        _make(aws, account, bucket)
    elif found not in {"", aws.region}:
        raise Misconfigured(
            f"the bucket {bucket} is in {found}: Lambda takes code only from a bucket in its own "
            f"region, {aws.region}"
        )
    return bucket


def _found(aws: Aws, account: str, bucket: str) -> str | None:
    """The bucket's region, as far as S3 says it; None: no such bucket."""
    try:
        answer = aws.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if code(error) in NOT_FOUND:
            return None
        raise
    return str(answer.get("BucketRegion", ""))


def _sharper(error: Misconfigured, bucket: str) -> Misconfigured:
    cause = error.__cause__
    if isinstance(cause, ClientError) and code(cause) in FORBIDDEN:
        return Misconfigured(
            f"the bucket {bucket} is another account's, or there is no permission for "
            "s3:ListBucket on it: give a bucket of this account with --code-bucket"
        )
    return error


def _make(aws: Aws, account: str, bucket: str) -> None:
    s3 = aws.client("s3")
    where: dict[str, Any] = {}
    if aws.region != WITHOUT_CONSTRAINT:
        where = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    ours = {"Bucket": bucket, "ExpectedBucketOwner": account}
    with refusals():
        try:
            s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **where)
        except ClientError as error:
            if code(error) != "BucketAlreadyExists":
                raise
            raise Misconfigured(
                f"the bucket {bucket} is another account's: give one of this account with --code-bucket"
            ) from error
        s3.put_public_access_block(
            **ours,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        )
        s3.put_bucket_encryption(
            **ours,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )
        s3.put_bucket_versioning(**ours, VersioningConfiguration={"Status": "Enabled"})


def upload(
    aws: Aws, account: str, bucket: str, name: str, package: Package, template: str, say: Say
) -> Uploaded:
    """Put the zip and the template into the bucket, where they do not lie there already."""
    key = code_key(name, package)
    digest = hashlib.sha256(template.encode()).hexdigest()[:HASH_CHARACTERS]
    template_key = f"{name}/template-{digest}.yaml"
    for one, content in ((key, package.content), (template_key, template.encode())):
        _put(aws, account, bucket, one, content, say)
    # The form that takes any bucket's name, on AWS and on an engine.
    url = f"{aws.client('s3').meta.endpoint_url}/{bucket}/{template_key}"
    return Uploaded(bucket, key, url)


def _put(aws: Aws, account: str, bucket: str, key: str, content: bytes, say: Say) -> None:
    s3 = aws.client("s3")
    where = {"Bucket": bucket, "Key": key, "ExpectedBucketOwner": account}
    with refusals():
        try:
            s3.head_object(**where)
        except ClientError as error:
            if code(error) not in NOT_FOUND | FORBIDDEN:  # without s3:ListBucket, S3 forbids to ask
                raise
        else:
            return
        say("uploading", bucket=bucket, key=key, bytes=len(content))
        s3.put_object(**where, Body=content)
