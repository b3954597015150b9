"""`threads`, `log`, `show`, `diff`, `blame`, `tree`, `stats`: what happened, to read and as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branches
from tests.adapters.cli.conftest import RUN, answer
from tests.support.histories import config, hello
from tests.support.shell import Shell


def test_threads_are_listed_the_last_active_first(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).fork("t", "t-fork")
    first, second = shell.ok("threads", "--json").lines
    assert [first["thread"], second["thread"]] == ["t-fork", "t"]
    assert first["parent"] == "t"
    assert second["metadata"] == {"user": "ann"}
    assert second["active_at"].startswith("20")
    head, *rows = shell.ok("threads").out.splitlines()
    assert head.split("\t") == ["THREAD", "EVENTS", "LAST ACTIVE", "BEGUN", "FORKED FROM", "METADATA"]
    assert [row.split("\t")[0] for row in rows] == ["t-fork", "t"]
    (forked, described), (not_forked, own) = (row.split("\t")[4:] for row in rows)
    assert forked.startswith("t at ")
    assert (not_forked, own) == ("", "user=ann")
    assert described in ("", "user=ann")


def test_threads_are_picked_by_prefix_metadata_and_time(shell: Shell, agent: Any) -> None:
    def found(*arguments: str) -> list[str]:
        return [line["thread"] for line in shell.ok("threads", "--json", *arguments).lines]

    assert found("t") == found("--where", "user=ann") == found("--since", "1h") == ["t"]
    assert found("--by-name", "-n", "0") == ["t"]
    assert found("x") == found("--where", "user=bob") == found("--until", "1h") == []
    assert shell("threads", "--where", "user").code == 2


def test_an_empty_store_has_no_threads(shell: Shell, saver: EventStoreSaver) -> None:
    ran = shell.ok("threads")
    assert ran.out == ""
    assert ran.err == "there are no such threads\n"
    assert shell.ok("threads", "--json").out == ""


def test_the_log_shows_each_checkpoint_with_what_it_changed(shell: Shell, agent: Any, ids: list[str]) -> None:
    head, *rows = shell.ok("log", "t").out.splitlines()
    assert head.split("\t") == ["ID", "", "STEP", "SAVED", "NODE", "RUN", "SIZE", "NAMESPACE", "CHANGES"]
    assert [row.split()[0] for row in rows] == [id_[-6:] for id_ in reversed(ids)]
    assert "●⏸" in rows[0]
    assert "search, write" in rows[0]
    assert str(RUN)[:8] in rows[0]
    assert 'messages +1 (ai: "Answer 1")' in rows[1]
    assert "(input)" in rows[-1]


def test_the_log_as_json_is_the_timeline(shell: Shell, agent: Any, ids: list[str]) -> None:
    lines = shell.ok("log", "t", "--json").lines
    assert [line["id"] for line in lines] == ids[::-1]
    assert lines[0]["step"] == 2
    assert [line["id"] for line in shell.ok("log", "t", "-n", "2", "--json").lines] == ids[:1:-1]
    assert shell.ok("log", "t", "--since", "1h", "-n", "0", "--json").lines == lines
    assert shell.ok("log", "t", "--since", "2199-01-01", "--json").lines == []


def test_the_log_says_that_there_is_more(shell: Shell, agent: Any) -> None:
    assert "-n 0 shows all" in shell.ok("log", "t", "-n", "1").err


def test_times_are_shown_in_utc_if_asked_for(shell: Shell, agent: Any) -> None:
    assert shell.ok("log", "t", "-n", "1", "--utc").out.splitlines()[1].split("\t")[3].endswith("Z")


def test_subgraphs_are_shown_with_their_namespaces(shell: Shell, saver: EventStoreSaver) -> None:
    def inner(state: Any) -> Any:
        return {"messages": [("ai", "inside")]}

    subgraph = StateGraph(MessagesState).add_node(inner).add_edge(START, "inner").compile(checkpointer=True)
    builder = StateGraph(MessagesState).add_node("outer", subgraph).add_edge(START, "outer")
    graph: Any = builder.compile(checkpointer=saver)
    graph.invoke(hello(), config("t"))
    only = {line["namespace"] for line in shell.ok("log", "t", "--json").lines}
    every = {line["namespace"] for line in shell.ok("log", "t", "--all", "--json").lines}
    assert only == {""}
    assert every == {"", "outer"}
    assert "NAMESPACE" in shell.ok("log", "t", "--all").out
    assert {line["namespace"] for line in shell.ok("log", "t", "-s", "outer", "--json").lines} == {"outer"}
    assert shell.ok("show", "t", "-s", "outer", "--json").document["namespace"] == "outer"


def test_show_tells_where_a_thread_stands(shell: Shell, agent: Any, ids: list[str]) -> None:
    ran = shell.ok("show", "t").out
    assert ids[-1] in ran
    assert "next\task" in ran
    assert "[0] human: Hello" in ran
    assert "ask interrupted __interrupt__" in ran
    assert "Is it good?" in ran


def test_show_as_json_has_values_and_what_is_pending(shell: Shell, agent: Any, ids: list[str]) -> None:
    found = shell.ok("show", "t", "--json").document
    assert found["id"] == ids[-1]
    assert found["parent"] == ids[-2]
    assert found["next"] == ["ask"]
    assert found["run"] == str(RUN)
    assert found["channels"]["files"] == {"/1.txt": "text"}
    assert found["channels"]["messages"][0]["$type"] == "langchain_core.messages.human.HumanMessage"
    assert found["pending"][0]["channel"] == "__interrupt__"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("@", -1),
        ("HEAD", -1),
        ("~1", -2),
        ("@~2", -3),
        ("step:0", 1),
        ("step:-1", 0),
        ("step:2~1", -2),
        ("2199-01-01", -1),
    ],
)
def test_a_checkpoint_is_found_by_its_name(shell: Shell, agent: Any, ids: list[str], name: str, place: int) -> None:
    assert shell.ok("show", "t", name, "--json").document["id"] == ids[place]


def test_a_checkpoint_is_found_by_its_end_and_by_its_beginning(shell: Shell, agent: Any, ids: list[str]) -> None:
    for id_ in ids:
        assert shell.ok("show", "t", id_, "--json").document["id"] == id_
        assert shell.ok("show", "t", id_[-6:], "--json").document["id"] == id_
        assert shell.ok("show", "t", id_[:-4], "--json").document["id"] == id_
    assert shell.ok("show", "t", f"{ids[2][-6:]}~1", "--json").document["id"] == ids[1]


def test_an_ambiguous_name_is_refused_with_its_candidates(shell: Shell, agent: Any, ids: list[str]) -> None:
    ran = shell("show", "t", ids[0][:5])
    assert ran.code == 2
    assert all(id_ in ran.err for id_ in ids)
    assert ran.err.count("\n") == 1


def test_show_as_of_a_time(shell: Shell, agent: Any, ids: list[str]) -> None:
    at = shell.ok("show", "t", ids[1], "--json").document["saved_at"]
    assert shell.ok("show", "t", "--at", at, "--json").document["id"] == ids[1]
    assert shell("show", "t", "--at", "2001-01-01").code == 3


def test_show_one_channel(shell: Shell, agent: Any) -> None:
    assert shell.ok("show", "t", "-c", "count").out == "count = 1\n"
    assert shell.ok("show", "t", "-c", "count", "--json").document["channels"] == {"count": 1}
    ran = shell("show", "t", "-c", "nothing")
    assert ran.code == 3
    assert "it has count, files, messages" in ran.err


def test_diff_without_checkpoints_is_the_last_step(shell: Shell, agent: Any, ids: list[str]) -> None:
    ran = shell.ok("diff", "t").out
    assert ran.splitlines()[0].startswith(f"--- t {ids[-2][-6:]}")
    assert ran.splitlines()[1].startswith(f"+++ t {ids[-1][-6:]}")
    assert '+   [2]: ai: "found 1"' in ran
    assert shell.ok("diff", "t", "--json").document["after"]["id"] == ids[-1]


def test_diff_between_two_of_some_channels(shell: Shell, agent: Any, ids: list[str]) -> None:
    found = shell.ok("diff", "t", "step:0", "step:2", "-c", "files", "--json").document
    assert [found["before"]["id"], found["after"]["id"]] == [ids[1], ids[3]]
    assert [channel["channel"] for channel in found["channels"]] == ["files"]
    assert shell.ok("diff", "t", "~1", "--json").document["before"]["id"] == ids[-2]


def test_diff_tells_by_its_exit_code_whether_they_differ(shell: Shell, agent: Any) -> None:
    assert shell("diff", "t", "--exit-code").code == 1
    same = shell("diff", "t", "@", "@", "--exit-code")
    assert same.code == 0
    assert "no channel differs" in same.out


def test_diff_of_two_threads(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).fork("t", "fork")
    answer(agent, "fork")
    found = shell.ok("diff", "t", "@", "@", "--with", "fork", "--json").document
    assert [found["before"]["thread"], found["after"]["thread"]] == ["t", "fork"]
    assert [channel["channel"] for channel in found["channels"]] == ["messages"]
    assert "+++ fork" in shell.ok("diff", "t", "--with", "fork").out


def test_blame_tells_who_put_each_item_there(shell: Shell, agent: Any, ids: list[str]) -> None:
    head, *rows = shell.ok("blame", "t", "messages").out.splitlines()
    assert head.split() == ["ID", "STEP", "SAVED", "NODE", "RUN", "ITEM", "VALUE"]
    assert len(rows) == 4
    assert rows[1].split()[0] == ids[2][-6:]
    assert "model" in rows[1]
    found = shell.ok("blame", "t", "messages", "--json").lines
    assert [line["writers"][0]["node"] for line in found][1:] == ["model", "search", "write"]


def test_blame_of_one_item_tells_what_stood_there_before(shell: Shell, agent: Any) -> None:
    assert "nothing stood there before" in shell.ok("blame", "t", "files", "/1.txt").out
    assert shell.ok("blame", "t", "messages", "-1", "--json").document["value"]["fields"]["content"] == "wrote 1"
    assert shell.ok("blame", "t", "messages", "ai-1").out.splitlines()[1].endswith('ai: "Answer 1"')
    assert shell.ok("blame", "t", "messages", "0", "--at", "step:0", "--json").document["step"] == 0
    answer(agent)
    agent.invoke(hello(2), config("t"))
    [count] = shell.ok("blame", "t", "count", "--json").lines
    assert (count["before"], count["value"]) == (1, 2)
    assert shell("blame", "t", "messages", "99").code == 3
    assert shell("blame", "t", "nothing").code == 3


def test_the_tree_shows_forks_branches_and_heads(
    shell: Shell, agent: Any, ids: list[str], saver: EventStoreSaver
) -> None:
    branches = Branches(saver.checkpoints)
    branches.fork("t", "fork", name="what if", reason="to see")
    answer(agent, "fork")
    saver.checkpoints.rollback("t", back=1)
    ran = shell.ok("tree", "t").out
    assert ran.splitlines()[0].startswith("t  3 checkpoints")
    assert "● HEAD" in ran.splitlines()[0]
    assert "fork “what if”" in ran
    assert "to see" in ran
    [trunk] = shell.ok("tree", "t", "--json").document
    [fork] = trunk["children"]
    assert (trunk["thread"], trunk["tip"], trunk["current"]) == ("t", ids[-2], True)
    assert (fork["thread"], fork["name"], fork["reason"], fork["forked"]) == ("fork", "what if", "to see", True)


def test_the_tree_shows_what_is_unreachable(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    saver.checkpoints.rollback("t", back=1)
    assert "unreachable" in shell.ok("tree", "t").out
    [trunk] = shell.ok("tree", "t", "--json").document
    assert [child["shown"] for child in trunk["children"]] == [False]


def test_statistics_of_the_store_and_of_a_thread(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).fork("t", "fork")
    store, thread, fork = (shell.ok("stats", *arguments, "--json").document for arguments in ([], ["t"], ["fork"]))
    events = len([*saver.store.feed()])
    assert (store["threads"], store["forks"], store["events"]) == (2, 1, events)
    assert store["disk"] > 0
    assert (thread["events"], thread["checkpoints"]) == (events - 1, 4)
    assert (fork["events"], fork["checkpoints"]) == (events, 4)
    assert sum(topic["events"] for topic in store["topics"].values()) == events
    assert "checkpoint.saved" in shell.ok("stats").out
    assert shell("stats", "nobody").code == 3


@pytest.mark.parametrize("command", ["log", "show", "diff", "tree", "stats", "verify"])
def test_a_thread_that_does_not_exist_is_not_found(shell: Shell, saver: EventStoreSaver, command: str) -> None:
    ran = shell(command, "nobody")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("eventstore: ")
    assert "'nobody'" in ran.err
    assert ran.err.count("\n") == 1
