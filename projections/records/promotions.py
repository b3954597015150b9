"""The content of a promotion, which exchanges the names of two threads: an event in the stream of each."""

from __future__ import annotations

import ormsgpack


def promotion(branch: str, over: str, kept_as: str, *, was: str) -> bytes:
    """The content of one of the two events.

    Args:
        branch: The name of the thread that takes the other's place.
        over: The name that it gets.
        kept_as: The new name of the other.
        was: The name that the stream of this event had until then.
    """
    return ormsgpack.packb({"branch": branch, "over": over, "kept_as": kept_as, "was": was})


def name_before(data: bytes) -> str | None:
    """The name that a promoted stream had until then; `None` if somebody else has made the event."""
    try:
        found = ormsgpack.unpackb(data)
    except ormsgpack.MsgpackDecodeError:
        return None
    was = found.get("was") if isinstance(found, dict) else None
    return was if isinstance(was, str) else None
