"""Every example in the README does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_readme_has_examples() -> None:
    """None was lost to a change of its form."""
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example: str) -> None:
    """Its assertions hold."""
    exec(compile(example, str(README), "exec"), {})
