"""LangGraph's own savers: opened on fresh databases, and read as a whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite import SqliteSaver

from tests.support.observation import exactly

# The channels of the stories and agents that may be DeltaChannels; of others the savers give what each likes.
_REPLAYED = {"files", "log", "messages", "notes"}
Kind = Literal["memory", "sqlite", "postgres"]


@dataclass(frozen=True)
class Stock:
    """One of LangGraph's savers.

    Attributes:
        saver: The saver.
        origin: Its database's address, or itself.
    """

    saver: Any
    origin: Any


@contextmanager
def opened(url: str, serde: SerializerProtocol | None = None) -> Iterator[Stock]:
    """LangGraph's saver on a database, with its tables."""
    if url.startswith("postgresql"):
        with PostgresSaver.from_conn_string(url) as saver:
            saver.serde = serde or saver.serde
            saver.setup()
            yield Stock(saver, url)
        return
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        of_sqlite = SqliteSaver(connection, serde=serde)
        of_sqlite.setup()
        yield Stock(of_sqlite, f"sqlite:///{path}")


def in_memory() -> Stock:
    """A saver in memory."""
    saver = InMemorySaver()
    return Stock(saver, saver)


def seen(saver: BaseCheckpointSaver[Any], *threads: str) -> list[Any]:
    """All that LangGraph sees of some threads, by each of its ways to look."""
    listed = [saved for thread in threads for saved in saver.list({"configurable": {"thread_id": thread}})]
    fetched = [saver.get_tuple(saved.config) for saved in listed]
    found = exactly([*map(_settled, [*listed, *(saved for saved in fetched if saved)])])
    return [*found, *sorted(_replayed(saver, saved) for saved in listed)]


def _settled(saved: CheckpointTuple) -> CheckpointTuple:
    """A checkpoint without what savers are free to do: the order of channels, and a key that is left out for `None`."""
    checkpoint: Any = {key: value for key, value in saved.checkpoint.items() if value is not None}
    checkpoint["versions_seen"] = {node: dict(sorted(of.items())) for node, of in checkpoint["versions_seen"].items()}
    for key in ("channel_values", "channel_versions", "versions_seen"):
        checkpoint[key] = dict(sorted(checkpoint[key].items()))
    # PostgreSQL has an order of its own for the keys of JSON.
    return saved._replace(checkpoint=checkpoint, metadata=json.loads(json.dumps(saved.metadata, sort_keys=True)))


def _replayed(saver: BaseCheckpointSaver[Any], saved: CheckpointTuple) -> Any:
    """Return what the channels without a value are replayed from."""
    channels = sorted(
        _REPLAYED & saved.checkpoint["channel_versions"].keys() - saved.checkpoint["channel_values"].keys()
    )
    named = saved.config["configurable"]
    histories = saver.get_delta_channel_history(config=saved.config, channels=channels) if channels else {}
    return named["checkpoint_ns"], named["checkpoint_id"], repr(sorted(histories.items()))


def threads_of(path: Path) -> list[str]:
    """The threads that a database of `SqliteSaver` holds, read by SQLite alone."""
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT DISTINCT thread_id FROM checkpoints ORDER BY 1")]
