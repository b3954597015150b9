"""Results as a person sees them: on one line in a shell, and as HTML in a notebook, whatever stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from typing import Any, TypedDict

import pytest
from IPython.core.interactiveshell import InteractiveShell
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
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
    used: UsageMetadata = {"input_tokens": 1_200, "output_tokens": 300, "total_tokens": 1_500}

    def work(state: State) -> State:
        said = AIMessage(HOSTILE, usage_metadata=used, response_metadata={"model_name": HOSTILE})
        return {"text": state["text"] + "!", "items": [*state["items"], said]}

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
        "usage": history.usage(by=["thread", "model"]),
        "spent": history.usage(by=["thread", "model"]).rows[0],
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


@pytest.mark.parametrize("name", ["page", "tree", "diff", "compared", "usage", "spent"])
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


def test_a_notebook_shows_what_was_spent_with_its_total(told: dict[str, Any]) -> None:
    report: projections.UsageReport = told["usage"]
    html = report._repr_html_()
    assert html.count("<tr>") == len(report.rows) + 2
    assert "&lt;i&gt;thread" in html
    assert "<td>total</td><td></td><td>3</td><td>3,600</td><td>900</td><td>0 + ?</td>" in html
    assert "<th>cost (USD)</th>" in html
    assert "<td>3</td>" in replace(report, by=(), rows=[]).total._repr_html_()


NOTEBOOK = """
from langchain_core.messages import AIMessage
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.graph import START, MessagesState, StateGraph

store = EventStoreSaver.from_conn_string(URL)
saver = store.__enter__()
saver
---
used = {"input_tokens": 1_200, "output_tokens": 300, "total_tokens": 1_500}

def answer(state):
    return {"messages": [AIMessage("Noted.", usage_metadata=used, response_metadata={"model_name": "gpt-4o"})]}

graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile(checkpointer=saver)
config = {"configurable": {"thread_id": "thread-1"}}
for text in ("one", "two"):
    graph.invoke({"messages": [("user", text)]}, config)
---
history = saver.history
history.page("thread-1")
---
history.rollback("thread-1", back_turns=1)
history.tree("thread-1")
---
history.diff("thread-1")
---
history.usage(by=["thread", "model"])
---
await history.ausage(by=["day"])
---
history.usage().rows[0]
---
history.points("thread-1")[0]
---
store.__exit__(None, None, None)
"""


def test_a_notebook_is_run_cell_by_cell_and_shows_each_result(url: str) -> None:
    shell = InteractiveShell(user_ns={"URL": url})
    shell.history_manager.enabled = False
    shown: list[dict[str, str]] = []
    for number, cell in enumerate(NOTEBOOK.split("---"), 1):
        done = shell.run_cell(cell.strip())
        assert done.success, done.error_in_exec
        shown.append(shell.display_formatter.format(done.result)[0])
        assert number == len(shown)
    html = [each.get("text/html", "") for each in shown]
    assert [html.index(each) for each in html if each] == [2, 3, 4, 5, 6, 7]
    assert "messages: +1 (ai: &quot;Noted.&quot;)" in html[2]
    assert "unreachable" in html[3]
    assert html[4].startswith("<pre>")
    assert "<td>thread-1</td><td>gpt-4o</td><td>2</td><td>2,400</td><td>600</td>" in html[5]
    assert html[6].startswith("<table>")
    assert shown[8]["text/plain"].startswith("RecoveryPoint(")
    assert shown[0]["text/plain"].startswith("EventStoreSaver(")


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
