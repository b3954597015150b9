"""Trains a compression dictionary for small payloads, on what agents of several kinds really store.

    python benchmarks/train_dictionary.py 2

writes `eventstore/codec/dictionaries/2.zdict` and tells what it saves on threads that it was not trained on. A
published dictionary is never replaced: stored payloads name theirs by number. To use a new one for what is written
from then on, raise the number in `eventstore/codec/envelope.py`.
"""

from __future__ import annotations

import json
import pydoc_data.topics
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Send, interrupt

from eventstore.codec.envelope import unseal
from langgraph.checkpoint.eventstore import EventStoreSaver

SIZE = 16 * 1024
FOLDER = Path(__file__).parent.parent / "eventstore" / "codec" / "dictionaries"
ALL_SENTENCES = re.split(r"(?<=[.:])\s+", " ".join(pydoc_data.topics.topics.values()))
SENTENCES: list[str] = []
TOOLS = {
    "web_search": ("query", "max_results", "topic"),
    "read_file": ("path", "offset", "limit"),
    "write_file": ("path", "content"),
    "edit_file": ("path", "old_string", "new_string", "replace_all"),
    "run_command": ("command", "timeout", "cwd"),
    "get_weather": ("city", "unit"),
    "sql_query": ("sql", "parameters"),
    "write_todos": ("todos",),
    "send_email": ("to", "subject", "body"),
    "calculator": ("expression",),
}
MODELS = [
    ("openai", "gpt-4.1-2025-04-14"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-opus-4-1"),
    ("google_genai", "gemini-2.5-pro"),
]


class State(MessagesState):
    """The state that agents keep besides their messages."""

    todos: list[dict[str, str]]
    files: dict[str, str]
    step_count: int
    remaining_steps: int
    structured_response: dict[str, object]


def text(chance: random.Random, sentences: int) -> str:
    """Some sentences of Python's own documentation."""
    return " ".join(chance.choices(SENTENCES, k=sentences))


def hexadecimal(chance: random.Random, digits: int) -> str:
    return f"{chance.getrandbits(digits * 4):0{digits}x}"


def call(chance: random.Random) -> AIMessage:
    """A model's answer that calls tools, with the metadata that providers attach."""
    provider, model = chance.choice(MODELS)
    tools = chance.sample(sorted(TOOLS), k=chance.choice((1, 1, 2)))
    calls = [
        {
            "name": tool,
            "args": {name: text(chance, 1) for name in TOOLS[tool]},
            "id": f"{'toolu_01' if provider == 'anthropic' else 'call_'}{hexadecimal(chance, 22)}",
            "type": "tool_call",
        }
        for tool in tools
    ]
    return AIMessage(
        content=text(chance, 1) if chance.random() < 0.4 else "",
        tool_calls=calls,
        id=f"run--{hexadecimal(chance, 32)}",
        **metadata(chance, provider, model, "tool_use" if provider == "anthropic" else "tool_calls"),
    )


def answer(chance: random.Random) -> AIMessage:
    provider, model = chance.choice(MODELS)
    return AIMessage(
        content=text(chance, chance.randint(1, 6)),
        id=f"run--{hexadecimal(chance, 32)}",
        **metadata(chance, provider, model, "end_turn" if provider == "anthropic" else "stop"),
    )


def metadata(chance: random.Random, provider: str, model: str, reason: str) -> dict[str, object]:
    sent, got = chance.randint(200, 20_000), chance.randint(10, 2_000)
    return {
        "response_metadata": {
            "finish_reason": reason,
            "model_name": model,
            "model_provider": provider,
            "service_tier": "default",
            "token_usage": {"completion_tokens": got, "prompt_tokens": sent, "total_tokens": sent + got},
        },
        "usage_metadata": {
            "input_tokens": sent,
            "output_tokens": got,
            "total_tokens": sent + got,
            "input_token_details": {"cache_read": 0, "audio": 0},
            "output_token_details": {"reasoning": 0, "audio": 0},
        },
    }


def result(chance: random.Random, of: AIMessage) -> Iterator[ToolMessage]:
    for tool in of.tool_calls:
        rows = [
            {"id": chance.randint(1, 9999), "name": text(chance, 1)[:60], "score": chance.random()} for _ in range(4)
        ]
        content = json.dumps({"status": "ok", "results": rows}) if chance.random() < 0.5 else text(chance, 2)
        yield ToolMessage(
            content=content,
            name=tool["name"],
            tool_call_id=tool["id"],
            id=hexadecimal(chance, 32),
            status="success" if chance.random() < 0.9 else "error",
        )


def agent(chance: random.Random) -> StateGraph[State, None, State, State]:
    """The usual loop of a model and its tools, sometimes with workers and with a person to ask."""

    def model(state: State) -> dict[str, object]:
        done = chance.random() < 0.3
        return {"messages": [answer(chance) if done else call(chance)], "step_count": chance.randint(1, 50)}

    def tools(state: State) -> dict[str, object]:
        last: AnyMessage = state["messages"][-1]
        assert isinstance(last, AIMessage)
        todos = [{"content": text(chance, 1)[:80], "status": chance.choice(("pending", "in_progress", "completed"))}]
        return {"messages": list(result(chance, last)), "todos": todos, "files": {"/notes.md": text(chance, 2)}}

    def ask(state: State) -> dict[str, object]:
        if chance.random() < 0.2:
            interrupt({"action": "approve", "description": text(chance, 1)})
        return {"structured_response": {"summary": text(chance, 1), "confidence": chance.random()}}

    def work(state: State) -> dict[str, object]:
        return {"messages": [SystemMessage(text(chance, 1))]}

    def route(state: State) -> object:
        last = state["messages"][-1]
        if isinstance(last, AIMessage) and last.tool_calls:
            return "tools"
        return [Send("work", dict(state)), "ask"] if chance.random() < 0.3 else "ask"

    builder = StateGraph(State)
    builder.add_node("model", model).add_node("tools", tools).add_node("ask", ask).add_node("work", work)
    builder.add_edge(START, "model").add_conditional_edges("model", route, ["tools", "work", "ask"])
    builder.add_edge("tools", "model").add_edge("ask", END).add_edge("work", END)
    return builder


def samples(threads: int, seed: int) -> list[bytes]:
    """The records of short threads: as they stand in the log, before compression. Each seed has its own sentences."""
    chance = random.Random(seed)
    SENTENCES[:] = ALL_SENTENCES[seed % 2 :: 2]
    found: list[bytes] = []
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        graph = agent(chance).compile(checkpointer=saver)
        for number in range(threads):
            user = f"user-{chance.randint(1, 99)}"
            config: RunnableConfig = {"configurable": {"thread_id": f"t{number}", "user_id": user}}
            asked: Any = {"messages": [HumanMessage(text(chance, 2), id=hexadecimal(chance, 32))]}
            graph.invoke(asked, config)
        rows = saver.store.recorder.read("SELECT payload FROM events", {})
        found = [unseal(payload) for (payload,) in rows]
    return [record for record in found if len(record) < 4096]


def main(number: int) -> None:
    target = FOLDER / f"{number}.zdict"
    if target.exists():
        sys.exit(f"{target.name} is published: a new dictionary gets a new number")
    dictionary = zstandard.train_dictionary(SIZE, [*samples(600, seed=1)], level=3)
    held_out = samples(100, seed=2)
    plain, trained = (zstandard.ZstdCompressor(level=3), zstandard.ZstdCompressor(level=3, dict_data=dictionary))
    before, without, with_it = (
        sum(map(len, held_out)),
        sum(len(plain.compress(record)) for record in held_out),
        sum(len(trained.compress(record)) for record in held_out),
    )
    FOLDER.mkdir(exist_ok=True)
    target.write_bytes(dictionary.as_bytes())
    print(f"{len(held_out)} records, {before:,} bytes: {without:,} with zstd -3, {with_it:,} with the dictionary, too")


if __name__ == "__main__":
    main(int(sys.argv[1]))
