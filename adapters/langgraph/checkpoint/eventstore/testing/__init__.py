"""A kit for tests of graphs: whatever happens to a thread, what you promise of it holds.

    def test_a_payment_is_made_once():
        explore(builder, inputs=st.just({"amount": 10}), answers=st.sampled_from(["yes", "no"]), invariants=[paid_once])

    def test_what_happened_happens_again():
        assert_replays(builder, "tests/histories/thread-1.history")

It needs Hypothesis, which the extra `testing` installs. What concerns the log alone is in `eventstore.testing`.
"""

from langgraph.checkpoint.eventstore.histories import (
    DivergenceError,
    RecordedHistory,
    Replayed,
    aassert_replays,
    assert_replays,
)
from langgraph.checkpoint.eventstore.testing.machine import GraphMachine, explore
from langgraph.checkpoint.eventstore.testing.strategies import Step, messages, save, steps, values

__all__ = [
    "DivergenceError",
    "GraphMachine",
    "RecordedHistory",
    "Replayed",
    "Step",
    "aassert_replays",
    "assert_replays",
    "explore",
    "messages",
    "save",
    "steps",
    "values",
]
