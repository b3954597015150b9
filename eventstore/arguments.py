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
from types import CodeType
from typing import Any, TypeVar

from eventstore.errors import BadInputError
from eventstore.events import Cause, NewEvent
from eventstore.ids import check_id, check_stream, check_topic

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


def hold_to(annotation: str, check: Check, kind: type = object) -> None:
    """Let `checked` hold to `check` what is annotated so, in all classes that it is given later.

    Args:
        annotation: The annotation, as it is spelled.
        check: The check.
        kind: Where an annotation names several: the type of the values that the check is for.
    """
    _BY_ANNOTATION[annotation] = (kind, check)


def check_kind(kind: type) -> Check:
    """Return the check that an argument is an object of a class of ours."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, kind):
            raise refused(name, value, f"use a {kind.__name__}")

    return check


def check_callable(name: str, value: object) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise refused(name, value, "use a function")


def check_number(name: str, value: object) -> None:
    """Refuse what is no whole number, or one that no database can hold."""
    if type(value) is not int:
        raise refused(name, value, "use a whole number")
    if not -_LARGEST <= value <= _LARGEST:
        raise BadInputError(f"{name} is too large: use a number of at most {_LARGEST}")


def check_limit(limit: int | None) -> None:
    """Refuse what limits nothing: what is no whole number, and negative ones.

    `None` is no limit.
    """
    if limit is not None:
        check_number("limit", limit)
        if limit < 0:
            raise BadInputError(f"limit is {limit}: it cannot be negative")


def check_truth(name: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if type(value) is not bool:
        raise refused(name, value, "use true or false")


def check_text(name: str, value: object) -> None:
    """Refuse what is not text.

    The empty string, and texts too long to be stored, are valid names of what is not there.
    """
    # ASCII is checked fast.
    if not (type(value) is str and value.isascii() and "\0" not in value):
        check_id(name, value, longest=sys.maxsize)


def check_texts(name: str, value: object) -> None:
    """Refuse what is no list of strings, or no collection like it."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise refused(name, value, "use a list of strings")
    for each in value:
        check_text(name, each)


def check_mapping(name: str, value: object) -> None:
    """Refuse what is no dict, or no mapping like it."""
    if not isinstance(value, Mapping):
        raise refused(name, value, "use a dict")


def named_kind(value: object) -> str:
    """Return how an error calls a value that it does not show: by its type, such as "a dict"."""
    return "None" if value is None else f"a {type(value).__name__}"


def refused(name: str, value: object, advice: str) -> BadInputError:
    """Return the error that says which argument it is, what it was, and what to do."""
    # Python refuses to spell out numbers of thousands of digits.
    plain = isinstance(value, str | bytes | float | None) or (isinstance(value, int) and abs(value) <= _LARGEST)
    shown = ascii(value) if plain else f"a {type(value).__name__}"
    return BadInputError(f"{name} is {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'}: {advice}")


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


def check_commit(stream: object, decide: object, metadata: object) -> None:
    """Refuse what nothing can be committed by; each step of a run comes by here.

    Raises:
        BadInputError: An argument is of another type than it has to be.
    """
    if type(stream) is not str:
        check_stream(stream)
    if not callable(decide):
        check_callable("decide", decide)
    if type(metadata) is not dict and metadata is not None:
        check_mapping("metadata", metadata)


def parameters_of(function: Callable[..., Any]) -> Sequence[str]:
    """The names of a function's parameters, those that are given by position first; without `*…` and `**…`."""
    # `inspect.signature` would be a tenth of what importing this package takes.
    code: CodeType = inspect.unwrap(function).__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _checking(function: Callable[..., Any]) -> Callable[..., Any]:
    annotations = inspect.unwrap(function).__annotations__
    names = parameters_of(function)
    checks = {name: found for name in names if (found := _check_of(str(annotations.get(name, ""))))}
    places = [(name, checks.get(name)) for name in names]
    if not checks:
        return function

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def acall(*args: Any, **arguments: Any) -> Any:
            _check(places, checks, args, arguments)
            return await function(*args, **arguments)

        return acall

    @wraps(function)
    def call(*args: Any, **arguments: Any) -> Any:
        _check(places, checks, args, arguments)
        return function(*args, **arguments)

    return call


def _check(
    places: Sequence[tuple[str, Check | None]],
    checks: Mapping[str, Check],
    args: Sequence[object],
    arguments: Mapping[str, object],
) -> None:
    for (name, held), value in zip(places, args, strict=False):
        if held:
            held(name, value)
    for name, value in arguments.items():
        if name in checks:
            checks[name](name, value)


def _check_of(annotation: str) -> Check | None:
    """The check of an argument; `None`: its annotation tells too little."""
    parts = annotation.split(" | ")
    kinds = [_held_to(part) for part in parts if part != "None"]
    known = [kind for kind in kinds if kind]
    if not known or len(known) < len(kinds):
        return None
    *others, (_, last) = known
    return last if parts == [parts[-1]] else _any_of(others, last, optional="None" in parts)


def _held_to(annotation: str) -> tuple[type, Check] | None:
    if annotation.startswith("Callable["):
        return object, check_callable
    if annotation.startswith("Mapping["):
        return Mapping, check_mapping
    return _BY_ANNOTATION.get(annotation)


def _any_of(others: Sequence[tuple[type, Check]], last: Check, *, optional: bool) -> Check:
    # Every read of a checkpoint comes by here: so nothing is raised, and caught, to find the check.
    def check_any(name: str, value: object) -> None:
        if value is None and optional:
            return None
        held = next((check for kind, check in others if isinstance(value, kind)), last) if others else last
        return held(name, value)

    return check_any


def _bytes(name: str, value: object) -> None:
    if not isinstance(value, bytes):
        raise refused(name, value, "use bytes")


def _time(name: str, value: object) -> None:
    if not isinstance(value, datetime):
        raise refused(name, value, "use a datetime")


def _span(name: str, value: object) -> None:
    if not isinstance(value, timedelta):
        raise refused(name, value, "use a timedelta")


_BY_ANNOTATION: dict[str, tuple[type, Check]] = {
    "str": (str, check_text),
    "int": (int, check_number),
    "bool": (bool, check_truth),
    "bytes": (bytes, _bytes),
    "datetime": (datetime, _time),
    "timedelta": (timedelta, _span),
    "Sequence[str]": (Sequence, check_texts),
    "Collection[str]": (Collection, check_texts),
    "Cause": (Cause, check_kind(Cause)),
    "NewEvent": (NewEvent, check_kind(NewEvent)),
}
