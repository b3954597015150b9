"""The options that every command has, said once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option

_STORE = "The store"
_SHOWING = "How it is shown"

StoreUrl = Annotated[
    str | None,
    Option(
        "--store",
        envvar="EVENTSTORE_URL",
        metavar="URL",
        help="sqlite:///agents.db, a path, or postgresql://user@host/database.",
        panel=_STORE,
    ),
]
Schema = Annotated[
    str | None,
    Option(
        "--schema",
        envvar="EVENTSTORE_SCHEMA",
        metavar="NAME",
        help="PostgreSQL: the schema of the tables, if the URL does not say it.",
        panel=_STORE,
    ),
]
AsJson = Annotated[bool, Option("--json", help="JSON on standard output.", panel=_SHOWING)]
Utc = Annotated[bool, Option("--utc", help="Times in UTC, ISO 8601.", panel=_SHOWING)]
NoPager = Annotated[bool, Option("--no-pager", help="Never use a pager.", panel=_SHOWING)]
Debug = Annotated[bool, Option("--debug", help="Show the traceback of an error.", panel=_SHOWING)]

Thread = Annotated[str, Argument(help="The thread's id.", complete=completion.threads)]
Namespace = Annotated[str | None, Option("--namespace", "-s", metavar="NS", help="A subgraph's path (checkpoint_ns).")]
Reason = Annotated[str | None, Option("--reason", "-r", help="Why, in words: it is recorded.")]
Full = Annotated[bool, Option("--full", help="Show values in all their length.")]
Graph = Annotated[
    str | None,
    Option(
        "--graph",
        metavar="MODULE:ATTR",
        help="The graph whose reducers make values of what was written to its DeltaChannels. Its module is imported.",
    ),
]
Upcasters = Annotated[
    str | None,
    Option(
        "--upcasters",
        metavar="MODULE:ATTR",
        help="The program's ValueUpcasters, which make old values new. Its module is imported.",
    ),
]
Program = Annotated[
    str | None,
    Option(
        "--graph",
        metavar="MODULE:ATTR",
        help="The program's graph: its module imports the types of values, and its saver may have upcasters.",
    ),
]
Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask.")]

_SHARED: dict[str, tuple[Any, Any]] = {
    "store": (StoreUrl, None),
    "schema": (Schema, None),
    "json": (AsJson, False),
    "utc": (Utc, False),
    "no_pager": (NoPager, False),
    "debug": (Debug, False),
}

BEFORE_THE_COMMAND = {"--store": 1, "--schema": 1, "--json": 0, "--utc": 0, "--no-pager": 0, "--debug": 0}
"""The options that may stand in front of a command's name, too, and how many values each takes."""

_HANDED = ("session", "store", "schema", "out")


def with_shared(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options that every command has.

    The first arguments of its function are the open store (`session`) or, if it opens it by itself, its address
    and schema (`store`, `schema`); and where to say what was found (`out`).
    """
    signature = inspect.signature(command, eval_str=True)
    opens = "session" not in signature.parameters
    own = [parameter for name, parameter in signature.parameters.items() if name not in _HANDED]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]

    def run(**given: Any) -> None:
        # Neither help nor completion of a command's name takes the store.
        from eventstore_cli.caller import named  # noqa: PLC0415
        from eventstore_cli.output import Output  # noqa: PLC0415
        from eventstore_views.session import opened  # noqa: PLC0415

        out = Output(json=given["json"], utc=given["utc"], paged=not given["no_pager"])
        rest = {name: value for name, value in given.items() if name not in _SHARED}
        if opens:
            command(given["store"], given["schema"], out, **rest)
            return
        with opened(named(given["store"]), given["schema"]) as session:
            command(session, out, **rest)

    described: Any = run
    described.__doc__ = command.__doc__
    described.__signature__ = signature.replace(
        parameters=[each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in [*own, *shared]]
    )
    return run
