"""Public methods hold their callers to what their signatures say, before anything is done.

An argument of another type, a number that no database can hold, or a string that is not text (with a lone surrogate)
would otherwise be refused somewhere below, by an error of Python's or of a driver's that tells nobody what to do.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from eventstore.errors import BadInputError
from eventstore.events import NewEvent
from eventstore.ids import check_id, check_topic

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
Check = Callable[[str, object], None]
"""Gets the name of an argument and its value. Raises `BadInputError`."""

_TRUSTED: set[Callable[..., Any]] = set()
# Versions, positions and limits are signed integers of 64 bits.
_LARGEST = 2**63 - 1
# As messages show a value that may be of any size.
_SHOWN = 60


def checked(kind: type[C]) -> type[C]:
    """Let the public methods of a class check their arguments, as far as annotations say what these are."""
    for name, function in list(vars(kind).items()):
        if inspect.isfunction(function) and not name.startswith("_") and function not in _TRUSTED:
            setattr(kind, name, _checking(function))
    return kind


def checks_itself(function: F) -> F:
    """A method that `checked` leaves alone: it is called at each step of a run, and looks at its arguments itself."""
    _TRUSTED.add(function)
    return function


def check_events(events: Iterable[NewEvent]) -> list[NewEvent]:
    """Return the events that are to be appended, if they can be.

    Raises:
        BadInputError: They are not events.
        InvalidIdError: A topic cannot be stored.
    """
    if not isinstance(events, Iterable):
        raise BadInputError(f"events is a {type(events).__name__}: pass a list of NewEvent")
    batch = list(events)
    for event in batch:
        if not isinstance(event, NewEvent):
            raise BadInputError(f"events must be NewEvent, not {type(event).__name__}")
        check_topic(event.topic)
        if not isinstance(event.data, bytes):
            raise BadInputError(f"the data of an event must be bytes, not {type(event.data).__name__}: serialize it")
    return batch


def _checking(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters
    checks = {name: found for name, each in parameters.items() if (found := _check_of(each))}
    places = [(name, checks.get(name)) for name in parameters]
    if not checks:
        return function

    def check(args: Sequence[object], arguments: Mapping[str, object]) -> None:
        for (name, held), value in zip(places, args, strict=False):
            if held:
                held(name, value)
        for name, value in arguments.items():
            if name in checks:
                checks[name](name, value)

    @wraps(function)
    def call(*args: Any, **arguments: Any) -> Any:
        check(args, arguments)
        return function(*args, **arguments)

    @wraps(function)
    async def acall(*args: Any, **arguments: Any) -> Any:
        check(args, arguments)
        return await function(*args, **arguments)

    return acall if inspect.iscoroutinefunction(function) else call


def _check_of(parameter: inspect.Parameter) -> Check | None:
    """The check of an argument; `None`: its annotation tells too little."""
    if parameter.kind is parameter.VAR_KEYWORD:
        return None
    parts = str(parameter.annotation).split(" | ")
    kinds = [_BY_ANNOTATION.get(part) for part in parts if part != "None"]
    known = [kind for kind in kinds if kind]
    if not known or len(known) < len(kinds):
        return None
    *others, (_, last) = known
    return last if parts == [parts[-1]] else _any_of(others, last, optional="None" in parts)


def _any_of(others: Sequence[tuple[type, Check]], last: Check, *, optional: bool) -> Check:
    # Every read of a checkpoint comes by here: so nothing is raised, and caught, to find the check.
    def check_any(name: str, value: object) -> None:
        if value is None and optional:
            return None
        held = next((check for kind, check in others if isinstance(value, kind)), last) if others else last
        return held(name, value)

    return check_any


def _text(name: str, value: object) -> None:
    # The empty string, and texts too long to be stored, are valid names of what is not there. (ASCII is checked fast.)
    if not (type(value) is str and value.isascii() and "\0" not in value):
        check_id(name, value, longest=sys.maxsize)


def _number(name: str, value: object) -> None:
    if type(value) is not int:
        raise _refused(name, value, "use a whole number")
    if not -_LARGEST <= value <= _LARGEST:
        raise BadInputError(f"{name} is too large: use a number of at most {_LARGEST}")


def _truth(name: str, value: object) -> None:
    if type(value) is not bool:
        raise _refused(name, value, "use true or false")


def _bytes(name: str, value: object) -> None:
    if not isinstance(value, bytes):
        raise _refused(name, value, "use bytes")


def _time(name: str, value: object) -> None:
    if not isinstance(value, datetime):
        raise _refused(name, value, "use a datetime")


def _span(name: str, value: object) -> None:
    if not isinstance(value, timedelta):
        raise _refused(name, value, "use a timedelta")


def _texts(name: str, value: object) -> None:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise _refused(name, value, "use a list of strings")
    for each in value:
        _text(name, each)


def _mapping(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise _refused(name, value, "use a dict")


def _refused(name: str, value: object, advice: str) -> BadInputError:
    shown = ascii(value) if isinstance(value, str | bytes | int | float | None) else f"a {type(value).__name__}"
    return BadInputError(f"{name} is {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'}: {advice}")


_BY_ANNOTATION: Mapping[str, tuple[type, Check]] = {
    "str": (str, _text),
    "int": (int, _number),
    "bool": (bool, _truth),
    "bytes": (bytes, _bytes),
    "datetime": (datetime, _time),
    "timedelta": (timedelta, _span),
    "Sequence[str]": (Sequence, _texts),
    "Collection[str]": (Collection, _texts),
    "Mapping[str, Any]": (Mapping, _mapping),
}
