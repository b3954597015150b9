"""Values that cannot be stored: the error says which, and nothing of their put is stored. No pickle, ever."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, ChainError, CorruptionError, UnknownFormatError, UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections.values.serializer import load_typed
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, checkpoint, save, shown
from tests.support.tables import forge, rows, stored_bytes


class Handle:
    """Something that no serializer knows, as an open socket."""

    def __init__(self) -> None:
        self.__dict__ = {}


@dataclass
class Box:
    content: Any


class Hollow(Mapping[str, Any]):
    """A mapping that cannot be looked into."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 1


class Sphinx:
    """An object that answers every question with an error."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return object.__getattribute__(self, name)
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


CANNOT: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a bare object": (Handle, "Handle", "state"),
    "in a list": (lambda: [1, 2, Handle()], "Handle", "state[2]"),
    "in a tuple": (lambda: (1, (2, Handle())), "Handle", "state[1][1]"),
    "in a dict": (lambda: {"a": {"b c": Handle()}}, "Handle", "state['a']['b c']"),
    "in a dataclass": (lambda: {"a": [Box(Box(Handle()))]}, "Handle", "state['a'][0].content.content"),
    "behind ten thousand good ones": (lambda: [*range(10_000), {"x": Handle()}], "Handle", "state[10000]['x']"),
    "a function": (lambda: {"f": shown}, "function", "state['f']"),
    "a lambda": (lambda: [lambda: 1], "function", "state[0]"),
    "a generator": (lambda: {"g": (x for x in "")}, "generator", "state['g']"),
    "a number that is too large": (lambda: {"n": [2**64]}, "int", "state['n'][0]"),
    "a mapping that cannot be read": (Hollow, "Hollow", "state"),
    "an object that raises at everything": (lambda: [Sphinx()], "Sphinx", "state[0]"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_a_value_that_cannot_be_stored_is_named_by_channel_type_and_path_and_nothing_is_stored(
    saver: EventStoreSaver, url: str, case: str
) -> None:
    make, kind, path = CANNOT[case]
    save(saver, 1)
    before, head = rows(url), saver.store.head("thread")
    for flavour in Flavour:
        calls = Calls(saver, flavour)
        for attempt in (
            partial(save, calls, 2, {"good": 1, "state": make(), "other": 2}, parent=1),
            partial(save, calls, 3, {"state": make()}, thread="thread"),
            partial(calls.put_writes, at(number=1), [("good", 1), ("state", make())], "task"),
        ):
            with pytest.raises(UnserializableError) as refusal:
                attempt()
            assert refusal.value.channel == "state"
            assert refusal.value.type.rpartition(".")[2] == kind
            assert refusal.value.path == path
            assert path in str(refusal.value)
            assert refusal.value.__cause__ is not None
    assert rows(url) == before
    assert saver.store.head("thread") == head


def test_what_is_nested_too_deep_or_without_end_is_refused_with_a_path(calls: Calls, url: str) -> None:
    save(calls, 1)
    before = rows(url)
    for value in (nested(100_000), endless()):
        with pytest.raises(UnserializableError, match=r"state\[0\]\[0\]\[0\]"):
            save(calls, 2, {"state": value})
    assert rows(url) == before


def test_a_new_thread_whose_first_value_cannot_be_stored_does_not_begin(calls: Calls, saver: EventStoreSaver) -> None:
    with pytest.raises(UnserializableError):
        save(calls, 1, {"state": Handle()}, metadata={"user": "first"})
    # Not among the new versions, so it is looked at only when the parent turns out not to lend it.
    late = checkpoint(1, {"state": Handle()})
    with pytest.raises(UnserializableError):
        calls.put(at(), late, {"user": "second"}, {})
    with pytest.raises(UnserializableError):
        save(calls, 1, metadata={"user": "third", "handle": [{"a": Handle()}]})
    assert saver.store.head("thread") is None
    assert saver.store.streams().streams == []
    assert calls.get_tuple(at()) is None
    save(calls, 1, metadata={"user": "fourth"})
    [stream] = saver.store.streams().streams
    assert stream.metadata == {"user": "fourth"}


def test_metadata_that_cannot_be_stored_is_named_by_its_path(calls: Calls, url: str) -> None:
    save(calls, 1)
    before = rows(url)
    for metadata, path in (
        ({"handle": Handle()}, "metadata['handle']"),
        ({"a": [{"b": Handle()}]}, "metadata['a'][0]['b']"),
        ({"n": 2**64}, "metadata['n']"),
    ):
        with pytest.raises(UnserializableError) as refusal:
            save(calls, 2, metadata=metadata)
        assert (refusal.value.channel, refusal.value.path) == ("metadata", path)
    assert rows(url) == before


def test_parts_of_a_checkpoint_that_cannot_be_stored_are_refused(calls: Calls, url: str) -> None:
    save(calls, 1)
    before = rows(url)
    good = checkpoint(2, {"count": 2})
    bad: list[dict[str, Any]] = [
        {"versions_seen": {"node": {"count": Handle()}}},
        {"versions_seen": {"no\ud800de": {}}},
        {"channel_versions": {"count": Handle()}},
        {"channel_versions": {"count": 2**64}},
        {"updated_channels": [Handle()]},
        {"ts": Handle()},
        {"anything_else": Handle()},
    ]
    for part in bad:
        with pytest.raises(BadInputError):
            calls.put(at(), {**good, **part}, {}, {"count": 2})
    assert rows(url) == before


class Sneaky:
    """Notices when it is unpickled."""

    woken = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _wake, ()


def _wake() -> Sneaky:
    Sneaky.woken = True
    return Sneaky()


def _ciphers() -> list[Any]:
    plain = JsonPlusSerializer(pickle_fallback=True)
    return [plain, EncryptedSerializer.from_pycryptodome_aes(plain, key=b"0123456789abcdef")]


@pytest.mark.parametrize("serde", _ciphers(), ids=["plain", "encrypted"])
def test_pickle_is_never_on_disk_even_where_the_serializer_falls_back_on_it(
    saver: EventStoreSaver, url: str, serde: Any
) -> None:
    saver.serde = serde
    save(saver, 1)
    before = rows(url)
    for calls in (Calls(saver, flavour) for flavour in Flavour):
        for attempt in (
            partial(save, calls, 2, {"state": {"a": [Sneaky()]}}),
            partial(calls.put_writes, at(number=1), [("state", {"a": [Sneaky()]})], "task"),
        ):
            with pytest.raises(UnserializableError, match="pickle") as refusal:
                attempt()
            assert refusal.value.path == "state['a'][0]"
    assert rows(url) == before
    assert pickle.dumps(Sneaky()) not in stored_bytes(url)


def test_a_pickle_that_somebody_else_put_into_the_store_is_never_unpickled(
    saver: EventStoreSaver, calls: Calls, url: str
) -> None:
    class Foreign:
        """A serializer that calls a pickle by the name of something harmless."""

        def dumps_typed(self, value: Any) -> tuple[str, bytes]:
            return "picklX", pickle.dumps(value)

        def loads_typed(self, data: tuple[str, bytes]) -> Any:
            raise AssertionError

    saver.serde = Foreign()
    save(calls, 1, {"state": Sneaky()})
    calls.put_writes(at(number=1), [("state", Sneaky())], "task")
    forge(url, lambda payload: payload.replace(b"picklX", b"pickle"))
    saver.checkpoints.drop_cache()
    saver.serde = JsonPlusSerializer(pickle_fallback=True)
    Sneaky.woken = False
    with pytest.raises(CorruptionError):
        calls.get_tuple(at())
    with pytest.raises(CorruptionError):
        calls.list(None)
    with pytest.raises(UnknownFormatError, match="never unpickled"):
        load_typed(saver.serde, "pickle", pickle.dumps(Sneaky()))
    assert not Sneaky.woken
    with pytest.raises(ChainError):
        saver.store.verify()
