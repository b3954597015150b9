"""A kit for tests of what is built on the log: strategies, a model, a machine, faults, and the contract of recorders.

    @given(histories())
    def test_a_projection_is_the_same_when_it_is_rebuilt(history):
        store = EventStore.open("sqlite:///:memory:")
        history.play(store)
        ...

It needs Hypothesis and pytest, which the extra `testing` installs. What concerns graphs is in
`langgraph.checkpoint.eventstore.testing`.
"""

from eventstore.testing.contract import RecorderContract
from eventstore.testing.faults import Faulty, Killed, Relay
from eventstore.testing.machine import LogMachine, run_log_machine
from eventstore.testing.model import LogModel, ModelEvent
from eventstore.testing.strategies import Append, Fork, History, causes, events, histories, metadata, names, topics

__all__ = [
    "Append",
    "Faulty",
    "Fork",
    "History",
    "Killed",
    "LogMachine",
    "LogModel",
    "ModelEvent",
    "RecorderContract",
    "Relay",
    "causes",
    "events",
    "histories",
    "metadata",
    "names",
    "run_log_machine",
    "topics",
]
