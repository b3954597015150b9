"""Values as they are stored: read without making objects, and written again with the same bytes.

What LangGraph's serializer stored names types and how to make them. Who moves it need not know these types, and nothing
of it is imported or called: an object is carried as its bytes, in a stand-in that is equal to another if these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from pydantic import BaseModel

from eventstore import BadInputError, TypeNotAllowedError, UnreadableError
from langgraph.checkpoint.eventstore._packing import ARGUMENTS, ARRAY, SNAPSHOT, Packing
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from langgraph.checkpoint.eventstore._types import Types
from projections.values.copiers import model_of

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._upcasting import TypeUpcasters

_SEND = ["langgraph.types", "Send"]
_PICKLE = "pickle"
_FIELDS = frozenset(("code", "data"))
_ANY = Types({}, imported=True)
# The fields of an object's extension: module, name, content.
_LEAST = 3


class Stored(BaseModel):
    """An object as it is stored: a model that is nothing but its fields, since these are the fastest to compare.

    Attributes:
        code: The number of LangGraph's msgpack extension.
        data: What the extension holds.
    """

    code: int
    data: bytes


class StoredSend(Stored):
    """A packet as it is stored.

    Attributes:
        node: The node that it is for: who tells the tasks of a step looks for it.
    """

    node: str


class AsStored:
    """A serializer that reads what LangGraph's has written, makes no objects, and writes the same again.

    Args:
        pickled: Whether pickled values are read: whoever wrote them can run any code here.
        upcasters: Say of which version an object is that another serializer has made.
    """

    reads_joined = True
    """See `projections.Serializer`."""

    def __init__(self, *, pickled: bool = False, upcasters: TypeUpcasters | None = None) -> None:
        self._pickled = pickled
        self._upcasters = upcasters
        self._others = JsonPlusSerializer(pickle_fallback=pickled)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The value's encoding and bytes.

        Raises:
            TypeNotAllowedError: It holds an object, made by another serializer, of a type that is never made again.
            TypeError: It cannot be serialized, or nobody could find the type of an object again.
        """
        if obj is None or isinstance(obj, bytes | bytearray):
            return self._others.dumps_typed(obj)
        packing = _Packing(_ANY, self._upcasters)
        data = packing.pack(obj)
        if packing.refused:
            first, *more = packing.refused
            raise TypeNotAllowedError(*first, more)
        if packing.lost:
            raise TypeError(f"nobody could find {', '.join(map('.'.join, packing.lost))} again by that name")
        return "msgpack", data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value, with stand-ins for objects.

        Raises:
            BadInputError: It was pickled, and pickled values are not to be read.
            UnreadableError: It was enciphered.
        """
        encoding, content = data
        if encoding == "msgpack":
            return _read(content)
        if "+" in encoding:
            raise UnreadableError(encoding, "it is enciphered", _ENCIPHERED)
        if encoding == _PICKLE and not self._pickled:
            raise BadInputError(_PICKLED)
        return self._others.loads_typed(data)


def carrying(
    serde: SerializerProtocol,
    *,
    pickled: bool = False,
    renewing: bool = True,
) -> SerializerProtocol:
    """Return a serializer that reads and writes as another one does, and makes no objects where that can be.

    Args:
        serde: The other one. One of a class of the user's own is used as it is.
        pickled: Whether pickled values are read.
        renewing: Whether one that makes old values new goes on to do so, for readers that do not.
    """
    if isinstance(serde, EncryptedSerializer):
        return EncryptedSerializer(serde.cipher, carrying(serde.serde, pickled=pickled, renewing=renewing))
    if type(serde) is JsonPlusSerializer:
        return AsStored(pickled=pickled or serde.pickle_fallback)
    if type(serde) is not StrictSerializer or (serde.upcasts and renewing):
        return serde  # what another saver is given is not to need upcasters
    return AsStored(pickled=pickled, upcasters=serde.type_upcasters)


def renewer_of(serde: SerializerProtocol) -> StrictSerializer | None:
    """Return the serializer that makes old values new, of one or of what it enciphers; `None` if none does."""
    while isinstance(serde, EncryptedSerializer):
        serde = serde.serde
    return serde if type(serde) is StrictSerializer and serde.upcasts else None


def without_versions(value: Any) -> bytes:
    """Return the bytes of a value, without what its objects say of the versions of their types."""
    return _Bare(_ANY).pack(value)


class _Packing(Packing):
    __slots__ = ()

    def _default(self, value: Any) -> Any:
        if isinstance(value, Stored):
            return ormsgpack.Ext(value.code, value.data)
        return super()._default(value)


class _Bare(_Packing):
    __slots__ = ()

    def _default(self, value: Any) -> Any:
        if isinstance(value, Stored) and value.code < ARRAY:
            held = _read(value.data)
            if len(held) > _LEAST and type(held[-1]) is int:
                return ormsgpack.Ext(value.code, self.pack(held[:-1]))
            return ormsgpack.Ext(value.code, self.pack(held))
        return super()._default(value)


def _read(content: bytes) -> Any:
    return ormsgpack.unpackb(content, ext_hook=_stored, option=ormsgpack.OPT_NON_STR_KEYS)


def _stored(code: int, data: bytes) -> Any:
    if code == SNAPSHOT:  # LangGraph's savers look for it
        return _DeltaSnapshot(_read(data))
    if code == ARGUMENTS:
        held = _read(data)
        if held[:2] == _SEND and isinstance(held[2][0], str):
            return StoredSend(code=code, data=data, node=held[2][0])
    # A call of the class, or of `model_construct`, takes as long as all else that is done to move an object.
    return model_of(Stored, {"code": code, "data": data}, set(_FIELDS), None)


_PICKLED = (
    "a value is pickled, and reading it would run whatever code it names. If you trust whoever could write to that "
    "database, ask for it by name: --allow-pickle, or allow_pickle=True"
)
_ENCIPHERED = (
    "the command line has no key: call langgraph.checkpoint.eventstore.moving.Moving(saver).import_from(…, "
    "serde=EncryptedSerializer(…)) in Python, with the serializer that it was stored with"
)
