"""How values become bytes and back: the protocol of LangGraph's serializers, and what guards it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from eventstore import (
    EventStoreError,
    TypeChangedError,
    TypeNotAllowedError,
    UnknownFormatError,
    UnreadableError,
    UnserializableError,
)
from eventstore.arguments import hold_to, refused
from eventstore.codec.refused import find_refused

T = TypeVar("T")
K = TypeVar("K")

# A serializer with a pickle fallback says so by this name; one that enciphers adds "+" and the cipher's.
_PICKLE = "pickle"
# How nearly everything is encoded.
_PLAIN = "msgpack"


class Serializer(Protocol):
    """LangGraph's `SerializerProtocol`: the user's choice, given anew with each call.

    One that has an attribute `reads_joined`, which is true, reads an array of msgpack that was put together from what
    it wrote as `msgpack` just as it would read the parts: reading many parts at once is faster.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The value's encoding and bytes."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value."""
        ...


def check_serializer(name: str, value: object) -> None:
    """Refuse what is no serializer: what it could not read would be taken for damage.

    Raises:
        BadInputError: It is none.
    """
    if isinstance(value, type) or not (hasattr(value, "dumps_typed") and hasattr(value, "loads_typed")):
        raise refused(name, value, "use a serializer with dumps_typed and loads_typed, such as saver.serde")


hold_to("Serializer", check_serializer)


def dump(serializer: Serializer, channel: str, value: Any) -> tuple[str, bytes]:
    """The value's encoding and bytes.

    Raises:
        BadInputError: The serializer is none.
        UnserializableError: The serializer refuses it, or would pickle it. The error names channel, type and path.
        TypeNotAllowedError: It holds types that the serializer would not make again.
    """
    try:
        encoding, data = serializer.dumps_typed(value)
        if encoding != _PLAIN:
            _refuse_pickle(encoding)
        return encoding, bytes(data)
    except EventStoreError:
        raise  # it says already what to do
    except Exception as error:
        check_serializer("serializer", serializer)

        def pack(part: Any) -> None:
            _refuse_pickle(serializer.dumps_typed(part)[0])

        path, kind = find_refused(pack, channel, value)
        raise UnserializableError(channel, kind, path, f"{type(error).__name__}: {error}") from error


def load_typed(serializer: Serializer, encoding: str, data: bytes) -> Any:
    """The value of bytes that `dump` gave.

    Raises:
        UnknownFormatError: It was pickled. Nothing here ever is, so somebody else put it there.
        UnreadableError: The serializer cannot read it.
    """
    if _is_pickled(encoding):
        raise UnknownFormatError("a pickled value was found, which is never unpickled: this package did not store it")
    try:
        return serializer.loads_typed((encoding, data))
    except EventStoreError:
        raise  # it says already what to do
    except Exception as error:
        raise UnreadableError(encoding, f"{type(error).__name__}: {error}") from error


class Refusals:
    """The types that several values are refused for, in one error, so that they can be allowed at once."""

    def __init__(self) -> None:
        self._not_allowed: dict[tuple[str, str], None] = {}
        self._changed: dict[tuple[str, str, str], None] = {}

    def each(self, act: Callable[[K], T], keys: Iterable[K]) -> list[T]:
        """Return what `act` gives for each of the keys that are not refused."""
        found: list[T] = []
        for key in keys:
            try:
                found.append(act(key))
            except (TypeNotAllowedError, TypeChangedError) as error:
                self.note(error)
        return found

    def note(self, error: TypeNotAllowedError | TypeChangedError) -> None:
        """Note one value's."""
        if isinstance(error, TypeNotAllowedError):
            self._not_allowed.update(dict.fromkeys(error.types))
        else:
            self._changed.update(dict.fromkeys(error.types))

    def check(self) -> None:
        """Raise if anything was refused.

        Raises:
            TypeNotAllowedError: These types may not be made again.
            TypeChangedError: These types may, but could not.
        """
        if self._not_allowed:
            first, *more = self._not_allowed
            raise TypeNotAllowedError(*first, more)
        if self._changed:
            one, *others = self._changed
            raise TypeChangedError(*one, others)


def for_each(act: Callable[[K], T], keys: Iterable[K]) -> list[T]:
    """Return what `act` gives for each key; the types that it refuses, all of them, in one error."""
    found: list[T] = []
    refusals: Refusals | None = None
    for key in keys:
        try:
            found.append(act(key))
        except (TypeNotAllowedError, TypeChangedError) as error:
            refusals = refusals or Refusals()
            refusals.note(error)
    if refusals:
        refusals.check()
    return found


def _refuse_pickle(encoding: str) -> None:
    if _is_pickled(encoding):
        raise TypeError("it could only be pickled, and no pickle is ever stored")


def _is_pickled(encoding: str) -> bool:
    return encoding.partition("+")[0] == _PICKLE
