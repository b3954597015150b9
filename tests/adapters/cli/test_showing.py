"""Values of any type are shown, and none is made."""

from __future__ import annotations

import dataclasses
import enum
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

from eventstore import BadInputError
from eventstore_cli.values import described, kind_of, size
from eventstore_views.showing import Sealed, Showing
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections.diffing.content import same
from projections.diffing.glance import glance
from projections.diffing.plain import plain
from tests.support.histories import chain
from tests.support.shell import Shell

SHOWING = Showing()


@dataclasses.dataclass
class Budget:
    currency: str
    left: float


class Order(BaseModel):
    number: int
    lines: list[str]


class Colour(enum.Enum):
    RED = "red"


def shown(value: Any) -> Any:
    """A value as it is shown that LangGraph's serializer stored."""
    return SHOWING.loads_typed(JsonPlusSerializer().dumps_typed(value))


def lines(value: Any, *, full: bool = False) -> list[str]:
    return [line.plain for line in described("it", value, full=full)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Budget("EUR", 9.5), f'{__name__}.Budget(currency="EUR", left=9.5)'),
        (Order(number=7, lines=["a"]), f'{__name__}.Order(number=7, lines=["a"])'),
        (Colour.RED, f'{__name__}.Colour("red")'),
        (Send("node", {"a": 1}), 'langgraph.types.Send(node="node", arg={"a": 1})'),
        ([Budget("EUR", 1.0)], f'[{__name__}.Budget(currency="EUR", left=1.0)]'),
    ],
)
def test_an_object_is_shown_by_its_type_and_its_fields(value: Any, text: str) -> None:
    assert glance(shown(value), 200) == text


def test_no_object_is_made_and_no_module_imported() -> None:
    made = [type(part) for part in (shown(Budget("EUR", 1.0)), shown(AIMessage("hi")), shown(Interrupt("?", id="1")))]
    assert not {Budget, AIMessage, Interrupt} & set(made)
    ext = ormsgpack.Ext(2, ormsgpack.packb(("antigravity", "fly", {"now": True})))
    assert glance(SHOWING.loads_typed(("msgpack", ormsgpack.packb(ext)))) == "antigravity.fly(now=True)"
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "held", [None, 1, [1], ["os", "system", "ls"], ["uuid", "UUID", {}], [{}, [], 1], [1, 2, 3, 4]], ids=repr
)
def test_what_is_not_as_langgraph_writes_it_is_shown_too(held: Any) -> None:
    for kind in range(10):
        for content in (ormsgpack.packb(held), b"", b"\xc1"):
            assert glance(SHOWING.loads_typed(("msgpack", ormsgpack.packb(ormsgpack.Ext(kind, content)))))


def test_plain_values_are_what_they_were() -> None:
    values = [
        datetime(2026, 1, 2, 3, tzinfo=UTC),
        date(2026, 1, 2),
        timedelta(days=1),
        UUID(int=1),
        Decimal("1.50"),
        {1, 2},
        frozenset((1,)),
        b"bytes",
        None,
        {1: "one", "two": 2},
    ]
    assert [shown(value) for value in values] == values
    assert shown(Path("/a/b")) == PurePosixPath("/a/b")


def test_equal_objects_are_equal_where_they_are_compared() -> None:
    assert same(shown(Budget("EUR", 1.0)), shown(Budget("EUR", 1.0)))
    assert not same(shown(Budget("EUR", 1.0)), shown(Budget("EUR", 2.0)))
    assert not same(shown(Colour.RED), shown(Order(number=1, lines=[])))


def test_an_object_is_plain_json_with_its_type() -> None:
    assert plain(shown(Budget("EUR", 1.0))) == {
        "$type": f"{__name__}.Budget",
        "fields": {"currency": "EUR", "left": 1.0},
    }


def test_messages_are_shown_as_who_says_what() -> None:
    call = {"name": "search", "args": {"query": "x" * 300}, "id": "1"}
    assert lines(shown([HumanMessage("Hi\nthere"), AIMessage("", tool_calls=[call])]))[:3] == [
        "it  list of 2",
        "  [0] human: Hi",
        "      there",
    ]
    [*_, call_line] = lines(shown(AIMessage("Wait", tool_calls=[call])))
    assert call_line.strip().startswith('→ search(query="xxx')
    assert len(call_line) < 100


