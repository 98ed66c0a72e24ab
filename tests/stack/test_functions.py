"""Functions on LocalStack without Docker behave as on AWS: the executor in localstack/native."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.stack.support.deployed import Answer, Deployed
from tests.stack.support.functions import Functions
from tests.stack.support.waiting import eventually


def test_the_environment(deployed: Deployed, functions: Functions) -> None:
    """A function has its own variables and LocalStack's, and finds only what is in its zip."""
    name = functions.make("obedient.py", timeout=7, COLOUR="blue")
    answer = deployed.invoke(name, {})
    assert answer.error is None
    variables = answer.value["variables"]
    assert variables["COLOUR"] == "blue"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_ENDPOINT_URL"] == deployed.endpoint_url
    assert "FOLIO_PACKAGE" not in variables
    assert "VIRTUAL_ENV" not in variables
    assert answer.value["found"] == {"boto3": False, "localstack": False}
    assert 5000 < answer.value["milliseconds_left"] <= 7000


def test_a_process_is_used_again(deployed: Deployed, functions: Functions) -> None:
    """The next invocation runs in the same process, also after the handler raised an error."""
    name = functions.make("obedient.py")
    first = deployed.invoke(name, {})
    failed = deployed.invoke(name, {"fail": "as asked"})
    second = deployed.invoke(name, {})
    assert failed.error == "Unhandled"
    assert (failed.value["errorType"], failed.value["errorMessage"]) == ("ValueError", "as asked")
    assert first.value["process"] == second.value["process"]
    assert first.value["request"] != second.value["request"]


@pytest.mark.parametrize(
    ("how", "told"), [({"exit": 3}, "exit status 3"), ({"die": signal.SIGKILL}, "signal: 9")]
)
def test_a_crash(deployed: Deployed, functions: Functions, how: dict[str, int], told: str) -> None:
    """A process that dies in an invocation fails it at once, and the next one runs in a new one."""
    name = functions.make("obedient.py", timeout=60)
    before = deployed.invoke(name, {})
    crashed = deployed.invoke(name, {"say": "last words"} | how)
    after = deployed.invoke(name, {})
    assert crashed.error == "Unhandled"
    assert crashed.value["errorType"] == "Runtime.ExitError"
    assert crashed.value["errorMessage"].endswith(f"Runtime exited with error: {told}")
    assert after.error is None
    assert after.value["process"] != before.value["process"]
    wait_for_log(deployed, name, "last words")


def test_a_time_out(deployed: Deployed, functions: Functions) -> None:
    """A function that takes too long is killed with what it started, and the next invocation runs in a new process."""
    name = functions.make("obedient.py", timeout=1)
    before = deployed.invoke(name, {})
    late = deployed.invoke(name, {"leave a child": 600, "sleep": 600})
    after = deployed.invoke(name, {})
    assert late.error == "Unhandled"
    assert late.value["errorType"] == "Sandbox.Timedout"
    assert late.value["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert after.error is None
    assert after.value["process"] != before.value["process"]
    child = int(wait_for_log(deployed, name, "child ").split()[-1])
    assert not psutil.pid_exists(before.value["process"])
    eventually(lambda: psutil.pid_exists(child), lambda there: not there)


def test_an_error_of_the_start(deployed: Deployed, functions: Functions) -> None:
    """A module that cannot be imported fails each invocation with its error, and its lines are logged."""
    name = functions.make("broken.py")
    for _ in range(2):
        assert is_import_error(deployed.invoke(name, {}))
    wait_for_log(deployed, name, "about to fail")


def test_a_new_version(deployed: Deployed, functions: Functions) -> None:
    """New code and new variables take effect with the next invocation."""
    name = functions.make("obedient.py", COLOUR="blue")
    old = deployed.invoke(name, {})
    functions.update_variables(name, COLOUR="red")
    assert deployed.invoke(name, {}).value["variables"]["COLOUR"] == "red"
    functions.update_code(name, "def handler(event, context): return 'new'")
    assert deployed.invoke(name, {}) == Answer("new", None)
    eventually(lambda: psutil.pid_exists(old.value["process"]), lambda there: not there)


def test_log_lines(deployed: Deployed, functions: Functions) -> None:
    """Each invocation's lines stand between its START and END, all that it wrote before it answered."""
    name = functions.make("obedient.py")
    requests = [deployed.invoke(name, {"say": f"call {n}"}).value["request"] for n in range(5)]
    wait_for_log(deployed, name, f"END RequestId: {requests[-1]}")
    lines = [line for line in deployed.log(name) if not line.startswith("REPORT")]
    assert lines == [
        line
        for n, request in enumerate(requests)
        for line in (
            f"START RequestId: {request} Version: $LATEST",
            f"call {n}",
            f"END RequestId: {request}",
        )
    ]


def test_a_flood_of_log_lines(deployed: Deployed, functions: Functions) -> None:
    """A function that writes without measure is cut short in its log, and answers all the same."""
    name = functions.make("obedient.py", timeout=60)
    assert deployed.invoke(name, {"say much": 10_000}).error is None
    assert wait_for_log(deployed, name, "more lines were dropped").startswith("[")


def test_embedded_metrics(deployed: Deployed, functions: Functions) -> None:
    """A log line in the embedded metric format becomes metrics, with dimensions and units."""
    name = functions.make("obedient.py")
    directive = {
        "Namespace": name,
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Applied", "Unit": "Count"}, {"Name": "Age", "Unit": "Seconds"}],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "service": "projector",
        "Applied": 7,
        "Age": [1.5, 2.5],
    }
    deployed.invoke(name, {"say as JSON": line})
    assert deployed.metric(name, "Applied", service="projector") == 7
    assert deployed.metric(name, "Age", service="projector") == 4


def test_a_crash_in_mid_batch(deployed: Deployed, functions: Functions, tmp_path: Path) -> None:
    """A function of a stream that dies in the middle of a batch gets the whole batch again, in its order."""
    # Given a stream with four records, and a function that dies at the third
    stream = functions.make_stream(["1", "2", "3", "4"])
    told = tmp_path / "told"
    name = functions.make("telling.py", TOLD=str(told), DEADLY="3")
    # When it is put behind the stream
    functions.connect(stream, name)
    # Then
    expected = ["1", "2", "3", "1", "2", "3", "4"]
    eventually(lambda: told.read_text().split() if told.exists() else [], expected.__eq__)


def is_import_error(answer: Answer) -> bool:
    return answer.error == "Unhandled" and answer.value["errorType"] == "Runtime.ImportModuleError"


def wait_for_log(deployed: Deployed, function: str, text: str) -> str:
    """The first line with the text: LocalStack writes a log some time after the answer."""
    lines = eventually(
        lambda: [line for line in deployed.log(function) if text in line], lambda found: found
    )
    return lines[0]
