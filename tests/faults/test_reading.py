"""The values made of stored bytes: only of allowed types, only with the right key, and never something else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import ormsgpack
import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, EventStoreError, TypeChangedError, TypeNotAllowedError, UnreadableError
from eventstore.codec.envelope import is_erased, unseal
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from tests.support.saving import Calls, at, numbers, save
from tests.support.sentinels import Model, Sentinel
from tests.support.tables import forge, rows, stored_bytes

MakeSaver = Callable[..., EventStoreSaver]
BOMB = "tests.support.bomb"


def values_of(calls: Calls) -> Any:
    """The values of the latest checkpoint."""
    return calls.get_tuple(at()).checkpoint["channel_values"]


def store_sentinels(calls: Calls) -> None:
    """A checkpoint and a write that hold types which nobody has allowed."""
    save(calls, 1, {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}})
    calls.put_writes(at(number=1), [("state", Sentinel("c"))], "task")
    Sentinel.made = Model.made = 0


def test_types_that_nobody_allowed_are_not_made_again_but_refused_by_name_all_in_one_error(
    calls: Calls, make_saver: MakeSaver
) -> None:
    store_sentinels(calls)
    strict = Calls(make_saver(allowed_types=[]), calls.flavour)
    for read in (lambda: strict.get_tuple(at()), lambda: strict.list(None)):
        with pytest.raises(TypeNotAllowedError, match="allowed_types") as refusal:
            read()
        assert set(refusal.value.types) == {(Sentinel.__module__, "Sentinel"), (Model.__module__, "Model")}
    assert (Sentinel.made, Model.made) == (0, 0)


@pytest.mark.parametrize(
    "allowed", [(Sentinel, Model), (("tests.support.sentinels", "Sentinel"), ("tests.support.sentinels", "Model"))]
)
def test_types_that_are_allowed_are_made_again(make_saver: MakeSaver, flavour: Any, allowed: Any) -> None:
    calls = Calls(make_saver(allowed_types=allowed), flavour)
    store_sentinels(calls)
    assert values_of(calls) == {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}}
    assert (Sentinel.made, Model.made) == (3, 2)  # one each by this test itself


def test_with_allowlist_allows_more_and_leaves_the_saver_it_was_made_from_strict(
    calls: Calls, make_saver: MakeSaver
) -> None:
    store_sentinels(calls)
    names = [("tests.support.sentinels", "Sentinel"), ("tests.support.sentinels", "Model")]
    strict: Any = make_saver(allowed_types=[])
    wider: Any = strict.with_allowlist(names[:1])
    with pytest.raises(TypeNotAllowedError, match="Model"):
        values_of(Calls(wider, calls.flavour))
    assert Model.made == 0
    widest: Any = wider.with_allowlist(names)
    assert values_of(Calls(widest, calls.flavour)) == {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}}
    with pytest.raises(TypeNotAllowedError):
        values_of(Calls(strict, calls.flavour))


def test_a_module_that_what_is_stored_names_is_not_imported(calls: Calls, make_saver: MakeSaver, url: str) -> None:
    save(calls, 1, {"state": Sentinel("a")})
    module = b"tests.support.sentinels"
    # Of the same length, so that the lengths before it still hold.
    hostile = BOMB.encode().ljust(len(module), b"_")
    sys.modules.pop(hostile.decode(), None)
    forge(url, lambda payload: payload.replace(module, hostile))
    with pytest.raises(EventStoreError):  # the checksum tells already
        Calls(make_saver(), calls.flavour).get_tuple(at())
    assert hostile.decode() not in sys.modules
    strict = calls.saver.serde
    kind, data = strict.dumps_typed(Sentinel("a"))
    with pytest.raises(TypeNotAllowedError):
        strict.loads_typed((kind, data.replace(module, hostile)))
    assert not [name for name in sys.modules if "bomb" in name and name.startswith("tests.")]


# --- a hostile database: it may name any class that the program has, in any way ---------------------------------------

CODES = range(6)


def hostile(code: int, module: str, name: str, held: Any, *more: Any) -> tuple[str, bytes]:
    """A value that names a class, which LangGraph's serializer would call."""
    inner = ormsgpack.packb((module, name, held, *more))
    return "msgpack", ormsgpack.packb([ormsgpack.Ext(code, inner)])


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "type"),
        ("subprocess", "Popen"),
        ("threading", "Thread"),
        ("pathlib", "Path.write_text"),
        ("tests.support.sentinels", "Sentinel.__init__"),
        ("tests.support.sentinels", "dataclass"),
        ("tests.support.sentinels", "__dict__"),
        ("tests.support.sentinels", ""),
        ("", ""),
        ("langchain_core.language_models.fake_chat_models", "FakeListChatModel"),
        ("langchain_core.runnables.base", "RunnableLambda"),
        ("langchain_core.vectorstores.base", "VectorStoreRetriever"),
        ("langgraph.pregel.main", "Pregel"),
        ("re", "Scanner"),
    ],
)
def test_what_is_no_data_is_never_called_whatever_is_stored(code: int, module: str, name: str) -> None:
    stored = hostile(code, module, name, {"cmd": "exit 1"}, "system")
    with pytest.raises((TypeNotAllowedError, TypeChangedError)) as refusal:
        StrictSerializer().loads_typed(stored)
    assert f"{module}.{name}" in str(refusal.value)


