"""A deployment refuses what is wrong before it changes anything, and says what to do."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)
from botocore.stub import Stubber

from ledger.cli.session import Options, Session
from ledger.cli.stack_deploy import _cleared
from ledger.errors import InvalidRequest, LedgerError, Misconfigured, Unavailable
from ledger.settings import Settings
from ledger.stack import (
    calls,
    changes,
    changeset,
    code,
    deploy,
    existing,
    follow,
    outputs,
    parameters,
    stacks,
    template,
)
from ledger.stack.calls import Aws
from ledger.stack.changes import Change
from ledger.stack.deploy import Wanted
from ledger.stack.follow import Event
from ledger.stack.package import Label, Package
from ledger.stack.stacks import Stack
from ledger.tables import definitions
from tests.support.command import Folio

TEMPLATE = template.text()
KNOWN = parameters.declared(TEMPLATE)
VERSION = version("folio-ledger")
ACCOUNT = "123456789012"


def stack(status: str = "CREATE_COMPLETE", **fields: Any) -> Stack:
    return Stack("folio", "arn:stack", status, **fields)


def want(**given: str) -> Wanted:
    return Wanted("folio", TEMPLATE, KNOWN, given)


def made_for(architecture: str, python: str, version: str = VERSION) -> Package:
    return Package(b"zip", Label(version, architecture, python, "0" * 64), 3, 1)


@pytest.fixture
def aws(session: boto3.Session) -> Aws:
    """An account that nothing is sent to but what a test's stub answers."""
    return Aws(session)


# ---- Parameters ----------------------------------------------------------------------------------


def test_the_templates_parameters_are_read_with_their_rules() -> None:
    """Defaults, allowed values and bounds come from the template itself."""
    assert KNOWN["Architecture"].allowed == ("arm64", "x86_64")
    assert KNOWN["PythonVersion"].default == "3.13"
    assert KNOWN["DeletionProtection"].allowed == ("true", "false")
    assert KNOWN["CodeBucket"].default is None
    assert KNOWN["ReconcilerTimeout"].at_most == 900


def test_defaults_obey_their_own_rules() -> None:
    """No default is one that its own rule refuses."""
    wrong = {n: p.check(p.default) for n, p in KNOWN.items() if p.default is not None}
    assert not {name: why for name, why in wrong.items() if why}


def test_cloudformations_tags_are_values() -> None:
    """`!Ref` and its kin are read as data; Python's own tags are refused, not run."""
    read = parameters.loaded("a: !Sub '${Name}-x'\nb: !Join ['', [!Ref C]]\nc: !If {d: e}\n")
    assert read == {
        "a": {"Sub": "${Name}-x"},
        "b": {"Join": ["", [{"Ref": "C"}]]},
        "c": {"If": {"d": "e"}},
    }
    assert parameters.loaded("a: !!set {b}") == {"a": {"b"}}
    with pytest.raises(Exception, match="could not determine a constructor"):
        parameters.loaded("a: !!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("Nope", "1", "no such parameter; it has .*BatchSize"),
        ("Architecture", "arm", "expected one of arm64, x86_64"),
        ("ProjectorMemory", "much", "expected a number"),
        ("ProjectorMemory", "64", "expected 128 or more"),
        ("ReconcilerTimeout", "901", "expected 900 or less"),
        ("KmsKeyArn", "alias/mine", r"expected .*:kms:"),
        ("Name", "other", "set by --name"),
        ("CodeKey", "x.zip", "set by --package"),
        ("Tables", "existing", "set by --existing-tables"),
    ],
)
def test_a_wrong_parameter_is_refused(name: str, value: str, wrong: str) -> None:
    """An unknown one, a malformed value, and one that an option sets are told apart."""
    with pytest.raises(InvalidRequest, match=f"--parameter {name}: .*{wrong}"):
        parameters.checked(KNOWN, {name: value})


