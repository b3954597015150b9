"""The saver's serializer: LangGraph's layout, and only what may be made again, as what it was."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.base import SerializerProtocol, UntypedSerializerProtocol, maybe_add_typed_methods
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, TypeChangedError, TypeNotAllowedError
from langgraph.checkpoint.eventstore._making import Making
from langgraph.checkpoint.eventstore._nesting import check_nesting
from langgraph.checkpoint.eventstore._packing import Packing
from langgraph.checkpoint.eventstore._types import Name, Types, name_of
from projections.values.serializer import check_serializer

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._upcasting import ValueUpcasters

AllowedTypes = Collection[type | tuple[str, str]]

_STRICT = "LANGGRAPH_STRICT_MSGPACK"


class StrictSerializer(JsonPlusSerializer):
    """Makes again LangGraph's and LangChain's plain types, the standard library's, and those of the program.

    Args:
        allowed_types: Which of the program's types are made again: classes, or `("module", "Name")` pairs. What could
            not be read again is then refused already when it is written. `None`: all that are data and that the program
            has imported; with `LANGGRAPH_STRICT_MSGPACK=true` in the environment, as LangGraph has it, none.
        upcasters: What makes old values new.

    Attributes:
        type_upcasters: The upcasters of types.
        channel_upcasters: The upcasters of channels: for those who read values of these.

    Raises:
        BadInputError: The upcasters do not fit together.
    """

    reads_joined = True
    """Values that it wrote as msgpack may be joined to one array of msgpack, and read at once: see `Serializer`."""

    def __init__(self, allowed_types: AllowedTypes | None = None, upcasters: ValueUpcasters | None = None) -> None:
        super().__init__(allowed_msgpack_modules=None)
        self.type_upcasters = None if upcasters is None else upcasters.types()
        self.channel_upcasters = None if upcasters is None else upcasters.channels()
        strict = allowed_types is not None or os.getenv(_STRICT, "").lower() in ("1", "true", "yes")
        self._types = Types(_names(() if allowed_types is None else allowed_types), imported=not strict)

    @property
    def upcasts(self) -> bool:
        """True if it makes old values new."""
        return self.type_upcasters is not None or self.channel_upcasters is not None

    def with_msgpack_allowlist(self, extra_allowlist: Iterable[tuple[str, ...] | type]) -> StrictSerializer:
        """A serializer that allows more types: LangGraph gives those of a graph's schema, if it is strict itself."""
        more = copy.copy(self)
        more._types = self._types.and_more(_names([*extra_allowlist]))
        return more

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The value's encoding and bytes.

        Raises:
            TypeNotAllowedError: It holds types that are not among `allowed_types`.
            TypeChangedError: It holds an object that could not be made again from what would be stored of it.
            TypeError: It cannot be serialized, or nobody could find a type of it again.
        """
        if obj is None or isinstance(obj, bytes | bytearray):
            return super().dumps_typed(obj)
        packing = Packing(self._types, self.type_upcasters)
        data = packing.pack(obj)
        if packing.refused:
            raise _not_allowed(packing.refused)
        if packing.lost:
            names = ", ".join(map(".".join, packing.lost))
            raise TypeError(f"nobody could find {names} again by that name: define it at the top level of a module")
        if packing.own and not self._types.imported:
            self._read(data)
        return "msgpack", data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value that was stored.

        Raises:
            TypeNotAllowedError: It holds types that are not allowed. They were not imported, and nothing was made of
                them.
            TypeChangedError: It holds an object that its type cannot be made from any more.
            UpcastError: An upcaster failed.
            TooLargeError: It would take more memory than it may, by types that are nested in each other.
        """
        encoding, content = data
        if encoding == "msgpack":
            check_nesting(content)
            return self._read(content)
        if encoding == "json":
            return _plain_json(content)
        return super().loads_typed(data)

    def making(self) -> Making:
        """Return what makes one value of its bytes, and notes what it meets."""
        return Making(self._types, self.type_upcasters)

    def _read(self, data: bytes) -> Any:
        making = self.making()
        value = making.read(data)
        if making.refused:
            raise _not_allowed(making.refused)
        if making.broken:
            raise making.broken[0]
        if making.failed:
            first, *more = [(*name, reason) for name, reason in making.failed.items()]
            raise TypeChangedError(*first, more)
        return value


def serializer_of(
    serde: SerializerProtocol | UntypedSerializerProtocol | None,
    allowed_types: AllowedTypes | None,
    upcasters: ValueUpcasters | None = None,
) -> SerializerProtocol:
    """Return the serializer that a saver's options ask for.

    Raises:
        BadInputError: It is no serializer, these are no types or no upcasters, or it is given besides these.
    """
    if upcasters is not None:
        from langgraph.checkpoint.eventstore._upcasting import check_upcasters  # noqa: PLC0415 (most savers have none)

        check_upcasters(upcasters)
    if serde is None:
        return StrictSerializer(allowed_types, upcasters)
    if upcasters is not None:
        raise BadInputError(
            "value_upcasters are for the default serializer: wrap that, as in EncryptedSerializer(cipher, saver.serde)"
        )
    if allowed_types is not None:
        raise BadInputError("allowed_types is for the default serializer: give your own its allowlist instead")
    return typed(serde)


def typed(serde: SerializerProtocol | UntypedSerializerProtocol) -> SerializerProtocol:
    """Return a serializer that says how its bytes are encoded; one of LangGraph's old ones, which does not, is wrapped.

    Raises:
        BadInputError: It is no serializer.
    """
    if hasattr(serde, "dumps") and hasattr(serde, "loads"):
        serde = maybe_add_typed_methods(serde)
    check_serializer("serde", serde)
    return serde


def _plain_json(content: bytes) -> Any:
    """A value in JSON, which this serializer never writes: LangChain's objects in it are refused."""
    refused: dict[Name, None] = {}

    def note(held: dict[str, Any]) -> dict[str, Any]:
        if held.get("lc") in (1, 2) and isinstance(held.get("id"), list):
            *module, name = map(str, held["id"])
            refused[".".join(module), name] = None
        return held

    value = json.loads(content, object_hook=note)
    if refused:
        raise _not_allowed(refused)
    return value


def _not_allowed(refused: Iterable[Name]) -> TypeNotAllowedError:
    first, *more = refused
    return TypeNotAllowedError(*first, more)


def _names(allowed: object) -> dict[Name, type | None]:
    if isinstance(allowed, str) or not isinstance(allowed, Collection):
        raise BadInputError(f"allowed_types is a list of classes or (module, name) pairs, not {allowed!r}")
    return dict(map(_checked, allowed))


def _checked(allowed: object) -> tuple[Name, type | None]:
    if isinstance(allowed, type):
        return name_of(allowed), allowed
    if isinstance(allowed, tuple) and len(allowed) == 2 and all(isinstance(part, str) for part in allowed):
        return allowed, None
    raise BadInputError(f"allowed_types holds {allowed!r}: use the class, or its (module, name)")
