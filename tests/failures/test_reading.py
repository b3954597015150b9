"""What is made of stored bytes: only types that are allowed, only with the right key, and never something else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, EventStoreError, TypeNotAllowedError, UnreadableError
from eventstore.envelope import is_erased, unseal
from langgraph.checkpoint.eventstore import EventStoreSaver

from .saving import Calls, at, numbers, save
from .sentinels import Model, Sentinel
from .tables import forge, rows, stored_bytes

MakeSaver = Callable[..., EventStoreSaver]
BOMB = "tests.failures.bomb"


def values_of(calls: Calls) -> Any:
    """The values of the latest checkpoint."""
    return calls.get_tuple(at()).checkpoint["channel_values"]


def store_sentinels(calls: Calls) -> None:
    """A checkpoint and a write that hold types which nobody has allowed."""
    save(calls, 1, {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}})
    calls.put_writes(at(number=1), [("state", Sentinel("c"))], "task")
    Sentinel.made = Model.made = 0


def test_types_that_nobody_allowed_are_not_made_again_but_refused_by_name(calls: Calls) -> None:
    store_sentinels(calls)
    for read in (lambda: calls.get_tuple(at()), lambda: calls.list(None)):
        with pytest.raises(TypeNotAllowedError, match="allowed_types") as refusal:
            read()
        assert (refusal.value.module, refusal.value.name) in [
            (Sentinel.__module__, "Sentinel"),
            (Model.__module__, "Model"),
        ]
    assert (Sentinel.made, Model.made) == (0, 0)


@pytest.mark.parametrize(
    "allowed", [(Sentinel, Model), (("tests.failures.sentinels", "Sentinel"), ("tests.failures.sentinels", "Model"))]
)
def test_types_that_are_allowed_are_made_again(make_saver: MakeSaver, flavour: Any, allowed: Any) -> None:
    calls = Calls(make_saver(allowed_types=allowed), flavour)
    store_sentinels(calls)
    assert values_of(calls) == {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}}
    assert (Sentinel.made, Model.made) == (3, 2)  # one each by this test itself


def test_with_allowlist_allows_more_and_leaves_the_saver_it_was_made_from_strict(calls: Calls) -> None:
    store_sentinels(calls)
    names = [("tests.failures.sentinels", "Sentinel"), ("tests.failures.sentinels", "Model")]
    wider: Any = calls.saver.with_allowlist(names[:1])
    with pytest.raises(TypeNotAllowedError, match="Model"):
        values_of(Calls(wider, calls.flavour))
    assert Model.made == 0
    widest: Any = wider.with_allowlist(names)
    assert values_of(Calls(widest, calls.flavour)) == {"state": Sentinel("a"), "deep": {"list": [Model(text="b")]}}
    with pytest.raises(TypeNotAllowedError):
        values_of(calls)


def test_a_module_that_what_is_stored_names_is_not_imported(calls: Calls, url: str) -> None:
    save(calls, 1, {"state": Sentinel("a")})
    module = b"tests.failures.sentinels"
    # Of the same length, so that the lengths before it still hold.
    hostile = BOMB.encode().ljust(len(module), b"_")
    sys.modules.pop(hostile.decode(), None)
    forge(url, lambda payload: payload.replace(module, hostile))
    with pytest.raises(EventStoreError):  # the checksum tells already
        calls.get_tuple(at())
    assert hostile.decode() not in sys.modules
    strict = calls.saver.serde
    kind, data = strict.dumps_typed(Sentinel("a"))
    with pytest.raises(TypeNotAllowedError):
        strict.loads_typed((kind, data.replace(module, hostile)))
    assert not [name for name in sys.modules if "bomb" in name and name.startswith("tests.failures")]


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