def test_parameters_are_refused_before_any_call(
    bare_folio: Folio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and nobody is asked who the account is."""
    monkeypatch.setattr(Aws, "client", lambda *_, **__: pytest.fail("a call"))
    for wrong in (
        ("--parameter", "Nope=1"),
        ("--parameter", "LogLevel"),
        ("--parameter", "LogLevel=INFO", "--parameter", "LogLevel=DEBUG"),
        ("--tag", "=x"),
        ("--name", "UPPER"),
        ("--package", "/no/such.zip"),
        ("--embedded", "books"),
    ):
        assert bare_folio("stack", "deploy", *wrong, "--yes").code == 2


def test_an_update_keeps_what_is_not_given() -> None:
    """A parameter that the stack has stays; one that is new to it gets the template's default."""
    before = {name: "old" for name in KNOWN if name != "EventBus"}
    asked = {p["ParameterKey"]: p for p in parameters.request(KNOWN, {"LogLevel": "DEBUG"}, before)}
    assert asked["LogLevel"] == {"ParameterKey": "LogLevel", "ParameterValue": "DEBUG"}
    assert asked["Currencies"] == {"ParameterKey": "Currencies", "UsePreviousValue": True}
    assert "EventBus" not in asked


def test_the_template_is_printed_to_the_letter(bare_folio: Folio) -> None:
    """What CDK and Terraform are given is what is deployed."""
    assert bare_folio("stack", "template").out == TEMPLATE
    assert bare_folio.answer("stack", "template") == {"template": TEMPLATE}


# ---- The package and the version -----------------------------------------------------------------


def test_a_package_fits_the_parameters() -> None:
    """As given, else as the stack has them, else the template's defaults."""
    deploy.check_package(made_for("arm64", "3.13"), want(), None)
    deploy.check_package(made_for("x86_64", "3.13"), want(Architecture="x86_64"), None)
    before = stack(parameters={"Architecture": "x86_64", "PythonVersion": "3.12"})
    deploy.check_package(made_for("x86_64", "3.12"), want(), before)


@pytest.mark.parametrize(
    ("package", "wrong"),
    [
        (made_for("x86_64", "3.13"), "made for x86_64, and the stack's Architecture is arm64"),
        (made_for("arm64", "3.12"), "made for 3.12, and the stack's PythonVersion is 3.13"),
        (made_for("arm64", "3.13", "0.0.9"), "the package is of folio 0.0.9"),
    ],
)
def test_a_package_for_something_else_is_refused(package: Package, wrong: str) -> None:
    """On AWS it would be a function that cannot import its own code."""
    with pytest.raises(InvalidRequest, match=wrong):
        deploy.check_package(package, want(), None)


def test_an_older_template_is_not_put_over_a_newer_stack() -> None:
    """The version of what runs is read from the code's key."""
    newer, same = made_for("arm64", "3.13", "99.0.0"), made_for("arm64", "3.13")
    with pytest.raises(InvalidRequest, match=r"deployed by folio 99\.0\.0"):
        deploy.check_version(stack(parameters={"CodeKey": code.code_key("folio-eu", newer)}))
    deploy.check_version(stack(parameters={"CodeKey": code.code_key("folio-eu", same)}))
    deploy.check_version(stack(parameters={"CodeKey": "builds/mine.zip"}))
    deploy.check_version(None)


def test_another_content_has_another_key() -> None:
    """So CloudFormation sees that the code changed, and the bucket keeps the old one."""
    one, other = made_for("arm64", "3.13"), replace(made_for("arm64", "3.13"), content=b"other")
    assert code.code_key("folio", one) != code.code_key("folio", other)
    assert code.code_key("folio", one) == code.code_key("folio", made_for("arm64", "3.13"))


# ---- The state of the stack ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "way"),
    [
        (None, "CREATE"),
        (stack("REVIEW_IN_PROGRESS"), "CREATE"),
        (stack("CREATE_COMPLETE"), "UPDATE"),
        (stack("UPDATE_ROLLBACK_COMPLETE"), "UPDATE"),
    ],
)
def test_a_stack_is_created_or_updated(before: Stack | None, way: str) -> None:
    """A stack that a change set left behind, and one whose last update was rolled back, are no obstacle."""
    assert stacks.way(before, "folio") == way


