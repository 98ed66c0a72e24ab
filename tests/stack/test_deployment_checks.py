"""What `folio` asks of the deployed stack itself: its health, its lag, and who reads its stream."""

from __future__ import annotations

from ledger import Money, connect
from ledger.health import Clients, check
from tests.stack.support.deployed import Deployed
from tests.stack.support.stacks import run
from tests.stack.support.waiting import eventually

SHARED = ("quarantine", "lag")
"""What other tests of the same stack may leave behind, on purpose."""


def test_the_stack_is_healthy_by_its_own_account(deployed: Deployed) -> None:
    """Tables as this version defines them, the stream, and the mapping as the template has it."""
    rt = deployed.ledger.runtime
    endpoint = rt.store.client.meta.endpoint_url
    clients = [
        connect.client(s, rt.settings, deployed.session, endpoint) for s in ("lambda", "sts")
    ]
    found = {one.name: one for one in check(rt, Clients(*clients)) if one.name not in SHARED}
    assert {name: one.found for name, one in found.items() if one.state == "failing"} == {}
    assert {found[name].state for name in ("identity", "stream", "stream's reader")} == {"ok"}


def test_the_lag_of_an_account_comes_to_nothing(deployed: Deployed, account: str) -> None:
    """What is posted is behind at most for moments, through stream and Lambda."""
    deployed.ledger.transfer(
        source="world:lag", destination=account, money=Money(1, "EUR"), type="deposit"
    )
    eventually(lambda: deployed.ledger.lag([account]), lambda found: found.unapplied == 0)


def test_a_poller_beside_the_deployed_lambda_is_refused(deployed: Deployed) -> None:
    """Lambda's own API says that the mapping reads."""
    said = run(deployed, "projector", "run", own=True)
    assert said.code == 1
    assert "two readers" in said.err
