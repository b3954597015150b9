"""`usage`: what the models of runs took."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.metered import Bill, MeteredModel
from tests.support.shell import Shell


@pytest.fixture
def bill(saver: EventStoreSaver) -> Bill:
    """Return the bill of two threads, each with a message of a model that has a price, and of one that has none."""
    bill = Bill()
    known, unknown = MeteredModel(bill=bill, named="gpt-4o-2024-08-06"), MeteredModel(bill=bill, named="mine")
    builder: Any = StateGraph(MessagesState)
    builder.add_node("think", lambda state: {"messages": [known.invoke(state["messages"])]})
    builder.add_node("say", lambda state: {"messages": [unknown.invoke(state["messages"])]})
    builder.add_edge(START, "think")
    builder.add_edge("think", "say")
    graph = builder.compile(checkpointer=saver)
    for thread, user in (("a", "ann"), ("b", "bob")):
        about = {"configurable": {"thread_id": thread}, "metadata": {"user": user, "team": "red"}}
        graph.invoke({"messages": [("user", "hello")]}, about)
    return bill


def test_it_is_shown_by_model_with_what_is_known_of_the_money(shell: Shell, bill: Bill) -> None:
    ran = shell.ok("usage")
    head, *rows = ran.out.splitlines()
    assert head.split("\t") == ["MODEL", "MESSAGES", "INPUT", "CACHED", "OUTPUT", "COST USD"]
    assert [row.split("\t")[0] for row in rows] == ["gpt-4o-2024-08-06", "mine", "all"]
    assert rows[1].endswith("unknown")
    assert "more than" in rows[2]
    assert "2 messages of models without a price: --prices gives one" in ran.err
    assert "prices as of 2026-11-29" in ran.err


def test_a_program_reads_all_of_it(shell: Shell, bill: Bill) -> None:
    document = shell.ok("usage", "--by", "thread, user", "--json").document
    assert document["by"] == ["thread", "user"]
    assert {(row["thread"], row["user"]) for row in document["rows"]} == {("a", "ann"), ("b", "bob")}
    total = document["total"]
    counted = ("messages", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    assert tuple(total[name] for name in counted) == bill.sums
    assert (total["cost"], total["unpriced"], document["currency"]) == (None, 2, "USD")
    assert Decimal(total["known_cost"]) > 0


@pytest.mark.parametrize(
    ("filters", "messages"),
    [
        (["--thread", "a"], 2),
        (["--node", "say"], 2),
        (["--model", "mine"], 2),
        (["--user", "ann"], 2),
        (["--user", "red", "--user-key", "team"], 4),
        (["--since", "1h"], 4),
        (["--until", "1h"], 0),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else None,
)
def test_messages_are_picked(shell: Shell, bill: Bill, filters: list[str], messages: int) -> None:
    assert shell.ok("usage", "--json", *filters).document["total"]["messages"] == messages


def test_prices_are_given_in_a_file(shell: Shell, bill: Bill, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"mine": {"input": 0.1, "output": "2.5"}, "gpt-4o": {"input": 1, "output": 1}}')
    total = shell.ok("usage", "--prices", str(file), "--model", "mine", "--json").document["total"]
    into, out = total["input_tokens"], total["output_tokens"]
    assert Decimal(total["cost"]) == (into * Decimal("0.1") + out * Decimal("2.5")) / 10**6
    assert shell.ok("usage", "--prices", str(file)).err == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no", "is no JSON"),
        ("[]", "prices are a JSON object"),
        ('{"mine": {"input": 1}}', "no object with input and output"),
        ('{"mine": 3}', "no object with input and output"),
        ('{"mine": {"input": "-1", "output": 1}}', "not negative"),
        ('{"mine": {"input": NaN, "output": 1}}', "the input price is nan"),
    ],
)
def test_other_prices_are_refused(shell: Shell, bill: Bill, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)
    ran = shell("usage", "--prices", str(file))
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_what_cannot_be_asked_is_refused(shell: Shell, bill: Bill, tmp_path: Path) -> None:
    assert "use some of thread, run, node, model, user, day" in shell("usage", "--by", "modle").err
    assert "no thread 'x'" in shell("usage", "--thread", "x").err
    assert "there are no prices in" in shell("usage", "--prices", str(tmp_path / "none.json")).err


def test_where_nothing_was_taken_it_says_so(shell: Shell, agent: Any) -> None:
    ran = shell.ok("usage")
    assert (ran.out, ran.err) == ("", "no model has taken anything\n")
    assert json.loads(shell.ok("usage", "--json").out)["rows"] == []