def test_long_values_are_shortened_with_their_size_unless_all_is_asked_for() -> None:
    text = "word " * 1_000
    assert lines(text)[0] == "it  text of 5,000 characters"
    assert lines(text)[1].endswith("… (5,000 characters)")
    assert max(map(len, lines(text))) < 200
    assert text.strip() in "".join(lines(text, full=True))
    assert "… 90 before these; --full shows all" in lines([*range(100)])[1]
    assert len(lines([*range(100)], full=True)) == 101


def test_nothing_that_a_terminal_would_obey_is_shown() -> None:
    evil = "\x1b[31mred\x07"
    for line in lines({evil: [evil, HumanMessage(evil, name=evil)], "long": [evil * 100]}):
        assert line.isprintable()


def test_what_is_nested_without_end_has_an_end() -> None:
    value: Any = []
    for _ in range(500):
        value = [value, "x" * 200]
    assert len(lines(value)) < 100


def test_an_enciphered_value_is_shown_as_its_encoding_and_size() -> None:
    serializer = EncryptedSerializer.from_pycryptodome_aes(JsonPlusSerializer(), key=b"0" * 16)
    encoding, content = serializer.dumps_typed({"secret": 1})
    found = SHOWING.loads_typed((encoding, content))
    assert isinstance(found, Sealed)
    assert glance(found).startswith(f"<msgpack+aes, {len(content)} bytes, ")
    assert kind_of(found) == "cannot be read here"


def test_a_thread_that_is_enciphered_can_be_looked_at(saver: EventStoreSaver, shell: Shell) -> None:
    strict = JsonPlusSerializer(allowed_msgpack_modules=None)
    serializer = EncryptedSerializer.from_pycryptodome_aes(strict, key=b"0" * 16)
    states: list[dict[str, Any]] = [
        {"items": ["one"], "files": {"/a": "secret"}, "draft": "some text", "number": 1},
        {"items": ["one", "two"], "files": {"/a": "secret", "/b": "more"}, "draft": "some text, more", "number": 2},
    ]
    chain(saver.checkpoints, serializer, states)
    channels = shell.ok("show", "t", "--json").document["channels"]
    assert set(channels) == {"items", "files", "draft", "number"}
    assert "msgpack+aes" in shell.ok("show", "t").out
    for arguments in (["log", "t"], ["diff", "t"], ["blame", "t", "items"], ["verify", "t"]):
        shell.ok(*arguments)
    assert "secret" not in shell.ok("show", "t", "--full").out


def test_nothing_that_was_read_for_showing_can_be_stored() -> None:
    with pytest.raises(BadInputError, match="only shown"):
        SHOWING.dumps_typed(1)


def test_sizes_read_well() -> None:
    assert [size(number) for number in (0, 812, 3_400, 1_200_000, 2_500_000_000)] == [
        "0 B",
        "812 B",
        "3.4 kB",
        "1.2 MB",
        "2.5 GB",
    ]


def test_with_full_nothing_is_cut() -> None:
    deep: Any = "the deepest"
    for _ in range(30):
        deep = [deep]
    blocks: list[Any] = [{"type": "text", "text": "seen"}, {"type": "image", "url": "https://x.org/" + "x" * 300}]
    message = AIMessage(
        blocks,
        tool_calls=[{"name": "tool", "args": {"query": {"deep": deep, "long": "q" * 300}}, "id": "call-1"}],
        additional_kwargs={"thought": "t" * 300},
    )
    value = {"message": shown(message), "deep": deep, "list": ["i" * 200] * 50, **{f"key {n}": n for n in range(50)}}
    cut, full = "\n".join(lines(value)), "\n".join(lines(value, full=True))
    assert "…" in cut
    assert "…" not in full
    assert full.count("the deepest") == 2
    assert full.count("i" * 200) == 50
    for text in ("q" * 300, "t" * 300, "x" * 300, "key 49"):
        assert text in full


def test_show_full_shows_all_of_what_is_pending(shell: Shell, saver: EventStoreSaver) -> None:
    chain(saver.checkpoints, saver.serde, [{"a": 1}])
    [latest] = shell.ok("log", "t", "--json").lines
    thread: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": latest["id"]}}
    saver.put_writes(thread, [("a", ["w" * 500])], "task")
    assert "w" * 500 not in shell.ok("show", "t").out
    assert "w" * 500 in shell.ok("show", "t", "--full").out
