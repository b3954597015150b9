"""LangGraph's own server keeps its checkpoints in the store that `langgraph.json` and the environment name."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from eventstore import BadInputError
from langgraph.checkpoint.eventstore import EventStoreSaver, checkpointer
from tests.conftest import fresh_database
from tests.support import langgraph_server


class Server(NamedTuple):
    url: str
    store: str


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has LangGraph's server."""
    found = langgraph_server.environment(tmp_path_factory.mktemp("environment"))
    if found is None:
        pytest.skip(f"LangGraph's server is 200 MB: {langgraph_server.VARIABLE}=install runs this test")
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(
    environment: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server, and its store."""
    folder = tmp_path_factory.mktemp("server")
    with _store(request, folder) as store, langgraph_server.running(environment, folder, store) as url:
        yield Server(url, store)


@contextmanager
def _store(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'agents.db'}"
        return
    with fresh_database(request.getfixturevalue("pg_server")) as url:
        yield url


@pytest.fixture
async def client(server: Server) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def texts(values: Any) -> list[str]:
    return [message["content"] for message in values["messages"]]


async def test_threads_run_are_updated_copied_and_travelled_in(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "agent", input=said("hello"))
    assert texts(await client.runs.wait(thread, "agent", input=said("more"))) == [
        *("hello", "message 1"),
        *("more", "message 3"),
    ]
    history = await client.threads.get_history(thread, limit=100)
    assert len(history) == 10
    assert {state["metadata"]["run_id"] for state in history} == {
        run["run_id"] for run in await client.runs.list(thread)
    }
    await client.threads.update_state(thread, said("updated"), as_node="say")
    state = await client.threads.get_state(thread)
    assert (texts(state["values"])[-1], state["next"]) == ("updated", ["ask"])
    copy = (await client.threads.copy(thread))["thread_id"]  # type: ignore[func-returns-value]
    copied = await client.threads.get_history(copy, limit=100)
    assert [texts(each["values"]) for each in copied if each["values"]] == [
        texts(each["values"]) for each in await client.threads.get_history(thread, limit=100) if each["values"]
    ]
    [turn] = [each for each in copied if each["metadata"]["step"] == 3]
    travelled = await client.runs.wait(copy, "agent", input=said("other"), checkpoint=turn["checkpoint"])
    assert texts(travelled) == ["hello", "message 1", "other", "message 3"]
    assert texts((await client.threads.get_state(thread))["values"])[-1] == "updated"
    await client.threads.delete(thread)
    assert texts((await client.threads.get_state(copy))["values"]) == texts(travelled)


async def test_a_question_is_asked_and_answered(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "agent", input=said("ask"))
    assert (await client.threads.get(thread))["status"] == "interrupted"
    state = await client.threads.get_state(thread)
    assert [question["value"] for question in state["tasks"][0]["interrupts"]] == ["really?"]
    answered = await client.runs.wait(thread, "agent", command={"resume": "yes"})
    assert texts(answered)[-1] == "answered yes"


async def test_a_run_that_another_one_replaces_leaves_nothing_behind(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "agent", input=said("hello"))
    replaced = await client.runs.create(thread, "agent", input=said("wait"))
    async for part in client.runs.join_stream(thread, replaced["run_id"], stream_mode="values"):
        if "message 3" in str(part.data):
            break
    second = await client.runs.create(thread, "agent", input=said("instead"), multitask_strategy="rollback")
    assert texts(await client.runs.join(thread, second["run_id"])) == ["hello", "message 1", "instead", "message 3"]
    history = await client.threads.get_history(thread, limit=100)
    assert replaced["run_id"] not in {state["metadata"]["run_id"] for state in history}


async def test_threads_are_pruned_and_what_is_left_is_sound(client: LangGraphClient, server: Server) -> None:
    threads = [(await client.threads.create())["thread_id"] for _ in range(2)]
    for thread in threads:
        await client.runs.wait(thread, "agent", input=said("hello"))
    await client.threads.prune(threads[:1], strategy="delete")  # the development server knows no other strategy
    with EventStoreSaver.from_conn_string(server.store) as saver:
        assert not saver.checkpoints.latest_id(threads[0])
        assert saver.history.check(threads[1]).findings == ()
        kept = [*saver.list({"configurable": {"thread_id": threads[1]}})]
        assert kept == [*saver.list(None, filter={"graph_id": "agent", "thread_id": threads[1]})] != []
        saver.store.verify()
        saver.history.rollback(threads[1], step=0)
        state = await client.threads.get_state(threads[1])
        assert (texts(state["values"]), state["next"]) == (["hello"], ["say"])
        saver.history.undo(threads[1])
    assert texts((await client.threads.get_state(threads[1]))["values"]) == ["hello", "message 1"]


def test_the_entry_point_is_where_the_server_looks_for_it() -> None:
    module, _, name = langgraph_server.ENTRY_POINT.rpartition(".")
    assert vars(import_module(module))[name] is checkpointer


async def test_the_entry_point_opens_what_the_environment_says(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EVENTSTORE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(BadInputError, match="set EVENTSTORE_URL"):
        checkpointer()
    monkeypatch.setenv("EVENTSTORE_URL", url)
    monkeypatch.setenv("EVENTSTORE_POOL_SIZE", "3")
    monkeypatch.setenv("EVENTSTORE_CONCURRENT_RUNS", "reject")
    async with checkpointer() as saver:
        assert saver.store.recorder.connections == 3
        assert "reject" in repr(saver)
    for name, wrong in (("POOL_SIZE", "many"), ("MIGRATE", "perhaps"), ("CONCURRENT_RUNS", "maybe")):
        monkeypatch.setenv(f"EVENTSTORE_{name}", wrong)
        with pytest.raises(BadInputError, match=f"(?i){name}"):
            async with checkpointer():
                pass
        monkeypatch.delenv(f"EVENTSTORE_{name}")
