"""`show`, `log`, `diff`, `blame` of channels of which only the writes are stored, and what `--graph` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.adapters.cli.conftest import offer_modules
from tests.support.deltas import telling
from tests.support.histories import config
from tests.support.shell import Shell
from tests.support.stories import counting, delta_state

SCRIPT: list[dict[str, Any]] = [
    {
        "left": {"messages": [AIMessage("Hello", id="hello")], "files": {"/a": "one", "/b": "two"}},
        "right": {"messages": [AIMessage("Me too", id="me-too")]},
    },
    {"left": {"messages": [RemoveMessage(id="hello")], "files": {"/b": None}}, "right": {"files": {"/a": "1"}}},
]

MODULE = """
from tests.support.stories import counting, delta_state
from tests.support.deltas import telling

print("this is said when it is imported")
builder = telling()
graph = builder.compile()
counter = counting(delta_state(50))().compile()
number = 42

def make():
    return builder.compile()

def make_for(user):
    return builder.compile()

async def make_later():
    return builder.compile()

def fail():
    raise RuntimeError("no model")
"""


@pytest.fixture
def told(saver: EventStoreSaver) -> None:
    """Thread `t`, whose messages and files are DeltaChannels."""
    graph = telling().compile(checkpointer=saver)
    graph.invoke({"messages": [HumanMessage("Go", id="go")], "script": SCRIPT}, config(), durability="sync")


@pytest.fixture
def counted(saver: EventStoreSaver) -> None:
    """Thread `c`, whose log is a DeltaChannel of a shape that is not known."""
    graph = counting(delta_state(50))().compile(checkpointer=saver)
    graph.invoke({"log": ["in"], "step": 3}, config("c"), durability="sync")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with graphs, where Python finds them."""
    offer_modules(
        tmp_path,
        monkeypatch,
        some_graphs=MODULE,
        broken_graphs="raise ValueError('no key')",
        needy_graphs="import a_package_that_is_not_there",
    )


@pytest.mark.parametrize(
    ("options", "messages", "files"),
    [((), "messages by id", "dicts by key"), (("--graph", "some_graphs:graph"), *["the graph's reducer"] * 2)],
)
def test_their_values_are_shown_with_the_rule_that_made_them(
    told: None, shell: Shell, options: tuple[str, ...], messages: str, files: str
) -> None:
    shown = shell("show", "t", *options).out
    assert f"messages  list of 2 (folded by {messages})" in shown
    assert "[1] ai: Me too" in shown
    assert f'files = {{"/a": "1"}} (folded by {files})' in shown
    found = shell("show", "t", "--json", *options).document
    assert (found["channels"]["files"], found["replayed"]) == ({"/a": "1"}, [])
    assert found["folded"] == {"messages": messages, "files": files}
    assert shell("show", "t", "~2", "-c", "files", "--json", *options).document["channels"] == {
        "files": {"/a": "one", "/b": "two"}
    }
    assert shell("show", "t", "--at", "0s", "--json", *options).document["folded"] == found["folded"]

    log = shell("log", "t", *options).out
    assert "files ~1 /a -1 /b" in log or "files -1 /b ~1 /a" in log
    assert f"folded by {messages}" in log.splitlines()[-1]
    assert {
        change["folded"]
        for line in shell("log", "t", "--json", *options).lines
        for change in line["changes"]
        if change["channel"] == "files"
    } == {files}

    difference = shell("diff", "t", "~2", *options).out
    assert '-   [1]: ai: "Hello"' in difference
    assert "written (only" not in difference
    assert difference.splitlines()[-1] == f"files: folded by {files}; messages: folded by {messages}"

    origins = shell("blame", "t", "files", "--json", *options).lines
    [origin] = origins
    assert (origin["writers"][0]["node"], origin["step"], origin["before"]) == ("right", 4, "one")
    assert origin["folded"] == files
    blame = shell("blame", "t", "messages", *options).out
    assert [row.split()[4] for row in blame.splitlines()[1:-1]] == ["__start__", "right"]


def test_what_was_removed_names_who_removed_it(told: None, shell: Shell) -> None:
    [origin] = shell.ok("blame", "t", "files", "/b", "--json").lines
    assert ("value" in origin, origin["before"], origin["writers"][0]["node"]) == (False, "two", "left")
    assert "(removed)" in shell.ok("blame", "t", "messages", "hello").out
    assert shell("blame", "t", "files", "/c").code == 3


def test_of_an_unknown_shape_it_is_said_that_only_the_writes_are_there(counted: None, shell: Shell) -> None:
    assert "log  only the writes are stored" in shell.ok("show", "c").out
    assert shell.ok("show", "c", "--json").document["replayed"] == ["log"]
    assert "only its writes are stored" in shell.ok("diff", "c").out
    refused = shell("show", "c", "-c", "log")
    assert (refused.code, "--graph" in refused.err) == (3, True)
    assert shell("blame", "c", "log", "0").code == 2

    named = ("--graph", "some_graphs:counter")
    assert shell("show", "c", "--json", *named).document["channels"]["log"] == ["in", "3", "4"]
    assert "+   [2]" in shell("diff", "c", *named).out
    [origin] = shell("blame", "c", "log", "-1", "--json", *named).lines
    assert (origin["value"], origin["writers"][0]["node"]) == ("4", "count")


def test_a_function_without_arguments_is_called_for_the_graph(told: None, shell: Shell) -> None:
    found = shell("show", "t", "--graph", "some_graphs:make", "--json")
    assert found.document["folded"]["files"] == "the graph's reducer"


def test_nothing_is_imported_unless_it_is_named(told: None, shell: Shell) -> None:
    """A process of its own has no class of the thread's values, and needs none."""
    ran = shell.process("show", "t", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.document["folded"] == {"messages": "messages by id", "files": "dicts by key"}
    assert ran.document["channels"]["messages"][0]["$type"] == "langchain_core.messages.human.HumanMessage"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("some_graphs", "write module:attribute"),
        (":graph", "write module:attribute"),
        ("nowhere:graph", "no module 'nowhere'"),
        ("nowhere.deep:graph", "no module 'nowhere.deep'"),
        ("needy_graphs:graph", "cannot be imported here: No module named 'a_package_that_is_not_there'"),
        ("broken_graphs:graph", "importing 'broken_graphs' raised ValueError: no key"),
        ("some_graphs:grph", "has no 'grph'; it has counter, graph"),
        ("some_graphs:number", "a int is not a graph"),
        ("some_graphs:builder", "not compiled"),
        ("some_graphs:make_for", "takes 'user'"),
        ("some_graphs:make_later", "asynchronous"),
        ("some_graphs:fail", "raised RuntimeError: no model"),
        ("some_graphs:counter", "the graph has no channel 'files'"),
    ],
)
def test_what_names_no_graph_of_the_thread_is_refused(told: None, shell: Shell, named: str, said: str) -> None:
    ran = shell("blame", "t", "files", "--graph", named)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
