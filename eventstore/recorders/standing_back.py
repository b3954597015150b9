"""How long whoever was in another's way waits before it tries again."""

from __future__ import annotations

import random
import time

# So that those who overtake each other, or wait for each other, do not keep in step.
_SECONDS = 0.01


def stand_back() -> None:
    """Let others go first, for a time that nobody else chooses, too."""
    time.sleep(random.uniform(0, _SECONDS))  # noqa: S311 (nothing to guess here)