@pytest.mark.parametrize(
    ("status", "out"),
    [
        ("UPDATE_IN_PROGRESS", "wait for its end"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait for its end"),
        ("ROLLBACK_COMPLETE", "must be deleted first"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name folio"),
        ("DELETE_FAILED", "delete it again"),
    ],
)
def test_a_stack_that_takes_no_update_is_named_with_the_way_out(status: str, out: str) -> None:
    """The message says what state it is in and what to do."""
    with pytest.raises(Misconfigured, match=f"{status}.*{out}"):
        stacks.way(stack(status), "folio")


# ---- The change set ------------------------------------------------------------------------------


def test_changes_are_read_in_the_order_of_their_names() -> None:
    """A `False` replacement is none."""
    listed = [
        {
            "ResourceChange": {
                "Action": "Modify",
                "LogicalResourceId": n,
                "ResourceType": "T",
                "Replacement": r,
            }
        }
        for n, r in (("B", "False"), ("A", "True"))
    ]
    assert changes.read([*listed, {"Type": "Hook"}]) == [
        Change("Modify", "A", "T", "True"),
        Change("Modify", "B", "T"),
    ]


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (Change("Remove", "EventsTable", "AWS::DynamoDB::Table"), "EventsTable would be removed"),
        (
            Change("Modify", "EventsTable", "AWS::DynamoDB::Table", "True"),
            "EventsTable would be replaced",
        ),
        (
            Change("Modify", "EventsTable", "AWS::DynamoDB::Table", "Conditional"),
            "would be replaced",
        ),
        (Change("Modify", "EventsTable", "AWS::DynamoDB::Table"), None),
        (Change("Add", "EventsTable", "AWS::DynamoDB::Table"), None),
        (Change("Remove", "Dashboard", "AWS::CloudWatch::Dashboard"), None),
    ],
)
def test_a_table_is_never_replaced_or_removed(change: Change, lost: str | None) -> None:
    """Everything else may be."""
    if lost is None:
        changes.check([change])
    else:
        with pytest.raises(InvalidRequest, match=lost):
            changes.check([change])


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_an_empty_change_set_is_no_failure(aws: Aws, reason: str) -> None:
    """CloudFormation calls it FAILED; there is nothing to change."""
    made = _made(aws, {"Status": "FAILED", "StatusReason": reason})
    assert made.changes == []


def test_a_change_set_that_fails_is_taken_back_and_its_reason_named(aws: Aws) -> None:
    """The empty stack that it was made with goes too."""
    with pytest.raises(Misconfigured, match="Template error: no such resource"):
        _made(
            aws,
            {"Status": "FAILED", "StatusReason": "Template error: no such resource"},
            fails=True,
        )


def _made(aws: Aws, described: dict[str, Any], *, fails: bool = False) -> changeset.ChangeSet:
    ids = {"ChangeSetName": "arn:aws:cs/1", "StackName": "arn:stack"}
    with Stubber(aws.client("cloudformation")) as stub:
        stub.add_response("create_change_set", {"Id": "arn:aws:cs/1", "StackId": "arn:stack"})
        stub.add_response("describe_change_set", described, ids)
        if fails:
            stub.add_response("delete_change_set", {}, ids)
            stub.add_response("delete_stack", {}, {"StackName": "arn:stack"})
        try:
            return changeset.make(
                aws, "folio", "CREATE", template_url="https://s3/t", parameters=[], tags={}
            )
        finally:
            stub.assert_no_pending_responses()


# ---- A stack that failed -------------------------------------------------------------------------


def event(logical_id: str, status: str, reason: str = "", kind: str = "AWS::IAM::Role") -> Event:
    return Event(
        f"{logical_id}-{status}", datetime(2026, 1, 1, tzinfo=UTC), logical_id, kind, status, reason
    )


def test_the_first_failed_resource_is_named_and_not_those_that_followed() -> None:
    """What was cancelled because of it, and the stack itself, only echo it."""
    happened = [
        event("folio", "CREATE_IN_PROGRESS", kind=follow.STACK),
        event("ReaderPolicy", "CREATE_FAILED", "Resource creation cancelled"),
        event("ProjectorRole", "CREATE_FAILED", "API: iam:CreateRole no permission"),
        event("WriterPolicy", "CREATE_FAILED", "another"),
        event(
            "folio", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed", kind=follow.STACK
        ),
    ]
    with pytest.raises(
        Misconfigured,
        match=r"ended ROLLBACK_COMPLETE: ProjectorRole \(AWS::IAM::Role\): API: iam:CreateRole",
    ):
        follow.check(stack("ROLLBACK_COMPLETE"), "folio", happened)


def test_a_stack_that_was_rolled_back_has_failed() -> None:
    """UPDATE_ROLLBACK_COMPLETE ends in COMPLETE and is no success."""
    with pytest.raises(Misconfigured, match="no failure"):
        follow.check(stack("UPDATE_ROLLBACK_COMPLETE"), "folio", [])
    assert follow.check(stack("UPDATE_COMPLETE"), "folio", []).status == "UPDATE_COMPLETE"


