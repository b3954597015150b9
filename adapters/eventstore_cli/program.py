"""All commands as one program, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from eventstore_cli.commands import auditing, branching, checking, comparing, history, listing, moving, schema
from eventstore_cli.exits import Exit, exit_of
from eventstore_cli.options import BEFORE_THE_COMMAND
from eventstore_cli.output import complain, complain_at_length
from eventstore_views.naming import FORMS

_DISTRIBUTION = "langgraph-checkpoint-eventstore"


class Commands(TyperGroup):
    """The commands. Their errors are one line each, and lead to exit codes."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Run the command line; ends the process."""
        given = [*(sys.argv[1:] if args is None else args)]
        try:
            code = super().main(_command_first(given), *more, **{**extra, "standalone_mode": False})
        except typer.Abort:  # Ctrl-C, or the end of the input, at a question
            code = Exit.INTERRUPTED
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told in one line)
            code = _told(error, debug="--debug" in given)
        sys.exit(code if isinstance(code, int) else Exit.OK)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; the reader of its output may go away at any time."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            # Python flushes once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(Exit.BROKEN_PIPE) from error
        return result


def _told(error: Exception, *, debug: bool) -> int:
    """Say what went wrong; the exit code that it leads to."""
    if debug:
        complain_at_length(error)
    # What is wrong with the arguments themselves is an exception of typer's, which differ between its versions.
    if usage := getattr(error, "format_message", None):
        context = getattr(error, "ctx", None)
        complain(f"{usage().rstrip('.')}. See {context.command_path if context else 'eventstore'} --help")
        return Exit.USAGE
    code = exit_of(error)
    complain(
        f"unexpected {type(error).__name__}: {error} (--debug shows where)" if code is Exit.INTERNAL else str(error)
    )
    return code


def _command_first(given: list[str]) -> list[str]:
    """The arguments with what stands in front of the command's name behind it, where its options are read."""
    at = 0
    while at < len(given) and (option := given[at].partition("="))[0] in BEFORE_THE_COMMAND:
        at += 1 + (BEFORE_THE_COMMAND[option[0]] if not option[1] else 0)
    return [*given[at : at + 1], *given[:at], *given[at + 1 :]] if at < len(given) else given


def _epilog() -> str:
    codes = "\n".join(f"  {code:>3}  {code.meaning}" for code in Exit)
    return f"Exit codes:\n\n{codes}"


program = typer.Typer(
    name="eventstore",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_epilog(),
)


def _show_version(asked: bool) -> None:
    if asked:
        try:
            found = version(_DISTRIBUTION)
        except PackageNotFoundError:  # a checkout
            found = "(not installed)"
        sys.stdout.write(f"eventstore {found}\n")
        raise typer.Exit


@program.callback()
def eventstore(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Git for agent state: what happened to the threads of a store, and any of it back.

    The store is named by --store URL or by the environment variable EVENTSTORE_URL, in front of a command or behind it.
    """


for _group in (listing, history, comparing, branching, moving, auditing, checking, schema):
    _group.add_to(program)


@program.command("help", rich_help_panel="More")
def forms() -> None:
    """How a checkpoint is named."""
    sys.stdout.write(f"{FORMS}\n")
