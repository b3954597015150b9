"""The options of a store, as environment variables say them: `EVENTSTORE_POOL_SIZE` for `pool_size`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eventstore.errors import BadInputError

_TRUE, _FALSE = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")


def truth(text: str) -> bool:
    """Return the truth value that a text says.

    Raises:
        ValueError: It says none.
    """
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError("use true or false")
    return text.lower() in _TRUE


STORE: Mapping[str, Callable[[str], Any]] = {
    "schema": str,
    "pool_size": int,
    "prepare": truth,
    "connect_timeout": float,
    "synchronous": str.upper,
    "busy_timeout": float,
    "max_value_bytes": int,
}
"""The options of a store that a text can say, each with what reads it."""


def read_options(get: Callable[[str], str | None], known: Mapping[str, Callable[[str], Any]] = STORE) -> dict[str, Any]:
    """Return the options that an environment sets.

    Args:
        get: Returns the value of a variable, if it is set.
        known: The options, each with what reads it.

    Raises:
        BadInputError: A value is not of the option's kind.
    """
    options = {}
    for name, read in known.items():
        key = f"EVENTSTORE_{name.upper()}"
        if text := get(key):
            try:
                options[name] = read(text)
            except ValueError as error:
                raise BadInputError(f"{key} is {text!r}: {error}") from error
    return options