# ---- AWS's refusals ------------------------------------------------------------------------------


def refused(name: str, message: str = "", operation: str = "CreateChangeSet") -> ClientError:
    return ClientError({"Error": {"Code": name, "Message": message}}, operation)


DENIED = "User: arn:u is not authorized to perform: cloudformation:CreateChangeSet on resource: r"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (NoCredentialsError(), Misconfigured, "no credentials for AWS"),
        (NoRegionError(), Misconfigured, "give --region"),
        (refused("AccessDenied", DENIED), Misconfigured, "perform: cloudformation:CreateChangeSet"),
        (refused("ExpiredToken", "The token expired"), Misconfigured, "may have expired"),
        (refused("InvalidClientTokenId"), Misconfigured, "may not use this region"),
        (refused("Throttling", "Rate exceeded"), Unavailable, "try again"),
        (
            EndpointConnectionError(endpoint_url="https://x.eu-nowhere-1"),
            Unavailable,
            "region's name",
        ),
        (refused("ValidationError", "bad template"), Misconfigured, "bad template"),
    ],
)
def test_a_refusal_says_what_to_do(error: Any, kind: type[LedgerError], said: str) -> None:
    """Missing credentials, permissions and a wrong region are told apart; AWS's action is named."""
    meant = calls.meaning(error)
    assert type(meant) is kind
    assert said in str(meant)


def test_a_bucket_of_another_account_is_not_used(aws: Aws) -> None:
    """S3 forbids it, because the owner is expected to be this account."""
    with Stubber(aws.client("s3")) as s3:
        expected = {"Bucket": "theirs", "ExpectedBucketOwner": ACCOUNT}
        s3.add_client_error("head_bucket", "403", expected_params=expected)
        with pytest.raises(Misconfigured, match="theirs is another account's"):
            code.ensure_bucket(aws, ACCOUNT, "theirs", _quiet)


def test_a_default_bucket_that_another_account_took_is_not_used(aws: Aws) -> None:
    """Names of buckets are everybody's: ours may have been taken before."""
    with Stubber(aws.client("s3")) as s3:
        s3.add_client_error("head_bucket", "404")
        s3.add_client_error("create_bucket", "BucketAlreadyExists")
        with pytest.raises(
            Misconfigured, match=f"folio-code-{ACCOUNT}-us-east-1 is another account's"
        ):
            code.ensure_bucket(aws, ACCOUNT, None, _quiet)


def test_a_bucket_in_another_region_is_refused(aws: Aws) -> None:
    """Lambda takes code from its own region only."""
    with Stubber(aws.client("s3")) as s3:
        s3.add_response("head_bucket", {"BucketRegion": "eu-west-1"})
        with pytest.raises(Misconfigured, match="is in eu-west-1"):
            code.ensure_bucket(aws, ACCOUNT, "mine", _quiet)


def test_a_named_bucket_is_not_made(aws: Aws) -> None:
    """A slip of the pen makes no bucket."""
    with Stubber(aws.client("s3")) as s3:
        s3.add_client_error("head_bucket", "404")
        with pytest.raises(Misconfigured, match="there is no bucket mien"):
            code.ensure_bucket(aws, ACCOUNT, "mien", _quiet)


def test_the_default_bucket_is_made_private_encrypted_and_versioned(aws: Aws) -> None:
    """It is said before it is done, and every call names the owner."""
    said: list[str] = []
    bucket = f"folio-code-{ACCOUNT}-us-east-1"
    ours = {"Bucket": bucket, "ExpectedBucketOwner": ACCOUNT}
    closed = dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    encrypted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    with Stubber(aws.client("s3")) as s3:
        s3.add_client_error("head_bucket", "404", expected_params=ours)
        s3.add_response(
            "create_bucket", {}, {"Bucket": bucket, "ObjectOwnership": "BucketOwnerEnforced"}
        )
        s3.add_response(
            "put_public_access_block", {}, ours | {"PublicAccessBlockConfiguration": closed}
        )
        s3.add_response(
            "put_bucket_encryption", {}, ours | {"ServerSideEncryptionConfiguration": encrypted}
        )
        s3.add_response(
            "put_bucket_versioning", {}, ours | {"VersioningConfiguration": {"Status": "Enabled"}}
        )
        assert code.ensure_bucket(aws, ACCOUNT, None, lambda what, **_: said.append(what)) == bucket
        s3.assert_no_pending_responses()
    assert said == ["making the bucket for the functions' code: private, encrypted, versioned"]


