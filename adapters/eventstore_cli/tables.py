"""Listings as tables: the columns that fit the screen, the point of each row in any case; and fields for a pipe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console

from eventstore_cli.output import Cell, Output, Text, columns, text_of_cell

_INDENT = 8
_GAP = 2
# What is left of a text that has to be cut tells something.
_SHORTEST = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a listing.

    Attributes:
        name: What it is called.
        rank: 0: it is always shown; the greater, the sooner it is left out where there is no room.
        right: Whether it is aligned at its right.
        point: Whether it is what the listing is for: where it does not fit beside the others, it stands below them,
            whole. Its cells are a line each.
        least: How many characters of the point suffice to cut it off beside the others; 0: it is never cut.
    """

    name: str
    rank: int = 0
    right: bool = False
    point: bool = False
    least: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a listing.

    Attributes:
        cells: A cell for each column that is not the point.
        point: The point of the row, in lines.
    """

    cells: Sequence[Cell]
    point: Sequence[Text] = field(default=())


def table(out: Output, head: Sequence[Column], rows: Sequence[Row]) -> list[Text]:
    """Return a listing as lines: for a screen as wide as it is, for a pipe with a tab between fields and no padding.

    Args:
        out: Where it is shown.
        head: The columns; the point, if there is one, is the last.
        rows: The rows.
    """
    if not rows:
        return []
    if not out.console.is_terminal:
        points = any(each.point for each in head)
        told = [[*row.cells, *([_joined(row)] if points else [])] for row in rows]
        return [fields([each.name for each in head]), *map(fields, told)]
    return _Screen(out.console, head, rows).lines()


def facts(out: Output, rows: Sequence[tuple[str, Cell]]) -> list[Text]:
    """Return names with their values as lines; what is not known is left out."""
    known = [(name, text_of_cell(value)) for name, value in rows if text_of_cell(value).plain]
    if out.console.is_terminal:
        return columns([(Text(name, "dim"), value) for name, value in known])
    return [fields([name, value]) for name, value in known]


class _Screen:
    """A listing on a screen."""

    def __init__(self, console: Console, head: Sequence[Column], rows: Sequence[Row]) -> None:
        self._console = console
        self._head = [each for each in head if not each.point]
        self._point = next((each for each in head if each.point), None)
        self._rows = rows
        filled = [at for at in range(len(self._head)) if any(text_of_cell(row.cells[at]).plain for row in rows)]
        self._widths = {at: max(map(cell_len, [self._head[at].name, *self._of(at)])) for at in filled}
        points = [_joined(row).cell_len for row in rows]
        self._point_width = max(cell_len(self._point.name), *points) if self._point and any(points) else 0
        self._point_least = min(self._point_width, self._point.least) if self._point and self._point.least else 0

    def lines(self) -> list[Text]:
        """Return the lines: the point beside the other columns, if it fits there; or else below."""
        kept = [*self._widths]
        needed = self._point_least or self._point_width
        # Where it fits beside what is never left out, it costs less than a line for each row.
        least = [at for at in kept if not self._head[at].rank]
        beside = bool(needed) and (bool(self._point_least) or self._total(least, needed) <= self._console.width)
        while self._total(kept, needed * beside) > self._console.width and (last := self._last(kept)) is not None:
            kept.remove(last)
        if self._point_least:
            room = self._console.width - self._total(kept, 1) + 1
            self._point_width = min(self._point_width, max(room, self._point_least))
        return self._shown(kept, beside=beside)

    def _last(self, kept: Collection[int]) -> int | None:
        ranked = [at for at in kept if self._head[at].rank]
        return max(ranked, key=lambda at: (self._head[at].rank, at), default=None)

    def _total(self, kept: Collection[int], point: int = 0) -> int:
        widths = [*(self._widths[at] for at in kept), *([point] if point else [])]
        return sum(widths) + _GAP * (len(widths) - 1)

    def _shown(self, kept: Sequence[int], *, beside: bool) -> list[Text]:
        limits = self._limits(kept, beside=beside)
        with_point = beside and self._point is not None
        names = [self._head[at].name for at in kept] + ([self._point.name] if with_point and self._point else [])
        cells = [
            [
                *(_cut(row.cells[at], limits[at]) for at in kept),
                *([_cut(_joined(row), self._point_width)] if with_point else []),
            ]
            for row in self._rows
        ]
        right = [place for place, at in enumerate(kept) if self._head[at].right]
        first, *lines = columns(cells, head=names, right=right)
        shown = [first]
        for line, row in zip(lines, self._rows, strict=True):
            shown += [line, *([] if beside else self._below(row))]
        return [*shown, *self._left_out(kept)]

    def _limits(self, kept: Sequence[int], *, beside: bool) -> dict[int, int]:
        """How wide each column may be: the widest give way, if not even the least of them fit."""
        limits = {at: self._widths[at] for at in kept}
        point = self._point_width + _GAP if beside and self._point_width else 0
        room = self._console.width - point - _GAP * (len(kept) - 1)
        while sum(limits.values()) > room and max(limits.values()) > _SHORTEST:
            limits[max(limits, key=lambda at: limits[at])] -= 1
        return limits

    def _below(self, row: Row) -> Iterator[Text]:
        for part in row.point:
            for line in part.wrap(self._console, max(self._console.width - _INDENT, _SHORTEST)):
                yield Text(" " * _INDENT, no_wrap=True).append_text(line)

    def _left_out(self, kept: Collection[int]) -> list[Text]:
        names = [self._head[at].name for at in self._widths if at not in kept]
        return [Text(f"left out for want of room: {', '.join(names)}; --json has all", "dim")] if names else []

    def _of(self, at: int) -> Iterator[str]:
        return (text_of_cell(row.cells[at]).plain for row in self._rows)


def _joined(row: Row) -> Text:
    line = Text()
    for number, part in enumerate(row.point):
        line.append("; " if number else "").append_text(part)
    return line


def fields(cells: Sequence[Cell]) -> Text:
    """A line for a pipe: what follows a tab is the next field, so a tab in a field is spelled out."""
    return Text("\t".join(text_of_cell(cell).plain.replace("\t", r"\t") for cell in cells), no_wrap=True)


def _cut(cell: Cell, width: int) -> Cell:
    text = text_of_cell(cell).copy()
    text.truncate(width, overflow="ellipsis")
    return text
