"""Arguments of other types, beyond all bounds, or that no text is: every public method takes them, or refuses them.

Never with an error of Python's or of a driver's. Each argument of each method is tried with each of some hostile
values, while the others are what they should be.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, Decision, EventStore, EventStoreError, InvalidIdError, InvalidUrlError, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, Branches, Checkpoints, Recovery, SnapshotPolicy, Timeline
from tests.support.saving import at, checkpoint, id_of, save

HOSTILE: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        2**70,
        -(2**70),
        1.5,
        float("nan"),
        "x",
        "",
        "\ud800",
        "a\0b",
        "x" * 5_000,
        b"x",
        b"",
        object(),
    ),
    *(
        [],
        ["\ud800"],
        [b"x"],
        [2**70],
        ["x" * 5_000],
        {},
        {"k": object()},
        {1: 2},
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ),
]
# The system says itself what is wrong with the name of a file.
FILES = {"file", "path"}
# What is LangGraph's own, and what ends the subject.
NOT_OURS = {"with_allowlist", "close", "aclose"}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStoreSaver]:
    """A saver with a thread, a fork of it, and the past that methods ask for."""
    from tests.conftest import fresh_database

    def use(url: str) -> Iterator[EventStoreSaver]:
        with EventStoreSaver.from_conn_string(url) as saver:
            for number in (1, 2, 3):
                save(saver, number, thread="t", parent=number - 1 or None, run_id="run")
            saver.copy_thread("t", "fork")
            yield saver

    if request.param == "sqlite":
        yield from use(f"sqlite:///{tmp_path_factory.mktemp('arguments') / 'store.db'}")
    else:
        with fresh_database(request.getfixturevalue("pg_server")) as url:
            yield from use(url)


GOOD: dict[str, Any] = {
    **dict.fromkeys(("thread", "threads", "source", "stream", "one", "other", "branch", "over"), "t"),
    **dict.fromkeys(("checkpoint", "at", "a", "b"), id_of(2)),
    "target": "new",
    "channels": ["count"],
    "channel": "count",
    "runs": ["run"],
    "time": datetime.now(UTC),
    "moment": 1,
    "events": [NewEvent("x")],
    "to": id_of(2),
    "checkpoints": [id_of(2)],
    "decide": lambda *_: Decision([]),
    "decides": {"t": lambda *_: Decision([])},
    "stream_id": 1,
    "event": NewEvent("x"),
    "work": lambda *_: None,
    **dict.fromkeys(("thread_id", "source_thread_id"), "t"),
    "target_thread_id": "copy",
    "thread_ids": ["t"],
    "run_ids": ["run"],
    "writes": [("count", 1)],
    "task_id": "task",
    "new_versions": {"count": 3},
    "current": 1,
}
OF_ITS_OWN: dict[tuple[str, str], Any] = {
    ("EventStore", "at"): 1,
    ("EventStoreSaver", "config"): at("t", 2),
    ("EventStoreSaver", "checkpoint"): checkpoint(3, {"count": 3}),
    ("EventStoreSaver", "metadata"): {},
    ("Checkpoints", "items"): [],
}


def subjects(saver: EventStoreSaver) -> list[Any]:
    checkpoints = saver.checkpoints
    return [
        *(saver.store, checkpoints, Timeline(checkpoints), Audit(saver.store), Recovery(checkpoints)),
        *(Branches(checkpoints), saver.history, saver),
    ]


def methods(subject: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, method in inspect.getmembers(subject, inspect.ismethod):
        if not name.startswith("_") and name not in NOT_OURS and not inspect.ismethod(getattr(type(subject), name)):
            yield name, method


def carry_out(method: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Call it, and consume what it gives."""
    several = [name for name, each in inspect.signature(method).parameters.items() if each.kind is each.VAR_POSITIONAL]
    result = method(
        *(arguments[name] for name in several if name in arguments),
        **{name: value for name, value in arguments.items() if name not in several},
    )
    if inspect.isawaitable(result):

        async def wait() -> Any:
            return await result

        result = asyncio.run(wait())
    elif hasattr(result, "__anext__"):

        async def consume() -> None:
            async for _ in result:
                pass

        asyncio.run(consume())
    elif hasattr(result, "close") and hasattr(result, "stop"):
        result.close()
    elif hasattr(result, "__next__"):
        for _ in result:
            pass


def arguments_of(subject: Any, method: Callable[..., Any], serializer: Any) -> dict[str, Any]:
    """Return the arguments that a method needs to have, and can work with."""
    needed = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "serializer":
            needed[name] = serializer
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            needed[name] = OF_ITS_OWN.get((type(subject).__name__, name), GOOD.get(name))
    return needed


def complaints(prepared: EventStoreSaver) -> Iterator[str]:
    from langgraph.checkpoint.eventstore._serde import StrictSerializer

    serializer = StrictSerializer(())
    for subject in subjects(prepared):
        for name, method in methods(subject):
            good = arguments_of(subject, method, serializer)
            for argument, parameter in inspect.signature(method).parameters.items():
                if parameter.kind is parameter.VAR_KEYWORD:
                    continue
                for value in HOSTILE:
                    try:
                        carry_out(method, {**good, argument: value})
                    except EventStoreError:
                        pass
                    except Exception as error:  # noqa: BLE001 (all of them are told)
                        if argument in FILES and isinstance(error, OSError):
                            continue
                        called = f"{type(subject).__name__}.{name}({argument}={value!r:.40})"
                        yield f"{called}: {type(error).__name__}: {error!s:.80}"


