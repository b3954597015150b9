"""Going through all pages of a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar


class Page(Protocol):
    """One page of a listing."""

    @property
    def next_cursor(self) -> str | None:
        """Leads to the page after it; `None`: this is the last."""
        ...


P = TypeVar("P", bound=Page)


def all_pages(read: Callable[[str | None], P]) -> Iterator[P]:
    """Go through the pages of a listing, each read when it is asked for.

    Args:
        read: Reads the page that a cursor leads to; `None`: the first.
    """
    page = read(None)
    yield page
    while page.next_cursor is not None:
        page = read(page.next_cursor)
        yield page
