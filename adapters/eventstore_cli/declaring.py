"""Commands as functions: a parameter's annotation says which option or argument it is, and the docstring is the help.

    def log(thread: Annotated[str, Argument(help="The thread.")], all_: Annotated[bool, Option("--all", help="All.")]):

What is declared here is built when its command is called, and not before: a command line starts often.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import click
from click.shell_completion import CompletionItem

Offered = str | tuple[str, str]
"""One offer of completion: a word, or a word and what it is."""
Complete = Callable[[click.Context, str], Sequence[Offered]]

_OPTIONS = "Options"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument: named by its place.

    Attributes:
        help: What it is, in words.
        complete: Offers what may stand there.
    """

    help: str
    complete: Complete | None = None


class Option:
    """An option.

    Args:
        names: How it is written; by default `--` and the parameter's name.
        help: What it is, in words.
        metavar: What its value is called.
        min: The least number that it may be.
        envvar: The environment variable that is taken where it is not given.
        panel: Under which heading the help lists it.
        complete: Offers values.
    """

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 (click's name for it)
        metavar: str | None = None,
        min: int | None = None,  # noqa: A002
        envvar: str | None = None,
        panel: str = _OPTIONS,
        complete: Complete | None = None,
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.min = min
        self.envvar = envvar
        self.panel = panel
        self.complete = complete


class Command(click.Command):
    """A command whose help lists its arguments, and its options under their headings."""

    arguments: Sequence[tuple[str, str]] = ()
    panels: dict[str, str]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the arguments, and the options under their headings."""
        if self.arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([*self.arguments])
        panels: dict[str, list[tuple[str, str]]] = {_OPTIONS: []}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                panels.setdefault(self.panels.get(parameter.name or "", _OPTIONS), []).append(record)
        for name, records in panels.items():
            with formatter.section(name):
                formatter.write_dl(records)


def command_of(name: str, function: Callable[..., Any], *, flexible: bool = False) -> Command:
    """Make a command of a function.

    Args:
        name: What the command is called.
        function: Is called with the values of its parameters.
        flexible: Whether what looks like an option and is none is an argument: `-1`.
    """
    parameters = inspect.signature(function).parameters.values()
    declared = {each.name: _declared(each) for each in parameters}

    def call(**given: Any) -> Any:
        return function(**{each: declared[each][1](value) for each, value in given.items()})

    made = Command(
        name,
        params=[parameter for parameter, _ in declared.values()],
        callback=call,
        # click wraps what is not marked by a line of its own.
        help=re.sub(r"^(?=Examples?:$)", "\b\n", inspect.getdoc(function) or "", flags=re.MULTILINE),
        context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": flexible},
    )
    about = {each.name: get_args(each.annotation)[1] for each in parameters}
    made.panels = {each: of.panel for each, of in about.items() if isinstance(of, Option)}
    made.arguments = [
        (declared[each][0].make_metavar(click.Context(made)), of.help)
        for each, of in about.items()
        if isinstance(of, Argument)
    ]
    return made


def _declared(parameter: inspect.Parameter) -> tuple[click.Parameter, Callable[[Any], Any]]:
    """Return click's parameter, and what makes of click's value the one that the function takes."""
    assert get_origin(parameter.annotation) is Annotated, parameter
    annotation, about = get_args(parameter.annotation)
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    several = get_origin(annotation) is list or get_origin(kinds[0]) is list
    (kind,) = (get_args(kinds[0]) or (kinds[0],)) if several else kinds
    required = parameter.default is inspect.Parameter.empty
    shared: dict[str, Any] = {
        "type": _type_of(kind, about),
        "required": required and isinstance(about, Argument),
        "shell_complete": _completing(about.complete),
    }
    if not (required or several):
        shared["default"] = parameter.default
    if isinstance(about, Argument):
        made: click.Parameter = click.Argument([parameter.name], nargs=-1 if several else 1, **shared)
    else:
        names = about.names or (f"--{parameter.name.strip('_').replace('_', '-')}",)
        if kind is bool:
            del shared["type"]
        made = click.Option(
            [parameter.name, *names],
            help=about.help,
            metavar=about.metavar or ("N" if kind is int else None),
            multiple=several,
            is_flag=kind is bool,
            envvar=about.envvar,
            show_envvar=about.envvar is not None,
            **shared,
        )
    return made, list if several else lambda value: value


def _type_of(kind: Any, about: Argument | Option) -> Any:
    if isinstance(about, Option) and about.min is not None:
        return click.IntRange(min=about.min)
    return click.Choice(kind, case_sensitive=False) if issubclass(kind, StrEnum) else kind


def _completing(complete: Complete | None) -> Any:
    if complete is None:
        return None

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = ((each, None) if isinstance(each, str) else each for each in complete(ctx, incomplete))
        return [CompletionItem(word, help=about) for word, about in found]

    return offer