def test_what_a_public_method_cannot_take_it_refuses_by_an_error_of_ours(
    prepared: EventStoreSaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # exports take any text for a path
    assert "\n".join(complaints(prepared)) == ""


@pytest.mark.parametrize(
    "url",
    [
        *("", "sqlite:///a%00b.db", "a\0b", "postgresql://user:%00@localhost/db", "postgresql://localhost/a%00b"),
        *("postgresql://localhost/\ud800", "sqlite:///\ud800.db", "\ud800.db", 5, None, b"store.db", object()),
    ],
)
def test_an_address_that_is_none_is_refused(url: Any) -> None:
    with pytest.raises(InvalidUrlError):
        EventStore.open(url)


@pytest.mark.parametrize(
    "schema",
    [
        "information_schema",
        "INFORMATION_SCHEMA",
        "pg_catalog",
        "pg_toast",
        "pg_x",
        "PG_x",
        "",
        "a b",
        "x" * 64,
        5,
        None,
    ],
)
@pytest.mark.parametrize("url", ["sqlite:///:memory:", "postgresql://nobody@127.0.0.1:1/nothing"])
def test_a_schema_that_is_the_servers_own_is_refused_before_anything_is_tried(schema: Any, url: str) -> None:
    with pytest.raises(InvalidIdError, match="schema"):
        EventStore.open(url, schema=schema)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("pool_size", value) for value in (0, -1, 2**70, "8", 1.5, True, None)),
        *(("busy_timeout", value) for value in (-1, float("nan"), float("inf"), 2**70, "1", None)),
        *(("connect_timeout", value) for value in (-1, float("nan"), float("inf"), 2**70, "1", None)),
        *(("migrate", "yes"), ("prepare", 2), ("synchronous", "OFF")),
    ],
)
def test_an_option_that_is_none_is_refused(option: str, value: Any) -> None:
    with pytest.raises(BadInputError, match=option):
        EventStore.open("sqlite:///:memory:", **{option: value})


WRONG: dict[str, list[Any]] = {
    "concurrent_runs": ["bogus", None, ["keep"], 1],
    "cache_bytes": [-1, None, "1MB", 1.5, True],
    "snapshots": [5, "x", {}, SnapshotPolicy],
    "migrate": ["x", 1, None],
    "serde": [5, "msgpack", object()],
    "allowed_types": [5, "module.Name", [1], [("module",)]],
}
OPTIONS_OF_A_SAVER = [(option, value) for option, values in WRONG.items() for value in values]
OPTIONS_OF_A_STORE: list[tuple[str, Any]] = [
    *(("pool_size", 0), ("schema", "a b"), ("prepare", 2), ("connect_timeout", -1), ("synchronous", "OFF")),
    *(("busy_timeout", "x"), ("max_value_bytes", 0), ("upcasters", {})),
]


@pytest.mark.parametrize(("option", "value"), OPTIONS_OF_A_SAVER)
def test_an_option_of_a_saver_that_is_none_is_refused(option: str, value: Any, store: EventStore) -> None:
    with pytest.raises(BadInputError, match=option):
        EventStoreSaver(store, **{option: value})


@pytest.mark.parametrize(("option", "value"), [*OPTIONS_OF_A_SAVER, *OPTIONS_OF_A_STORE])
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_savers_option_is_refused_at_the_call_and_not_when_it_is_opened(
    option: str, value: Any, database: str, tmp_path: Path
) -> None:
    file, nowhere = f"sqlite:///{tmp_path / 'store.db'}", "postgresql://nobody@127.0.0.1:1/nothing"
    if (option, database) == ("synchronous", "postgres"):
        return  # a server has no such option
    with pytest.raises(BadInputError, match=option):
        EventStoreSaver.from_conn_string(file if database == "sqlite" else nowhere, **{option: value})


def test_a_serializer_of_ones_own_and_types_for_the_default_one_are_refused_together(store: EventStore) -> None:
    both: dict[str, Any] = {"serde": JsonPlusSerializer(), "allowed_types": []}
    with pytest.raises(BadInputError, match="allowed_types is for the default serializer"):
        EventStoreSaver.from_conn_string("sqlite:///:memory:", **both)
    with pytest.raises(BadInputError, match="allowed_types is for the default serializer"):
        EventStoreSaver(store, **both)


@pytest.mark.parametrize(
    ("option", "value"),
    [("bytes", 0.5), ("bytes", "x"), ("bytes", None), ("rows", 1), ("nodes", "agent"), ("nodes", 5), ("nodes", [5])],
)
def test_a_policy_of_snapshots_that_makes_no_sense_is_refused(option: str, value: Any) -> None:
    with pytest.raises(BadInputError, match=rf"^SnapshotPolicy\.{option}"):
        SnapshotPolicy(**{option: value})


def test_every_hostile_argument_is_refused_at_the_call_and_not_when_the_result_is_used(store: EventStore) -> None:
    serializer: Any = None
    hostile: Any = b"x"
    audit, timeline = Audit(store), Timeline(Checkpoints(store))
    calls: list[Callable[[], object]] = [
        lambda: store.read("s", limit=2**70),
        lambda: store.feed(topics=["\ud800"]),
        lambda: store.aread("s", after=hostile),
        lambda: store.afeed(limit=hostile),
        lambda: store.subscribe(after=2**70),
        lambda: audit.entries(topics=[hostile]),
        lambda: audit.aentries(topics=[hostile]),
        lambda: timeline.entries(hostile, serializer),
        lambda: timeline.aentries(hostile, serializer),
    ]
    for call in calls:
        with pytest.raises(BadInputError):
            call()


@pytest.mark.parametrize("limit", ["3", True, 1.5])
def test_an_argument_that_may_be_left_out_is_refused_by_what_it_should_be(limit: Any, store: EventStore) -> None:
    with pytest.raises(BadInputError, match=r"limit is .*: use a whole number"):
        store.read("stream", limit=limit)
