"""The options of a store, as texts say them: a variable (`EVENTSTORE_POOL_SIZE=4`), or a URL (`?pool_size=4`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eventstore.errors import BadInputError

URL = "EVENTSTORE_URL"
"""The variable that says where the store is."""
_PREFIX = "EVENTSTORE_"
_TRUE, _FALSE = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")
# Other programs have variables that begin so, too: only what resembles one of ours is taken for a mistake.
_ALIKE = 0.75


def truth(text: str) -> bool:
    """Return the truth value that a text says.

    Raises:
        ValueError: It says none.
    """
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError("use true or false")
    return text.lower() in _TRUE


def whole(text: str) -> int:
    """Return the whole number that a text says.

    Raises:
        ValueError: It says none.
    """
    try:
        return int(text)
    except ValueError:
        raise ValueError("use a whole number") from None


def seconds(text: str) -> float:
    """Return the seconds that a text says.

    Raises:
        ValueError: It says none.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError("use a number of seconds") from None


STORE: Mapping[str, Callable[[str], Any]] = {
    "migrate": truth,
    "schema": str,
    "pool_size": whole,
    "prepare": truth,
    "connect_timeout": seconds,
    "synchronous": str.upper,
    "busy_timeout": seconds,
    "max_value_bytes": whole,
}
"""The options of a store that a text can say, each with what reads it."""
OF_SAVERS = ("allowed_types", "cache_bytes", "concurrent_runs", "moving_from", "snapshots")
"""The options that a saver has besides, in the same URL and environment. A store by itself leaves them alone."""
NAMES = (*STORE, *OF_SAVERS)
"""The options that a text can say."""


def read_options(get: Callable[[str], str | None], known: Mapping[str, Callable[[str], Any]] = STORE) -> dict[str, Any]:
    """Return the options that an environment sets.

    Args:
        get: Returns the value of a variable, if it is set.
        known: The options, each with what reads it.

    Raises:
        BadInputError: A value is not of the option's kind.
    """
    found = {name: (variable_of(name), get(variable_of(name))) for name in known}
    return {name: read_option(known[name], text, variable) for name, (variable, text) in found.items() if text}


def read_option(read: Callable[[str], Any], text: str, where: str) -> Any:
    """Return the value of an option.

    Args:
        read: Reads it.
        text: What was said.
        where: Where, for messages.

    Raises:
        BadInputError: It is not of the option's kind.
    """
    try:
        return read(text)
    except ValueError as error:
        raise BadInputError(f"{where} is {text!r}: {error}") from error


def variable_of(option: str) -> str:
    """Return the environment variable of an option."""
    return f"{_PREFIX}{option.upper()}"


def check_variables(names: Iterable[str]) -> None:
    """Refuse variables that look like misspelled ones of ours.

    Args:
        names: The names of all variables that are set.

    Raises:
        BadInputError: There is one; it is told with the name that was meant.
    """
    variables = [URL, *map(variable_of, NAMES)]
    for name in names:
        application, found, _ = name.partition(_PREFIX)
        if (
            not found
            or (application and not application.endswith("_"))
            or (own := name[len(application) :]) in variables
        ):
            continue
        if meant := nearest(own.removeprefix(_PREFIX), [each.removeprefix(_PREFIX) for each in variables], _ALIKE):
            raise BadInputError(f"{name} is no variable of this package: did you mean {application}{_PREFIX}{meant}?")


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the name that was probably meant, if one is near enough.

    Args:
        name: What was said.
        known: The names that there are.
        alike: How near it has to be, from 0 to 1.
    """
    from difflib import get_close_matches  # noqa: PLC0415 (who makes no mistake starts sooner)

    return next(iter(get_close_matches(name, [*known], n=1, cutoff=alike)), None)
