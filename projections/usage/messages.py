"""Messages of models in the bytes of values, and the tokens that they say they took. Pure functions.

Nothing is made of the bytes but plain lists and dicts, by no serializer of anybody's: whoever brings the projection up
to date enters the same. A message is known by its fields, so one of a class of the user's own counts, too, and one that
came as a plain dict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import ormsgpack

from eventstore.metadata import storable
from eventstore.tuples import NamedTuple
from projections.values.change import Encoding, encoding_name

_FIELD = "usage_metadata"
_MARK = _FIELD.encode()
# The names that LangChain gives to messages of models, whole ones and chunks.
_OF_MODELS = frozenset({"ai", "AIMessageChunk"})
# Where integrations say which model it was, the most telling first.
_MODELS = ("model_name", "model", "model_id")
_LONGEST_NAME = 200
# Encodings of nothing, which LangGraph stores by name.
_NOTHING = frozenset({"empty"})
# More tokens than that are no count.
_MOST = 2**53
# How deep a value is looked into, and how many bytes its objects within each other may take while they are taken apart:
# each level is copied out of the one around it.
_DEEPEST, _OPEN_BYTES = 200, 256 << 20


class Tokens(NamedTuple):
    """Numbers of tokens, as LangChain's `UsageMetadata` counts them.

    Attributes:
        input: All that went in, whether it came from a cache or not.
        output: All that came out, the model's reasoning included.
        cached: The part of the input that was read from a cache.
        cache_written: The part of the input that was written into a cache.
        reasoning: The part of the output that the model kept to itself.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


class Spent(NamedTuple):
    """A model's message: what it says that it took.

    Attributes:
        id: Its id, if it has one.
        model: The name of the model, if it says one.
        tokens: The tokens.
        look: A number for all of it that tells it from others, its id aside.
    """

    id: str | None
    model: str | None
    tokens: Tokens
    look: int

    @property
    def key(self) -> str:
        """The same for a message that is written again, whatever became of its text; of one with an id."""
        return f"{self.id}\0{self.model}\0{self.tokens}"


def may_tell(data: bytes) -> bool:
    """Tell whether bytes may hold a message that says what it took: most do not, and need not be taken apart."""
    return _MARK in data


def is_sealed(encoding: Encoding | None) -> bool:
    """Tell whether bytes are enciphered, or written by a serializer of the user's own: nobody can look into them."""
    return isinstance(encoding, str) and encoding not in _NOTHING


def spent_in(encoding: Encoding, data: bytes) -> list[Spent]:
    """Return the messages in a value, in its order, each with what it says; none of what is no such value."""
    read = _READERS.get(encoding_name(encoding)) if may_tell(data) and not is_sealed(encoding) else None
    if read is None:
        return []
    with suppress(ValueError, TypeError):  # not as a serializer of LangGraph's writes it
        return [*_messages(read(data))]
    return []


def _messages(value: Any) -> Iterator[Spent]:
    """Go through a value, without recursion: it may be nested as deep as it likes."""
    waiting = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, dict):
            if (spent := _spent(each)) is not None:
                yield spent
            inner = [*each.values()]
        elif isinstance(each, list):
            inner = each
        else:
            continue
        if depth < _DEEPEST:
            waiting += [(part, depth + 1) for part in reversed(inner) if isinstance(part, dict | list)]


def _spent(fields: Mapping[Any, Any]) -> Spent | None:
    used = fields.get(_FIELD)
    if not isinstance(used, dict) or not isinstance(kind := fields.get("type"), str) or kind not in _OF_MODELS:
        return None
    if not {"input_tokens", "output_tokens"} & used.keys():
        return None
    into, out = _details(used, "input_token_details"), _details(used, "output_token_details")
    tokens = Tokens(
        _count(used, "input_tokens"),
        _count(used, "output_tokens"),
        _count(into, "cache_read"),
        _count(into, "cache_creation"),
        _count(out, "reasoning"),
    )
    model = _model(_details(fields, "response_metadata"))
    id_ = fields.get("id")
    told = repr((tokens, model, fields.get("content"), fields.get("name")))
    return Spent(id_ if isinstance(id_, str) and id_ else None, model, tokens, _number(told))


def _details(fields: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _count(fields: Mapping[Any, Any], name: str) -> int:
    found = fields.get(name)
    return found if type(found) is int and 0 <= found <= _MOST else 0


def _model(about: Mapping[Any, Any]) -> str | None:
    names = (about.get(name) for name in _MODELS)
    return next((storable(name)[:_LONGEST_NAME] for name in names if isinstance(name, str) and name), None)


def _number(text: str) -> int:
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1  # positive in a signed integer of any database


class _Opening:
    """Reads msgpack, and objects in it as the lists that LangGraph's serializer stores to make them from."""

    def __init__(self) -> None:
        self._open = 0

    def read(self, data: bytes) -> Any:
        self._open += len(data)
        if self._open > _OPEN_BYTES:
            raise ValueError("too much within each other")
        try:
            return ormsgpack.unpackb(data, ext_hook=self._enter, option=ormsgpack.OPT_NON_STR_KEYS)
        finally:
            self._open -= len(data)

    def _enter(self, _: int, data: bytes) -> Any:
        if not may_tell(data):
            return None
        try:
            return self.read(data)
        except ormsgpack.MsgpackDecodeError:
            return None  # an object that is no msgpack itself, as an array is


def _read_msgpack(data: bytes) -> Any:
    return _Opening().read(data)


_READERS: Mapping[str, Callable[[bytes], Any]] = {"msgpack": _read_msgpack, "json": json.loads}
