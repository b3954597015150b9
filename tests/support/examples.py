"""How many examples a property that takes long is tried with."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> int:
    """Return as many as is said where others have 50, and more or fewer where they have: see conftest's profiles."""
    return max(number * settings.default.max_examples // 50, 1)
