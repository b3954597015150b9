"""The options that every command has, said once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from eventstore_cli import completion
from eventstore_cli.caller import named
from eventstore_cli.output import Output
from eventstore_views.session import opened

_STORE = "The store"
_SHOWING = "How it is shown"

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="EVENTSTORE_URL",
        metavar="URL",
        help="sqlite:///agents.db, a path, or postgresql://user@host/database.",
        rich_help_panel=_STORE,
        show_envvar=True,
    ),
]
Schema = Annotated[
    str,
    typer.Option(
        "--schema",
        envvar="EVENTSTORE_SCHEMA",
        metavar="NAME",
        help="PostgreSQL: the schema of the tables.",
        rich_help_panel=_STORE,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.", rich_help_panel=_SHOWING)]
Utc = Annotated[bool, typer.Option("--utc", help="Times in UTC, ISO 8601.", rich_help_panel=_SHOWING)]
NoPager = Annotated[bool, typer.Option("--no-pager", help="Never use a pager.", rich_help_panel=_SHOWING)]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_SHOWING)]

Thread = Annotated[str, typer.Argument(help="The thread's id.", autocompletion=completion.threads)]
Namespace = Annotated[str, typer.Option("--namespace", "-s", metavar="NS", help="A subgraph's path (checkpoint_ns).")]
Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Why, in words: it is recorded.")]
Full = Annotated[bool, typer.Option("--full", help="Show values in all their length.")]
Graph = Annotated[
    str | None,
    typer.Option(
        "--graph",
        metavar="MODULE:ATTR",
        help="The graph whose reducers make values of what was written to its DeltaChannels. Its module is imported.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_SHARED: dict[str, tuple[Any, Any]] = {
    "store": (StoreUrl, None),
    "schema": (Schema, "eventstore"),
    "json": (AsJson, False),
    "utc": (Utc, False),
    "no_pager": (NoPager, False),
    "debug": (Debug, False),
}

BEFORE_THE_COMMAND = {"--store": 1, "--schema": 1, "--json": 0, "--utc": 0, "--no-pager": 0, "--debug": 0}
"""The options that may stand in front of a command's name, too, and how many values each takes."""

Command = Callable[..., None]


def on_a_store(command: Command) -> Command:
    """A command whose first arguments are the open store and where to say what was found."""

    def run(given: dict[str, Any], out: Output) -> None:
        with opened(named(given["store"]), given["schema"]) as session:
            command(session, out, **_own(given))

    return _with_shared(command, run, ["session", "out"])


def without_a_store(command: Command) -> Command:
    """A command that opens its store by itself; its first arguments are its address, its schema, and the output."""

    def run(given: dict[str, Any], out: Output) -> None:
        command(given["store"], given["schema"], out, **_own(given))

    return _with_shared(command, run, ["store", "schema", "out"])


def _own(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in _SHARED}


def _with_shared(command: Command, run: Callable[[dict[str, Any], Output], None], handed: Sequence[str]) -> Command:
    """A function with the parameters of a command, but for those that are handed to it, and the shared ones."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name not in handed]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]

    def wrapper(**given: Any) -> None:
        run(given, Output(json=given["json"], utc=given["utc"], paged=not given["no_pager"]))

    parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *shared]
    described: Any = wrapper
    described.__name__, described.__doc__ = command.__name__, command.__doc__
    described.__signature__ = signature.replace(parameters=parameters)
    described.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapper
