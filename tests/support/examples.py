"""How many examples a property has that needs no engine: they cost next to nothing."""

from __future__ import annotations

from hypothesis import settings

many = settings(max_examples=max(100, (settings.default or settings()).max_examples))
"""A decorator above `@given`."""
