"""A serializer that notes what is old in the values that it reads, and what of them cannot be made again."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from eventstore import BadInputError
from langgraph.checkpoint.eventstore._nesting import check_nesting
from langgraph.checkpoint.eventstore._serde import StrictSerializer

Shape = tuple[str, int]
"""A type, and the version of it that is stored."""

_REFUSED = "it may not be made again: its module is not imported here, or allowed_types leaves it out"


class Noting:
    """A serializer that notes what it sees: the objects of old types, and the types of what it cannot make.

    Args:
        serde: The serializer that makes the values.

    Attributes:
        old: The old types that were met, and the versions of them.
        unmade: The types that could not be made, and why.
    """

    reads_joined = True
    """See `projections.Serializer`."""

    def __init__(self, serde: StrictSerializer) -> None:
        self._serde = serde
        self.old: set[Shape] = set()
        self.unmade: dict[str, str] = {}

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """See `StrictSerializer`."""
        return self._serde.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value; of what cannot be made, anything."""
        encoding, content = data
        if encoding != "msgpack":
            return self._serde.loads_typed(data)
        check_nesting(content)
        making = self._serde.making()
        value = making.read(content)
        self.old |= {(".".join(name), version) for name, version in making.old}
        for name in making.refused:
            self.unmade.setdefault(".".join(name), _REFUSED)
        for name, reason in making.failed.items():
            self.unmade.setdefault(".".join(name), reason)
        for error in making.broken:
            self.unmade.setdefault(error.name, error.reason)
        return value

    def take(self) -> tuple[set[Shape], dict[str, str]]:
        """Return what was noted, and forget it."""
        noted = self.old, self.unmade
        self.old, self.unmade = set(), {}
        return noted


def noting(serde: SerializerProtocol) -> tuple[Noting, SerializerProtocol]:
    """Return what notes, and the serializer that reads with it as another one does.

    Raises:
        BadInputError: The other one is of the user's own: only it knows what it stores.
    """
    if isinstance(serde, EncryptedSerializer):
        notes, inner = noting(serde.serde)
        return notes, EncryptedSerializer(serde.cipher, inner)
    if not isinstance(serde, StrictSerializer):
        raise BadInputError(
            f"the saver has a {type(serde).__name__}: shapes are told of what the default serializer stores"
        )
    notes = Noting(serde)
    return notes, notes
