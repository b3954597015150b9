"""Readers who keep what they were given, or a part of it, change it, and save it: a model of any of their orders."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections.values.change import LIST
from projections.values.loading import load_parts
from projections.values.value import Value, new_value
from tests.support.sharing import everything, share_nothing

words = st.text("ab", min_size=1, max_size=3)
choice = st.integers(0, 7)


@st.composite
def messages(draw: st.DrawFn) -> AnyMessage:
    """A message, with or without what can be nested in one."""
    text = draw(words) * 30
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return HumanMessage(text)
    if kind == 1:
        return ToolMessage(text, tool_call_id="1", artifact=draw(st.none() | st.just([1])))
    if kind == 2:
        return AIMessage([{"type": "text", "text": text}], additional_kwargs={"a": {"b": [1]}})
    call = {"name": text, "args": {"where": [draw(words)]}, "id": "1"}
    return AIMessage(text, tool_calls=[call], response_metadata={"usage": {"tokens": 1}})


def nested(message: Any) -> list[Any]:
    """The parts nested in a message that can be changed."""
    found = [message.additional_kwargs, message.response_metadata, message.model_fields_set, vars(message)]
    if isinstance(message, AIMessage):
        found += [message.tool_calls, *(call["args"] for call in message.tool_calls)]
        found += [message.additional_kwargs.get("a", {}), message.response_metadata.get("usage", {})]
    return found


def change(held: Any) -> None:
    """Change something in place, in a way that its type allows."""
    if isinstance(held, list):
        held.append({"name": "changed", "args": {}, "id": "2", "type": "tool_call"})
    elif isinstance(held, set):
        held.discard("content")
    elif "content" in held:
        held["content"] = "changed"
    else:
        held["changed"] = held.get("changed", 0) + 1


class Readers(RuleBasedStateMachine):
    """Holds that everybody gets what was stored, and something of his own."""

    def __init__(self) -> None:
        super().__init__()
        self.serializer = StrictSerializer(None)
        self.pool = ThreadPoolExecutor(2)
        self.states: list[list[Any]] = []
        self.parts: list[Any] = []
        self.value: Value

    def teardown(self) -> None:
        self.pool.shutdown()

    @initialize(said=st.lists(messages(), min_size=2, max_size=6))
    def begin(self, said: list[AnyMessage]) -> None:
        self._save(said, None)

    @rule()
    def read(self) -> None:
        self._keep(self.value.restore(self.serializer))

    @rule()
    def read_and_let_go(self) -> None:
        self._check(self.value.restore(self.serializer))

    @rule()
    def read_on_two_threads(self) -> None:
        futures = [self.pool.submit(self.value.restore, self.serializer) for _ in range(2)]
        found = [future.result() for future in futures]
        del futures
        for each in found:
            self._keep(each)

    @rule(said=st.lists(messages(), max_size=2), which=choice)
    def go_on(self, said: list[AnyMessage], which: int) -> None:
        """Read, add, and save, as a run does; the run keeps what it has until `let_go`."""
        state = self.value.restore(self.serializer)
        self._keep(state)
        if which > 5 and len(state) > 1:
            del state[which % len(state)]
        elif which > 3:
            change(nested(state[which % len(state)])[which % 4])
        state += said
        self._save(state, self.value)

    @rule(which=choice)
    def save_what_was_kept(self, which: int) -> None:
        if self.states and self.states[which % len(self.states)]:
            self._save(self.states[which % len(self.states)], self.value)

    @rule(which=choice, what=choice)
    def change_a_part(self, which: int, what: int) -> None:
        if self.states and (state := self.states[which % len(self.states)]):
            found = nested(state[what % len(state)])
            change(found[what % len(found)])

    @rule(which=choice, what=choice)
    def keep_a_part(self, which: int, what: int) -> None:
        if self.states and (state := self.states[which % len(self.states)]):
            found = nested(state[what % len(state)])
            self.parts.append(found[what % len(found)])

    @rule(which=choice)
    def change_a_part_that_was_kept(self, which: int) -> None:
        if self.parts:
            change(self.parts[which % len(self.parts)])

    @rule(which=choice, what=choice)
    def put_a_part_into_another(self, which: int, what: int) -> None:
        """Let two messages share a dict, or a message have one that somebody keeps."""
        dicts = [part for part in self.parts if isinstance(part, dict) and "content" not in part]
        if dicts and self.states and (state := self.states[which % len(self.states)]):
            state[what % len(state)].additional_kwargs = dicts[which % len(dicts)]

    @rule(which=choice)
    def let_go(self, which: int) -> None:
        if self.states:
            del self.states[which % len(self.states)]

    @rule()
    def let_go_of_parts(self) -> None:
        self.parts.clear()

    @rule()
    def let_go_of_all(self) -> None:
        self.states.clear()
        self.parts.clear()

    @invariant()
    def what_is_stored_stays(self) -> None:
        if hasattr(self, "value"):
            assert everything(self._stored()) == self.model

    def _save(self, state: list[Any], base: Value | None) -> None:
        version = base.version + 1 if base else 1
        value = new_value(state, "messages", self.serializer, base=base).value
        value.version = version
        self.value = value
        self.model = everything(self._stored())
        assert [each[1] for each in self.model[1]] == [everything(vars(message)) for message in state]

    def _stored(self) -> list[Any]:
        if self.value.kind != LIST:
            return self.serializer.loads_typed(("msgpack", self.value.parts.stored[0][1]))  # type: ignore[no-any-return]
        return load_parts(LIST, self.value.parts.stored, self.serializer)

    def _keep(self, state: list[Any]) -> None:
        self._check(state)
        self.states.append(state)

    def _check(self, state: list[Any]) -> None:
        assert everything(state) == self.model
        for index, message in enumerate(state):
            assert all(share_nothing(message, other) for other in state[:index])
        assert all(share_nothing(state, other) for other in self.states)
        assert all(share_nothing(state, part) for part in self.parts)


TestReaders: Callable[..., Any] = Readers.TestCase
