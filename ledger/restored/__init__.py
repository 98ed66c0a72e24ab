"""A ledger restored to a point in time: what the cut left in parts is completed, or taken out whole.

A point-in-time restore may hold part of a recent transaction, and each table may have been cut at
another moment. The header decides: where it stands, the transaction was, and what it names is
written again; where it does not, the transaction never was.
"""

from ledger.restored.cuts import Cuts, survey
from ledger.restored.evidence import refusal
from ledger.restored.mending import Mended, mend

__all__ = ["Cuts", "Mended", "mend", "refusal", "survey"]
