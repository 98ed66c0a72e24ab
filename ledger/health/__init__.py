"""Health: what is right and wrong with a deployment, check by check, for probes and first minutes."""

from ledger.health.report import Check
from ledger.health.run import Clients, check, quick

__all__ = ["Check", "Clients", "check", "quick"]
