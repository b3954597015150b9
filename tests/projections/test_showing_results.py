"""Results as a person sees them: on one line in a shell, and as HTML in a notebook, whatever stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

import eventstore
import projections
from eventstore.by_fields import ByFields, OnOneLine
from langgraph.checkpoint.eventstore import EventStoreSaver, moving

HOSTILE = "<script>alert('&')</script>\n\x1b[31m" * 20
# What a caller makes, or what is a few short fields.
SHORT = {
    "Price",
    *(
        "Before",
        "CheckpointId",
        "ChannelChange",
        "Edit",
        "Forked",
        "Line",
        "Moved",
        "MovingFrom",
        "Progress",
        "Promoted",
    ),
    *("PruneReport", "Statistics", "TopicStatistics", "Verification"),
}


class State(TypedDict, total=False):
    text: str
    items: list[Any]


class Shelf:
    """A value that writes itself on several lines."""

    def __repr__(self) -> str:
        return "a shelf\nwith two lines"


@pytest.fixture
def told(saver: EventStoreSaver) -> dict[str, Any]:
    """All that a history tells of a thread and its fork, which hold what no line and no page should have as it is."""

    def work(state: State) -> State:
        return {"text": state["text"] + "!", "items": [*state["items"], HOSTILE]}

    graph = StateGraph(State).add_node("<b>work", work).add_edge(START, "<b>work").compile(checkpointer=saver)
    history = saver.history
    for name in ("<i>thread", "other"):
        graph.invoke({"text": HOSTILE, "items": [HOSTILE] * 50}, {"configurable": {"thread_id": name}})
    latest = history.points("<i>thread")[0]
    history.rollback("<i>thread", back=1, reason="<u>reason")
    history.fork("<i>thread", "fork", name="<a>name")
    graph.invoke(None, {"configurable": {"thread_id": "fork"}})
    history.switch("<i>thread", latest)
    return {
        "page": history.page("<i>thread"),
        "tree": history.tree("<i>thread"),
        "diff": history.diff("<i>thread"),
        "compared": history.compare("<i>thread", "fork"),
        "points": history.points("<i>thread"),
        "stalled": history.stalled(),
        "blame": history.blame("<i>thread", "items"),
        "audit": history.audit.query(),
        "check": history.check("<i>thread"),
        "state": history.state("<i>thread"),
        "events": [*saver.store.read("<i>thread")],
        "feed": [*saver.store.feed()],
        "streams": saver.store.streams(),
    }


def results(value: Any) -> Iterator[OnOneLine]:
    """All results in a value."""
    if isinstance(value, OnOneLine):
        yield value
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        for each in value:
            yield from results(each)


def test_a_result_is_shown_on_one_line(told: dict[str, Any]) -> None:
    found = [*results(told)]
    assert {"TimelineEntry", "Branch", "CheckpointDiff", "Origin", "Event", "AuditEntry", "Report"} <= {
        type(each).__name__ for each in found
    }
    for each in found:
        assert len(repr(each)) <= 120
        assert repr(each).isprintable()
        assert repr(each).startswith(type(each).__name__)


def test_a_line_tells_what_is_there_and_leaves_out_what_is_empty() -> None:
    change = projections.ChannelDiff("items", "added", after=[Shelf(), *range(10)])
    assert (
        repr(change)
        == "ChannelDiff(channel='items', kind='added', before=ABSENT, after=[a shelf\\nwith two lines, 0, 1, ...])"
    )


@pytest.mark.parametrize("package", [eventstore, projections, moving])
def test_every_result_that_can_be_long_is_shown_on_one_line(package: Any) -> None:
    public = [getattr(package, name) for name in package.__all__]
    kinds = {each for each in public if isinstance(each, type) and is_dataclass(each)}
    assert not {
        each.__name__ for each in kinds if not issubclass(each, OnOneLine | ByFields) and each.__name__ not in SHORT
    }


@pytest.mark.parametrize("name", ["page", "tree", "diff", "compared"])
def test_a_notebook_shows_a_result_as_html_in_which_nothing_is_but_text(name: str, told: dict[str, Any]) -> None:
    html = told[name]._repr_html_()
    seen = Tags()
    seen.feed(html)
    assert seen.tags <= {"b", "br", "li", "pre", "span", "table", "tbody", "td", "th", "thead", "tr", "ul"}
    assert not seen.attributes - {"style"}
    assert "\x1b" not in html
    assert "".join(seen.texts).strip()


def test_a_notebook_shows_where_branches_are_and_what_changed(told: dict[str, Any]) -> None:
    tree, page = told["tree"]._repr_html_(), told["page"]._repr_html_()
    assert "&lt;a&gt;name" in tree
    assert "HEAD" in tree
    assert told["tree"][0]._repr_html_() in tree
    assert "&lt;b&gt;work" in page
    [items, text] = told["diff"].channels
    assert items.channel == "items"
    assert "color: #388e3c" in items._repr_html_() + text._repr_html_()


class Tags(HTMLParser):
    """The elements of HTML, their attributes, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)
