"""Values that are changed, or read by others, while they are being recorded or read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel, RootModel

from projections.values.copiers import copier_of
from projections.values.fingerprints import fingerprints_of
from projections.values.value import Seen, new_value


class Short(BaseModel):
    a: Any = None


class Root(RootModel[list[int]]):
    pass


class Slow(JsonPlusSerializer):
    """Does something else while it writes or reads."""

    def __init__(self) -> None:
        super().__init__(allowed_msgpack_modules=[Short])
        self.meanwhile: Callable[[], None] | None = None

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return self._with(super().dumps_typed, obj)  # type: ignore[no-any-return]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return self._with(super().loads_typed, data)

    def _with(self, work: Callable[[Any], Any], given: Any) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return work(given)


# While a value is recorded --------------------------------------------------------------------------------------------


def test_a_passing_change_is_not_taken_for_the_lasting_state() -> None:
    serializer, message = Slow(), AIMessage("original" * 40, id="1")

    def redact() -> None:
        message.content = "REDACTED" * 40

    serializer.meanwhile = redact
    first = new_value([message], "messages", serializer).value
    first.version = 1
    message.content = "original" * 40
    second = new_value([message, HumanMessage("more", id="2")], "messages", serializer, base=first).value
    assert [each.content for each in second.restore(serializer)] == ["original" * 40, "more"]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17])
def test_what_is_put_around_an_unchanged_content_is_a_change(count: int) -> None:
    serializer = Slow()
    models = [Short(a="x" * 300) for _ in range(count)]
    base = new_value(models, "models", serializer).value
    base.version = 1
    models[0] = Short(a={"a": "x" * 300})
    assert new_value(models, "models", serializer, base=base).value.restore(serializer) == models


short = st.builds(Short, a=st.none() | st.text(max_size=3) | st.dictionaries(st.just("a"), st.text(max_size=3)))


@given(st.lists(short, min_size=1, max_size=20), st.lists(short, max_size=22))
def test_parts_begin_with_others_if_their_bytes_do(old: list[Short], new: list[Short]) -> None:
    serializer = Slow()
    dumped = [serializer.dumps_typed(each) for each in new[: len(old)]]
    assert fingerprints_of(old).begin(new) == (dumped == [serializer.dumps_typed(each) for each in old])
    assert fingerprints_of(old).followed_by(fingerprints_of(new)) == fingerprints_of([*old, *new])


@pytest.mark.parametrize("count", [15, 16, 65_535, 65_536])
def test_any_number_of_models_is_known_again(count: int) -> None:
    models = [Short(a=number) for number in range(count)]
    fingerprints = fingerprints_of(models)
    assert fingerprints.begin(models)
    assert fingerprints.begin([*models, Short()])
    assert not fingerprints.begin(models[:-1])
    assert not fingerprints.begin([Short(a=-1), *models[1:]])


def test_edits_keep_the_fingerprints_in_one_piece() -> None:
    serializer = Slow()
    models = [Short(a=f"{number}" * 50) for number in range(20)]
    base = new_value(models, "models", serializer).value
    base.version = 1
    edited = [models[3], *models[5:], Short(a="new")]
    value = new_value(edited, "models", serializer, base=base).value
    assert value.seen.fingerprints == fingerprints_of(edited)
    assert not value.seen.fingerprints.others


def test_a_model_that_was_never_initialized_is_no_obstacle() -> None:
    assert fingerprints_of([Short.__new__(Short)]) != fingerprints_of([Short.__new__(Short)])
    assert not fingerprints_of([Short()]).begin([Short.__new__(Short)])


def test_a_root_model_is_not_copied_by_its_fields() -> None:
    with pytest.raises(TypeError):
        copier_of(Root([1]))


# While a value is read ------------------------------------------------------------------------------------------------


def test_the_first_two_readers_share_nothing_and_leave_nothing_behind() -> None:
    serializer = Slow()
    value = new_value([HumanMessage("a" * 300, id="1")], "messages", serializer).value
    value.version = 1
    for _ in range(3):
        [message] = value.restore(serializer)
        message.content = "changed"
        message.additional_kwargs["x"] = 1
    assert value.restore(serializer) == [HumanMessage("a" * 300, id="1")]
    again = new_value([HumanMessage("a" * 300, id="1")], "messages", serializer, base=value)
    assert len(again.change.data) < 20  # nothing but the recipe


def test_readers_with_different_serializers_get_their_own() -> None:
    class Signing(Slow):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def loads_typed(self, data: tuple[str, bytes]) -> Any:
            return [f"{self.name}: {each}" for each in super().loads_typed(data)]

    one, other = Signing("one"), Signing("other")
    value = new_value(["x" * 300, "y" * 300], "texts", one).value
    value.seen = Seen()  # as it is when it was read from the log
    began, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        go_on.wait()

    value.restore(one)
    one.meanwhile = wait
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(value.restore, one)
        began.wait()
        assert value.restore(other)[0].startswith("other: ")
        go_on.set()
        assert slow.result()[0].startswith("one: ")
    for _ in range(2):
        assert value.restore(other)[0].startswith("other: ")
        assert value.restore(one)[0].startswith("one: ")
