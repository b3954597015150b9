"""All commands as one program, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from eventstore_cli.exits import Exit, exit_of
from eventstore_cli.options import BEFORE_THE_COMMAND
from eventstore_cli.table import PANELS, TABLE, load

_DISTRIBUTION = "langgraph-checkpoint-eventstore"
_NAME = "eventstore"


class Program(click.Group):
    """The commands, each imported when it is called. Their errors are one line each, and lead to exit codes."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run the command line; ends the process."""
        given = [*(sys.argv[1:] if args is None else args)]
        try:
            code = super().main(given or ["--help"], prog_name or _NAME, **{**extra, "standalone_mode": False})
        except (click.Abort, KeyboardInterrupt):  # Ctrl-C, or the end of the input, at a question
            code = Exit.INTERRUPTED
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told in one line)
            code = _told(error, debug="--debug" in given)
        sys.exit(code if isinstance(code, int) else Exit.OK)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; also those of a line that is to be completed."""
        return super().parse_args(ctx, _command_first(args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the reader of its output may go away at any time."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            # Python flushes once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(Exit.BROKEN_PIPE) from error
        except KeyboardInterrupt as error:  # click would end the line that is under way
            raise click.exceptions.Exit(Exit.INTERRUPTED) from error
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return [*TABLE, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        return load(cmd_name) if cmd_name in TABLE else super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, or say which one may have been meant."""
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {args[0]!r}{_meant(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands under their headings, without importing them."""
        told = [(name, entry.panel, entry.line) for name, entry in TABLE.items()]
        told += [(name, PANELS[-1], each.get_short_help_str(200)) for name, each in self.commands.items()]
        for panel in PANELS:
            with formatter.section(panel):
                formatter.write_dl([(name, line) for name, of, line in told if of == panel])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), code.meaning) for code in Exit])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the names of commands, without importing them; and options."""
        lines = {name: entry.line for name, entry in TABLE.items()}
        names = [
            CompletionItem(name, help=lines.get(name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def _told(error: Exception, *, debug: bool) -> int:
    """Say what went wrong; the exit code that it leads to."""
    from eventstore_cli.output import complain, complain_at_length  # noqa: PLC0415 (most runs end well)

    if debug:
        complain_at_length(error)
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        message = error.format_message().rstrip(".")
        stop = "" if message.endswith("?") else "."
        complain(f"{message}{stop} See {context.command_path if context else _NAME} --help")
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


def _meant(name: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 (few mistype)

    close = get_close_matches(name, names)
    return f". Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (it takes as long as all else)

        try:
            found = version(_DISTRIBUTION)
        except PackageNotFoundError:  # a checkout
            found = "(not installed)"
        sys.stdout.write(f"{_NAME} {found}\n")
        ctx.exit()


program = Program(
    _NAME,
    help="""Git for agent state: what happened to the threads of a store, and any of it back.

    The store is named by --store URL or by the environment variable EVENTSTORE_URL, in front of a command or behind it.
    `eventstore help COMMAND` tells more of a command.
    """,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)


@program.command("help")
@click.argument("command", required=False)
@click.pass_context
def tell(ctx: click.Context, command: str | None) -> None:
    """Tell more of a command; without one, how a checkpoint is named."""
    if command is None:
        from eventstore_views.naming import FORMS  # noqa: PLC0415 (it takes the store)

        sys.stdout.write(f"{FORMS}\n")
        return
    assert ctx.parent is not None
    _, found, _ = program.resolve_command(ctx.parent, [command])
    assert found is not None
    with click.Context(found, ctx.parent, command) as of:
        sys.stdout.write(f"{found.get_help(of)}\n")


_SHELLS = ("bash", "zsh", "fish")


@program.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print what a shell's configuration needs for completion on Tab: bash, zsh or fish."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 (see the top)

    made = get_completion_class(shell)
    assert made is not None
    sys.stdout.write(f"{made(program, {}, _NAME, '_EVENTSTORE_COMPLETE').source()}\n")
