"""Options by their names: those of a store as a type, and wrong ones with the name that was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypedDict, TypeVar, cast

from eventstore.address import options_of
from eventstore.arguments import parameters_of
from eventstore.codec import Upcasters
from eventstore.environment import STORE, nearest
from eventstore.errors import UnknownOptionError
from eventstore.recorders.sqlite import Synchronous

F = TypeVar("F", bound=Callable[..., Any])
_OWN = ("self", "cls")


class SharingOptions(TypedDict, total=False):
    """The options of `open_on`, but for `migrate`."""

    upcasters: Upcasters | None
    schema: str
    prepare: bool
    connect_timeout: float
    max_value_bytes: int


class StoreOptions(SharingOptions, total=False):
    """The options of `EventStore.open`, but for `migrate`."""

    pool_size: int
    synchronous: Synchronous
    busy_timeout: float


class HealthLimits(TypedDict, total=False):
    """The limits that `health` measures by."""

    timeout: float
    writable: bool
    max_lag: float
    max_wal_bytes: int
    min_free_bytes: int


def names_options(*more: type, hints: Mapping[str, str] | None = None) -> Callable[[F], F]:
    """Let a function refuse options that it does not have by an error that says which were meant.

    Args:
        more: The typed dicts of what it takes as `**options`.
        hints: What to do in place of options that others have.
    """

    def naming(function: F) -> F:
        named = [name for name in parameters_of(function) if name not in _OWN]
        known = [*named, *(name for kind in more for name in kind.__annotations__)]

        called = function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            check_names(called, options, known, hints)
            return function(*args, **options)

        return cast("F", call)

    return naming


def check_names(
    function: str, given: Iterable[str], known: Iterable[str], hints: Mapping[str, str] | None = None
) -> None:
    """Hold that a function has all the options that it was given.

    Raises:
        UnknownOptionError: It does not.
    """
    there = [*known]
    if unknown := [name for name in given if name not in there]:
        raise UnknownOptionError(function, [(name, (hints or {}).get(name) or _meant(name, there)) for name in unknown])


def reads_url(known: Mapping[str, Callable[[str], Any]] = STORE) -> Callable[[F], F]:
    """Let a class method whose first argument is a URL take options from it, where they are not given.

    Args:
        known: The options, each with what reads it.
    """

    def reading(function: F) -> F:
        @wraps(function)
        def call(cls: Any, *args: Any, **options: Any) -> Any:
            url = args[0] if args else options.get("url")
            return function(cls, *args, **{**({} if url is None else options_of(url, known)), **options})

        return cast("F", call)

    return reading


def _meant(name: str, known: Sequence[str]) -> str | None:
    meant = nearest(name, known)
    return meant and f"did you mean {meant!r}?"
