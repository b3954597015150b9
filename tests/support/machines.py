"""State machines that do the same to savers and to a model of them, and how they are run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.saving import Calls


class TwoSavers(RuleBasedStateMachine):
    """Two savers with stores of their own, which stand for two processes, on a database of each example's own."""

    url: ClassVar[str] = ""
    examples: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.savers: list[EventStoreSaver] = []
        # A database of its own for each example: a schema, or a file.
        type(self).examples += 1
        options: dict[str, Any] = {"schema": f"example_{self.examples}"}
        self.where, self.options = self.url, options
        if self.url.startswith("sqlite"):
            self.where, self.options = f"{self.url}.{self.examples}", {}

    def opened(self, **options: Any) -> EventStoreSaver:
        """Return one more saver. It is closed with `self.open`."""
        return self.open.enter_context(
            EventStoreSaver.from_conn_string(self.where, synchronous="NORMAL", pool_size=2, **self.options, **options)
        )

    def by(self, caller: tuple[int, Flavour]) -> Calls:
        """Return one of the savers, called in one flavour."""
        which, flavour = caller
        return Calls(self.savers[which], flavour)


def run_machine(machine: type[TwoSavers], url: str, number: int) -> None:
    """Run examples of a machine, of up to 40 steps each, on the database under `url`.

    There are as many as `examples` makes of the number.
    """
    machine.url = url
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(number),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
