"""Where things are: in the repository, and what is made below .localstack/."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
NATIVE = REPOSITORY / "localstack" / "native"
READY_HOOKS = REPOSITORY / "localstack" / "init" / "ready.d"
TEMPLATE = REPOSITORY / "localstack" / "template.yaml"

STATE = REPOSITORY / ".localstack"
"""Everything that is made; `make clean` removes it."""
