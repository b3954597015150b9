"""HTML for notebooks: tables, trees, and differences in colours. All text is made visible and escaped here.

Whatever stands in a state may be HTML itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from eventstore.tuples import NamedTuple
from projections.diffing.visible import printable

# On light and on dark ground.
_COLOURS = {"-": "#d32f2f", "+": "#388e3c", "~": "#1976d2", " ": "inherit"}


class Node(NamedTuple):
    """A node of a tree.

    Attributes:
        title: The text that it begins with, in bold.
        text: What else there is to say.
        children: The nodes below it.
    """

    title: str
    text: str
    children: Sequence[Node] = ()


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells below the names of their columns."""
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def tree(nodes: Iterable[Node]) -> str:
    """Nested lists."""
    found = (
        f"<li><b>{_text(node.title)}</b> {_text(node.text)}{tree(node.children) if node.children else ''}</li>"
        for node in nodes
    )
    return f"<ul>{''.join(found)}</ul>"


def signed(title: str, lines: Iterable[tuple[str, str]]) -> str:
    """Lines with their signs, coloured by these."""
    shown = [f'<span style="color: {_COLOURS[sign]}">{_text(line)}</span>' for sign, line in lines]
    return "<pre>" + "\n".join([f"<b>{_text(title)}</b>", *(shown or ["no difference"])]) + "</pre>"


def _text(text: str) -> str:
    return "<br>".join(escape(printable(line)) for line in text.split("\n"))