@pytest.mark.parametrize("held", [{"text": "x"}, ["x"], "x", None, 7])
@pytest.mark.parametrize("code", CODES)
def test_a_method_that_is_stored_is_not_called(code: int, held: Any) -> None:
    Model.made = 0
    stored = hostile(code, "tests.support.sentinels", "Model", held, "model_construct")
    if isinstance(held, dict):
        assert StrictSerializer().loads_typed(stored) == [Model(text="x")]
    else:
        with pytest.raises(TypeChangedError, match="Model"):
            StrictSerializer().loads_typed(stored)
        assert Model.made == 0


def test_no_object_is_made_around_what_is_refused() -> None:
    Sentinel.made = 0
    inner = ormsgpack.Ext(0, ormsgpack.packb(("os", "system", "exit 1")))
    with pytest.raises(TypeNotAllowedError, match=r"os\.system"):
        StrictSerializer().loads_typed(hostile_around(inner))
    assert Sentinel.made == 0


def hostile_around(inner: Any) -> tuple[str, bytes]:
    """A type that may be made, around something else."""
    return "msgpack", ormsgpack.packb(
        ormsgpack.Ext(2, ormsgpack.packb(("tests.support.sentinels", "Sentinel", {"text": inner})))
    )


class Loading(ModuleType):
    """A module that does something when it is asked for anything, as those do that are loaded at their first use."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"it was asked for {name}")


def test_modules_are_not_asked_for_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tests.faults.loading", Loading("tests.faults.loading"))
    with pytest.raises(TypeChangedError):
        StrictSerializer().loads_typed(hostile(2, "tests.faults.loading", "Anything", {}))


@pytest.mark.parametrize("version", [1, 2])
def test_langchains_objects_in_json_are_refused(version: int) -> None:
    path = ["langchain_core", "prompts", "chat", "ChatPromptTemplate"]
    stored = json.dumps([{"lc": version, "type": "constructor", "id": path, "kwargs": {}}]).encode()
    with pytest.raises(TypeNotAllowedError, match="ChatPromptTemplate"):
        StrictSerializer().loads_typed(("json", stored))
    assert StrictSerializer().loads_typed(("json", b'{"a": [1]}')) == {"a": [1]}


def test_langgraphs_and_langchains_own_types_need_no_permission(calls: Calls) -> None:
    save(calls, 1, {"messages": [AIMessage("hello", id="1")]})
    assert values_of(calls) == {"messages": [AIMessage("hello", id="1")]}


def test_allowed_types_are_not_mixed_with_a_serializer_of_ones_own(url: str) -> None:
    with (
        pytest.raises(BadInputError, match="allowlist"),
        EventStoreSaver.from_conn_string(url, serde=JsonPlusSerializer(), allowed_types=[Sentinel]),
    ):
        pass


SECRET = "the launch code is 0000"


def encrypted(key: bytes) -> EncryptedSerializer:
    """A serializer that enciphers with a key of 16 bytes."""
    return EncryptedSerializer.from_pycryptodome_aes(JsonPlusSerializer(allowed_msgpack_modules=None), key=key)


def test_a_serializer_that_enciphers_may_be_set_at_any_time_and_old_values_stay_readable(
    make_saver: MakeSaver, flavour: Any, url: str
) -> None:
    saver = make_saver()
    calls = Calls(saver, flavour)
    save(calls, 1, {"open": "plain", "kept": "plain"})
    saver.serde = encrypted(b"0123456789abcdef")
    save(calls, 2, {"secret": SECRET, "deep": [{"a": SECRET}]}, parent=1)
    calls.put_writes(at(number=2), [("secret", SECRET)], "task")
    first, second = calls.get_tuple(at(number=1)), calls.get_tuple(at(number=2))
    assert first.checkpoint["channel_values"] == {"open": "plain", "kept": "plain"}
    assert second.checkpoint["channel_values"] == {"secret": SECRET, "deep": [{"a": SECRET}]}
    assert second.pending_writes == [("task", "secret", SECRET)]
    assert len(calls.list(None)) == 2

    # Whoever has no key, or another one, gets an error of ours and nothing else; what is not enciphered is readable.
    for serde in (JsonPlusSerializer(allowed_msgpack_modules=None), encrypted(b"fedcba9876543210")):
        other = make_saver(serde=serde)
        without = Calls(other, flavour)
        assert without.get_tuple(at(number=1)) == first
        with pytest.raises(UnreadableError, match="the key") as refusal:
            without.get_tuple(at(number=2))
        assert refusal.value.encoding == "msgpack+aes"
        assert refusal.value.__cause__ is not None
        with pytest.raises(UnreadableError):
            without.list(None)
        # The log is verified, copied, pruned and deleted without a key.
        other.store.verify()

    everything = stored_bytes(url)
    assert SECRET.encode() not in everything
    assert b"launch code" not in everything


def test_nothing_that_was_enciphered_is_on_disk_in_the_clear_however_small_it_is(
    make_saver: MakeSaver, url: str
) -> None:
    # Small payloads are not compressed: what is not enciphered would be seen.
    saver = make_saver()
    save(saver, 1, {"s": "visible-1"})
    saver.put_writes(at(number=1), [("s", "visible-2")], "t")
    content = stored_bytes(url)
    seen_in_the_clear = b"visible-1" in content
    saver.serde = encrypted(b"0123456789abcdef")
    for number in range(2, 30):
        save(saver, number, {"s": f"hidden-{number}"}, parent=number - 1)
        saver.put_writes(at(number=number), [("s", f"hidden-{number}")], "t")
        saver.copy_thread("thread", f"copy {number}")
    saver.prune(["thread", "copy 7"])
    content = stored_bytes(url)
    assert b"hidden-" not in content
    payloads = [bytes(row[-1]) for row in rows(url)["events"]]
    opened = [unseal(payload) for payload in payloads if not is_erased(payload)]
    assert any(b"visible-" in payload for payload in opened) or seen_in_the_clear
    assert not any(b"hidden-" in payload for payload in opened)
    assert numbers(Calls(saver), "copy 29")[0] == 29


class Fussy:
    """A serializer that fails at reading, in whatever way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def dumps_typed(self, value: Any) -> tuple[str, bytes]:
        return "fussy", repr(value).encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        raise self._error


