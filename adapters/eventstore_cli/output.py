"""The output of commands, in lines for people and in JSON for programs; and their questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import click
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, OverflowMethod, RenderableType
from rich.segment import Segment
from rich.text import Text as RichText

from eventstore_cli.exits import Exit
from eventstore_views import times
from projections.diffing.visible import json_line, printable

Advance = Callable[[str, int, int], None]
"""Tells of progress: what is done now, how much of it, of how much."""

_GAP = 2
# A line of a pipe is as long as it is; where a person looks, it ends at the edge.
_PIPE_WIDTH = 100_000


class Text(RichText):
    """Text of one line for people. Whatever it is made of, a terminal obeys nothing of it: see `printable`."""

    def __init__(
        self, text: str = "", style: str = "", *, no_wrap: bool | None = None, overflow: OverflowMethod | None = None
    ) -> None:
        # Before rich drops some of what a terminal would obey: it is to be seen.
        super().__init__(printable(text), style, no_wrap=no_wrap, overflow=overflow)

    def append(self, text: RichText | str, style: Any = None) -> Self:
        """Add text at the end, in a style."""
        super().append(printable(text) if isinstance(text, str) else text, style)
        return self

    def append_text(self, text: RichText) -> Self:
        """Add styled text at the end."""
        super().append_text(text)
        return self


Cell = str | RichText


class _Console(Console):
    """A console that shows nothing which a terminal would obey, but for its own styles."""

    def on_broken_pipe(self) -> None:
        """Leave it to the program what to do when nobody reads any more: rich would end the process with an error."""
        raise BrokenPipeError

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything, also what was not made of `Text`."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(_printable_lines(text), style)


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


@dataclass
class Output:
    """The output of a command.

    Attributes:
        json: Whether a program reads it: then there is nothing but JSON on standard output.
        utc: Whether times are shown in UTC.
        paged: Whether a pager may be used.
        console: Standard output, for people.
        notes: Standard error.
    """

    json: bool = False
    utc: bool = False
    paged: bool = True
    console: Console = field(default_factory=_console)
    notes: Console = field(default_factory=lambda: _console(stderr=True))

    def __post_init__(self) -> None:
        # A terminal that cannot show a character shows another in its place.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")

    def time(self, moment: datetime | None) -> str:
        """A time to read."""
        return "" if moment is None else times.shown(moment, utc=self.utc)

    def document(self, value: Any) -> None:
        """Say something to a program: one line of JSON."""
        ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
        sys.stdout.write(json_line(value, ensure_ascii=ascii_only) + "\n")

    def text(self, text: str) -> None:
        """Say something to a program in lines of its own."""
        sys.stdout.write(_printable_lines(text))

    def say(self, lines: Iterable[ConsoleRenderable | str]) -> None:
        """Say something to people, through a pager if it is longer than their screen."""
        said = list(lines)
        if self.paged and self.console.is_terminal and sys.stdin.isatty() and self._is_long(said):
            # As git has it: in colour, and gone at once if it fits.
            os.environ.setdefault("LESS", "FRX")
            with self.console.pager(styles=True):
                self._print(said)
        else:
            self._print(said)

    def line(self, line: Text) -> None:
        """Say one line to people, now: they wait for it."""
        line.no_wrap = False
        self._print([line])
        self.flush()

    def flush(self) -> None:
        """Let go of what was said."""
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Say something beside, to people only."""
        if not self.json:
            self.notes.print(Text(text, "dim"), soft_wrap=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask a person whether to go on; end the command if they do not want to, or if there is nobody to ask.

        Args:
            question: What is about to be done.
            yes: Whether that is answered already.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            self.refuse(f"{question} There is nobody to ask: say --yes")
        if not click.confirm(printable(question), err=True):
            self.refuse("nothing was changed")

    def refuse(self, why: str) -> None:
        """End the command without doing anything."""
        complain(why)
        raise click.exceptions.Exit(Exit.DECLINED)

    @contextmanager
    def progress(self) -> Iterator[Advance]:
        """A bar on standard error, if that is a terminal."""
        if not self.notes.is_terminal:
            yield lambda *_: None
            return
        from rich.progress import (  # noqa: PLC0415 (few commands take long)
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.notes,
            transient=True,
        )
        with bar:
            task = bar.add_task("", total=None)
            yield lambda what, done, total: bar.update(task, description=printable(what), completed=done, total=total)

    def _is_long(self, said: Sequence[ConsoleRenderable | str]) -> bool:
        height = self.console.height - 2
        return len(said) > height or sum(map(self._height, said)) > height

    def _height(self, said: ConsoleRenderable | str) -> int:
        return 1 if isinstance(said, Text) and said.no_wrap else len(self.console.render_lines(said))

    def _print(self, said: Iterable[ConsoleRenderable | str]) -> None:
        for each in said:
            # In a pipe a line is what it says: nothing is styled, and a tab is a tab.
            if isinstance(each, RichText) and not self.console.is_terminal:
                self.console.file.write(f"{_printable_lines(each.plain)}\n")
                continue
            # What is aligned is cut off at the edge; anything else goes on in the next line.
            if isinstance(each, Text) and each.no_wrap:
                self.console.print(each, no_wrap=True, overflow="ellipsis")
            else:
                self.console.print(each)


def complain(message: str) -> None:
    """One line on standard error."""
    line = " ".join(printable(message.replace("\n", " ")).split())
    sys.stderr.write(f"eventstore: {line}\n")


def complain_at_length(error: BaseException) -> None:
    """The traceback of an error, on standard error."""
    import traceback  # noqa: PLC0415 (it is asked for by --debug)

    sys.stderr.write(_printable_lines("".join(traceback.format_exception(error))))


def columns(rows: Sequence[Sequence[Cell]], *, head: Sequence[str] = (), right: Iterable[int] = ()) -> list[Text]:
    """Rows as aligned lines; a column that is empty in all of them is left out.

    Args:
        rows: The rows, all of one length.
        head: What the columns are called.
        right: Which are aligned at their right.
    """
    cells = [[text_of_cell(cell) for cell in row] for row in rows]
    kept = [at for at in range(len(cells[0]) if cells else 0) if any(row[at].plain for row in cells)]
    right = set(right)
    if head and rows:
        cells.insert(0, [Text(name, "dim") for name in head])
    widths = {at: max(cell_len(row[at].plain) for row in cells) for at in kept}
    return [_line([(row[at], widths[at], at in right) for at in kept]) for row in cells]


def text_of_cell(cell: Cell) -> RichText:
    """Return the text of a cell."""
    return cell if isinstance(cell, RichText) else Text(cell)


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _line(cells: Iterable[tuple[RichText, int, bool]]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for cell, width, is_right in cells:
        room = " " * (width - cell_len(cell.plain))
        line.append(room if is_right else "")
        line.append_text(cell)
        line.append(" " * _GAP if is_right else room + " " * _GAP)
    line.rstrip()
    return line
