"""Objects of the user's program that an option names as `module:attribute`: that module is imported, and no other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import Parameter, iscoroutine, signature
from operator import attrgetter
from typing import Any

from eventstore import BadInputError


def loaded(named: str, option: str, is_it: Callable[[Any], bool], example: str) -> Any:
    """Return the object that an option names, or what a function returns that it names.

    Args:
        named: `module:attribute`.
        option: The option, for errors.
        is_it: Tells the object from a function that makes it.
        example: How it may be named.

    Raises:
        BadInputError: It names nothing, or importing or calling it failed.
    """
    module_name, _, attribute = named.partition(":")
    if not module_name or not attribute:
        raise BadInputError(f"{option} is {named!r}: write module:attribute, as in {example}")
    found = _attribute(_module(module_name, option), module_name, attribute, option, is_it)
    return _made_by(found, named, option) if callable(found) and not is_it(found) else found


def _module(name: str, option: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the folder that one stands in
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise BadInputError(
                f"there is no module {name!r}, neither in this folder nor among the installed packages: check {option}"
            ) from error
        raise BadInputError(f"module {name!r} cannot be imported here: {error}") from error
    except (Exception, SystemExit) as error:
        raise BadInputError(f"importing {name!r} raised {type(error).__name__}: {error}") from error


def _attribute(module: Any, name: str, attribute: str, option: str, is_it: Callable[[Any], bool]) -> Any:
    try:
        return attrgetter(attribute)(module)
    except AttributeError as error:
        others = sorted(each for each, held in vars(module).items() if is_it(held) and each[0] != "_")
        there = f"; it has {', '.join(others)}" if others else ""
        raise BadInputError(f"module {name!r} has no {attribute!r}{there}: check {option}") from error


def _made_by(factory: Callable[..., Any], named: str, option: str) -> Any:
    """Return what a function gives that makes what an option names. It is called without arguments."""
    try:
        takes = [
            each
            for each in signature(factory).parameters.values()
            if each.default is Parameter.empty and each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        takes = []
    if takes:
        raise BadInputError(
            f"{named} takes {takes[0].name!r}: only a function without arguments is called for {option}"
        )
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise BadInputError(f"{named} raised {type(error).__name__}: {error}") from error
    if iscoroutine(made):
        made.close()
        raise BadInputError(f"{named} is asynchronous: {option} takes an object, or a function that returns one")
    return made
