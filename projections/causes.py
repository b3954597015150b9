"""The causes of what is done to threads: who did it, why, and what else it is described by."""

from __future__ import annotations

from dataclasses import replace

from eventstore import BadInputError, Cause


def caused(cause: Cause | None, reason: str | None, **described: str | None) -> Cause:
    """A cause that says why, in words, and what else it is described by."""
    cause = cause or Cause()
    for key, value in {"reason": reason, **described}.items():
        if not isinstance(value, str | None):
            raise BadInputError(f"{key} is {value!r}: use a string")
        if value is not None:
            cause = replace(cause, metadata={**cause.metadata, key: value})
    return cause
