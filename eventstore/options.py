"""Options by their names: those of a store as a type, and wrong ones with the name that was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypedDict, TypeVar, cast

from eventstore.arguments import parameters_of
from eventstore.codec import Upcasters
from eventstore.errors import UnknownOptionError
from eventstore.recorders.sqlite import Synchronous

F = TypeVar("F", bound=Callable[..., Any])
_OWN = ("self", "cls")


class StoreOptions(TypedDict, total=False):
    """The options of `EventStore.open`, but for `migrate`."""

    upcasters: Upcasters | None
    pool_size: int
    schema: str
    prepare: bool
    connect_timeout: float
    synchronous: Synchronous
    busy_timeout: float
    max_value_bytes: int


def names_options(*more: type) -> Callable[[F], F]:
    """Let a function refuse options that it does not have by an error that says which were meant.

    Args:
        more: The typed dicts of what it takes as `**options`.
    """

    def naming(function: F) -> F:
        named = [name for name in parameters_of(function) if name not in _OWN]
        known = [*named, *(name for kind in more for name in kind.__annotations__)]

        called = function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            check_names(called, options, known)
            return function(*args, **options)

        return cast("F", call)

    return naming


def check_names(function: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Hold that a function has all the options that it was given.

    Raises:
        UnknownOptionError: It does not.
    """
    there = [*known]
    if unknown := [name for name in given if name not in there]:
        from difflib import get_close_matches  # noqa: PLC0415 (who makes no mistake starts sooner)

        raise UnknownOptionError(
            function, [(name, next(iter(get_close_matches(name, there, n=1)), None)) for name in unknown]
        )