def _quiet(*_: object, **__: object) -> None:
    """Says nothing."""


# ---- Tables that are there -----------------------------------------------------------------------

WANTED = definitions(Settings())


def test_tables_as_they_are_defined_have_no_differences() -> None:
    """What an engine was asked to create is what is expected."""
    assert [existing.differences(one, one) for one in WANTED] == [[]] * len(WANTED)


@pytest.mark.parametrize(
    ("table", "found", "wrong"),
    [
        (0, None, "there is no table folio-events"),
        (
            0,
            {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]},
            "folio-events is of an older version, or not Folio's: keys id, expected PK, SK",
        ),
        (
            1,
            {"AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "B"}]},
            "PK is of type B, expected S",
        ),
        (
            2,
            {"GlobalSecondaryIndexes": []},
            "of an older version, or not Folio's: no index listing",
        ),
        (
            0,
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
            "shows KEYS_ONLY",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_named(
    table: int, found: dict[str, Any] | None, wrong: str
) -> None:
    """A missing table, one of an older version, and a stream that shows too little."""
    has = None if found is None else WANTED[table] | found
    assert wrong in "; ".join(existing.differences(WANTED[table], has))


def test_a_stream_that_is_off_is_no_difference() -> None:
    """It is switched on when the tables are taken over."""
    off = {k: v for k, v in WANTED[0].items() if k != "StreamSpecification"}
    assert existing.differences(WANTED[0], off) == []


# ---- Outputs -------------------------------------------------------------------------------------


def test_outputs_are_settings_that_a_shell_takes(tmp_path: Path) -> None:
    """Sourced, they are what `Settings` reads; a declared currency comes along, quoted."""
    found = {f"{t.title()}Table": f"books-{t}" for t in existing.TABLES} | {
        "Name": "books",
        "StreamArn": "arn",
    }
    settings = outputs.settings(found, {"Currencies": '{"PTS": 0}'})
    file = tmp_path / ".env"
    file.write_text("\n".join(outputs.lines(settings)) + "\n")
    script = f"set -a; . {shlex.quote(str(file))}; env -0"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={})
    environment = dict(
        one.split("=", 1) for one in done.stdout.split("\0") if one.startswith("LEDGER_")
    )
    assert environment["LEDGER_EVENTS_TABLE"] == "books-events"
    assert environment["LEDGER_CURRENCIES"] == '{"PTS": 0}'
    assert len(environment) == 7
    assert outputs.others(found) == {"StreamArn": "arn"}


def test_every_setting_is_an_output_of_the_template() -> None:
    """The template and the printed settings name the same outputs."""
    declared = parameters.loaded(TEMPLATE)["Outputs"]
    assert set(outputs.SETTINGS) <= set(declared)
    assert {"ReconcilerFunction", "ProjectorFunction", "ProjectorMapping", "FailureBucket"} <= set(
        declared
    )


# ---- A stack that never came up ------------------------------------------------------------------


def test_what_is_left_of_a_failed_creation_is_deleted_with_consent(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deletion is followed to the end; then the stack is created as a new one."""
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    gone = {"StackName": "folio", "CreationTime": datetime(2026, 1, 1, tzinfo=UTC)}
    with Stubber(aws.client("cloudformation")) as stub:
        stub.add_response("describe_stack_events", {"StackEvents": []})
        stub.add_response("delete_stack", {}, {"StackName": "arn:stack"})
        stub.add_response(
            "describe_stacks", {"Stacks": [gone | {"StackStatus": "DELETE_COMPLETE"}]}
        )
        assert (
            _cleared(Session(Options(json=True)), aws, stack("ROLLBACK_COMPLETE"), agreed=True)
            is None
        )
        stub.assert_no_pending_responses()


def test_what_is_left_of_a_failed_creation_stays_without_consent(aws: Aws) -> None:
    """Nobody is asked without a terminal, and nothing is sent."""
    left = stack("ROLLBACK_COMPLETE")
    with Stubber(aws.client("cloudformation")):
        assert _cleared(Session(Options(json=True)), aws, left, agreed=False) == left
