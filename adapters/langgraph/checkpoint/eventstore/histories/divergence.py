"""The report of the first place where a replay differs from what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from projections.diffing.difference import Difference
from projections.diffing.rendering import render
from projections.diffing.visible import printable

# How many lines of a difference are shown.
_LINES = 40


class DivergenceError(AssertionError):
    """A graph does not do again what a recorded history says. As text it is the report, with the difference.

    Attributes:
        thread: The thread.
        reason: What differs, in words.
        step: LangGraph's number of the step; `None`: of no step.
        node: The node, after those that lead to it in subgraphs; `None`: no single one.
        channel: The channel; `None`: no single one.
    """

    def __init__(
        self, thread: str, reason: str, where: tuple[int | None, str | None, str | None], lines: Sequence[str] = ()
    ) -> None:
        self.thread, self.reason = thread, reason
        self.step, self.node, self.channel = where
        named = zip(("step", "node", "channel"), where, strict=True)
        told = ", ".join(f"{word} {value!r}" for word, value in named if value is not None)
        first = f"the replay of {thread!r} differs{' in ' if told else ''}{told}: {reason}"
        super().__init__("\n    ".join([first, *lines]))


def divergence(
    thread: str,
    reason: str,
    *,
    step: int | None = None,
    node: str | None = None,
    channel: str | None = None,
    difference: Difference | None = None,
    details: str = "",
) -> DivergenceError:
    """Return the error that tells of a difference.

    Args:
        thread: The thread.
        reason: What differs, in words.
        step: The step.
        node: The node.
        channel: The channel.
        difference: How the values differ.
        details: More lines.
    """
    rendered = [str(line) for line in render(difference, channel or "")] if difference else []
    more = [f"… {len(rendered) - _LINES} more lines"] if len(rendered) > _LINES else []
    lines = [*rendered[:_LINES], *more, *map(printable, details.splitlines())]
    return DivergenceError(thread, reason, (step, node, channel), lines)