def test_the_savers_own_serializer_may_be_enciphered_and_stays_as_strict(calls: Calls, make_saver: MakeSaver) -> None:
    calls.saver.serde = EncryptedSerializer.from_pycryptodome_aes(calls.saver.serde, key=b"0123456789abcdef")
    store_sentinels(calls)
    assert values_of(calls) == {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}}
    strict = make_saver(allowed_types=[Sentinel])
    strict.serde = EncryptedSerializer.from_pycryptodome_aes(strict.serde, key=b"0123456789abcdef")
    with pytest.raises(TypeNotAllowedError, match="Model"):
        values_of(Calls(strict, calls.flavour))
    with pytest.raises(TypeNotAllowedError, match="Model"):
        save(Calls(strict, calls.flavour), 2, {"state": [Sentinel("a"), Model(text="b")]})


@pytest.mark.parametrize(
    "error",
    [ValueError("MAC check failed"), NotImplementedError(), AssertionError(), KeyError("x"), RecursionError("deep")],
    ids=lambda error: type(error).__name__,
)
def test_a_serializer_that_raises_at_reading_gives_an_error_of_ours_and_harms_nothing(
    saver: EventStoreSaver, calls: Calls, error: Exception
) -> None:
    trusty = saver.serde
    save(calls, 1)
    saver.serde = Fussy(error)
    save(calls, 2, {"state": 1}, parent=1)
    calls.put_writes(at(number=1), [("state", 1)], "task")
    for read in (
        lambda: calls.get_tuple(at()),
        lambda: calls.get_tuple(at(number=1)),
        lambda: calls.list(at()),
        lambda: calls.get_delta_channel_history(config=at(), channels=["state", "count"]),
    ):
        with pytest.raises(UnreadableError) as refusal:
            read()
        assert refusal.value.__cause__ is error
    # What needs no values goes on.
    calls.copy_thread("thread", "copy")
    assert calls.prune(["thread"]).checkpoints == 1
    saver.serde = trusty
    save(calls, 3, {"count": 3}, parent=2)
    assert values_of(calls) == {"count": 3}
    saver.store.verify()
