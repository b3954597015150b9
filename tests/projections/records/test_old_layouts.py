"""Records of older layouts: whoever reads the log goes through the codec, and so through its upcasters."""

from __future__ import annotations

from collections.abc import Callable

import ormsgpack
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from eventstore import CorruptionError, Upcasters
from eventstore.codec import PACK, UNPACK
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.tables import forge

MakeSaver = Callable[..., EventStoreSaver]
THREAD: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


@pytest.fixture
def upcasters(url: str, make_saver: MakeSaver) -> Upcasters:
    """Those that read a store which was written in an older layout; there each record had an x before it."""
    saver = make_saver()
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"], checkpoint["channel_versions"] = {"greeting": ["hello"]}, {"greeting": "1"}
    config = saver.put(THREAD, checkpoint, {"source": "input", "step": -1, "parents": {}}, {"greeting": "1"})
    saver.put_writes(config, [("answer", 42)], "task")
    saver.copy_thread("t", "copy")
    forge(url, as_in_layout_0)
    upcasters = Upcasters()
    for topic in ("checkpoint.saved", "writes.saved", "stream.forked"):
        upcasters.register(topic, 0, lambda data: data[1:])
    return upcasters


def as_in_layout_0(record: bytes) -> bytes:
    _, cause, data = ormsgpack.unpackb(record, option=UNPACK)
    return ormsgpack.packb([0, cause, b"x" + data], option=PACK)


@pytest.mark.parametrize("thread", ["t", "copy"])
def test_checkpoints_and_writes_of_an_old_layout_are_read(
    upcasters: Upcasters, make_saver: MakeSaver, thread: str
) -> None:
    saver = make_saver(upcasters=upcasters)
    found = saver.get_tuple({"configurable": {"thread_id": thread}})
    assert found.checkpoint["channel_values"] == {"greeting": ["hello"]}
    assert found.pending_writes == [("task", "answer", 42)]
    assert [each.checkpoint["id"] for each in saver.list(THREAD)] == [found.checkpoint["id"]]


def test_projections_are_rebuilt_from_an_old_layout(upcasters: Upcasters, make_saver: MakeSaver) -> None:
    saver = make_saver(upcasters=upcasters)
    before = [saver.get_tuple({"configurable": {"thread_id": thread}}) for thread in ("t", "copy")]
    saver.checkpoints.rebuild()
    assert [saver.get_tuple({"configurable": {"thread_id": thread}}) for thread in ("t", "copy")] == before


def test_the_audit_knows_the_channels_of_an_old_layout(upcasters: Upcasters, make_saver: MakeSaver) -> None:
    audit = Audit(make_saver(upcasters=upcasters).store)
    audit.catch_up()
    assert sorted(list(entry.channels) for entry in audit.entries()) == [[], ["answer"], ["greeting"]]


@pytest.mark.usefixtures("upcasters")
def test_a_layout_that_no_upcaster_knows_is_refused(make_saver: MakeSaver) -> None:
    with pytest.raises(CorruptionError, match="layout 0"):
        make_saver().get_tuple(THREAD)
