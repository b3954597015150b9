"""The file of a history: read as it was written, or refused with its name and with what to do."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import ormsgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore import (
    BadInputError,
    Cause,
    CorruptionError,
    EventStoreError,
    NewEvent,
    NotFoundError,
    StorageFullError,
    TooLargeError,
    UnknownFormatError,
)
from eventstore.codec.envelope import seal
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.histories.layout import MAGIC, MAX_BYTES, VERSION, Written, packed, unpacked
from langgraph.checkpoint.eventstore.histories.weighing import HEAVIEST, weight
from langgraph.checkpoint.eventstore.testing import RecordedHistory
from projections.records import CONTENT
from tests.support.flavour import Flavour
from tests.support.memory import taking_no_more_than
from tests.support.recorded import recorded


@pytest.fixture(scope="module")
def history() -> RecordedHistory:
    """The history of the story, recorded in memory."""
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        recorded(saver, "sync", Flavour.SYNC)
        return RecordedHistory.of(saver, "main")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "main.history"


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as with a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def sealed(body: bytes) -> bytes:
    """The bytes of a file whose checksum holds, whatever is in it."""
    return MAGIC + bytes((VERSION,)) + sha256(body).digest() + body


def refused(file: Path, kind: type[EventStoreError] = CorruptionError) -> str:
    with pytest.raises(kind) as found:
        RecordedHistory.read(file)
    assert repr(str(file)) in str(found.value)
    return str(found.value)


# An empty id is none: the codec leaves it out.
ids = st.none() | st.uuids().map(str) | st.text(min_size=1, max_size=5)
causes = st.builds(
    Cause, st.text(max_size=5), ids, ids, ids, ids, st.dictionaries(st.text(max_size=5), st.text(max_size=5))
)
events = st.builds(NewEvent, st.sampled_from(sorted(CONTENT)), st.binary(max_size=80), causes, st.integers(1, 9))


@given(thread=st.text(min_size=1, max_size=9), events=st.lists(events, max_size=5))
@settings(max_examples=50)
def test_what_is_unpacked_is_what_was_packed(thread: str, events: list[NewEvent]) -> None:
    assert unpacked(packed(Written(thread, events))) == Written(thread, events)


def test_a_recorded_history_is_read_as_it_was_written(history: RecordedHistory, file: Path) -> None:
    size = history.write(file)
    assert (RecordedHistory.read(file), file.stat().st_size) == (history, size)
    assert [*file.parent.iterdir()] == [file]


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
plain = st.recursive(
    scalars, lambda parts: st.lists(parts, max_size=5) | st.dictionaries(st.text(), parts, max_size=5), max_leaves=20
)


def size_of(value: object) -> int:
    """The bytes that a plain value takes."""
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return sys.getsizeof(value) + sum(map(size_of, parts))


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_was_cut_off_or_changed_anywhere_is_refused(
    history: RecordedHistory, file: Path, data: st.DataObject
) -> None:
    whole = packed(Written(history.thread, history.events))
    at = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 60))
    changed = whole[:at] + bytes((whole[at] ^ data.draw(st.integers(1, 255)),)) + whole[at + 1 :]
    for wrong in (whole[:at], changed, whole + changed[at : at + 1]):
        file.write_bytes(wrong)
        said = refused(file)
        assert "ecord it anew" in said or "upgrade" in said or "eventstore record" in said


def test_a_file_of_something_else_or_of_a_later_version_is_refused(history: RecordedHistory, file: Path) -> None:
    for other in (b"", b"SQLite format 3\0" * 9, b"\x80\x04.", MAGIC):
        file.write_bytes(other)
        assert "make one by `eventstore record`" in refused(file, UnknownFormatError)
    whole = packed(Written(history.thread, history.events))
    file.write_bytes(MAGIC + bytes((VERSION + 1,)) + whole[len(MAGIC) + 1 :])
    assert refused(file, UnknownFormatError).endswith("upgrade it")
    file.write_bytes(sealed(seal(ormsgpack.packb(["main", [["checkpoint.dreamt", b""]]]))))
    assert refused(file, UnknownFormatError).endswith("upgrade")


def test_what_only_looks_like_a_history_is_refused(file: Path) -> None:
    topic = min(CONTENT)
    contents: list[object] = [
        None,
        [],
        ["main"],
        [1, []],
        ["main", 7],
        ["main", [[topic]]],
        ["main", [[topic, "text"]]],
    ]
    contents += [
        ["main", [[topic, b"\xc1"]]],
        ["main", [[topic, ormsgpack.packb([1, [], "text"])]]],
        ["main", [[[], b""]]],
    ]
    for content in contents:
        file.write_bytes(sealed(seal(ormsgpack.packb(content))))
        assert "ecord it anew" in refused(file)
    for body in (b"", b"\1", b"\1\x08" + bytes(32), b"\1\4rest", b"\1\x40rest"):
        file.write_bytes(sealed(body))
        refused(file)


def test_no_memory_is_taken_for_what_a_file_claims(file: Path) -> None:
    bomb = seal(bytes(MAX_BYTES + 1))
    claims = [b"\xdd\xff\xff\xff\xff", b"\x92\xa1x\xdd\xff\xff\xff\xff", b"\x92\xa1x\xc6\xff\xff\xff\xff"]
    nested = b"\x91" * 100_000
    with taking_no_more_than(12):
        file.write_bytes(sealed(bomb))
        assert "Record it anew" in refused(file, TooLargeError)
        for claim in (*claims, nested):
            file.write_bytes(sealed(seal(claim)))
            refused(file)


def as_event(data: bytes) -> bytes:
    """The content of a history of one event with these data."""
    return ormsgpack.packb(["main", [[min(CONTENT), ormsgpack.packb([1, [], data])]]])


SMALL = ormsgpack.packb([{}] * (256 << 10))
"""A quarter of a million empty dicts: a byte each, and 19 MB as objects."""


@pytest.mark.parametrize(
    "content",
    [
        b"\x92\xa4main" + SMALL,
        ormsgpack.packb(["main", [[min(CONTENT), SMALL]]]),
        as_event(ormsgpack.packb(["a value", SMALL])),
        as_event(ormsgpack.packb(ormsgpack.Ext(5, SMALL))),
    ],
    ids=["the history", "a record", "a value", "an object"],
)
def test_a_small_file_that_would_be_large_as_objects_is_refused_before_any_is_made(content: bytes, file: Path) -> None:
    file.write_bytes(sealed(seal(content)))
    assert file.stat().st_size < 1_000
    with taking_no_more_than(4):
        assert "Record it anew" in refused(file, TooLargeError)


@given(values=plain)
def test_the_weight_of_msgpack_is_that_of_its_objects(values: object) -> None:
    packed = ormsgpack.packb(values)
    taken = size_of(ormsgpack.unpackb(packed))
    assert taken / 4 <= weight(packed, MAX_BYTES) <= 4 * taken + 64
    assert weight(packed, MAX_BYTES) <= len(packed) * HEAVIEST
    assert weight(packed, 0) <= weight(packed, MAX_BYTES)


@given(data=st.binary(max_size=200))
def test_any_bytes_have_a_weight(data: bytes) -> None:
    assert weight(data, MAX_BYTES) >= 0


def test_a_path_that_is_no_file_is_refused(history: RecordedHistory, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, what in ((tmp_path, "a folder"), (pipe, "a device"), (Path(os.devnull), "a device")):
        with pytest.raises(BadInputError, match=what):
            RecordedHistory.read(path)
        with pytest.raises(BadInputError, match=what):
            history.write(path)
    with pytest.raises(NotFoundError, match="eventstore record"):
        RecordedHistory.read(tmp_path / "none")
    with pytest.raises(NotFoundError, match="make it first"):
        history.write(tmp_path / "none" / "main.history")
    for name in ("", "a\0b", 7):
        with pytest.raises(BadInputError):
            RecordedHistory.read(name)  # type: ignore[arg-type]
        with pytest.raises(BadInputError):
            history.write(name)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="name another file"):
        history.write(tmp_path / ("x" * 300))


def test_a_file_that_there_is_no_room_for_is_not_begun_and_the_one_before_stays(
    history: RecordedHistory, file: Path
) -> None:
    for before in (None, b"what was there"):
        if before is not None:
            file.write_bytes(before)
        with no_room_beyond(500), pytest.raises(StorageFullError, match="Make room"):
            history.write(file)
        assert [each.read_bytes() for each in file.parent.iterdir()] == ([] if before is None else [before])
    history.write(file)
    assert RecordedHistory.read(file) == history


def test_a_file_that_is_written_anew_keeps_its_mode_and_the_links_to_it(history: RecordedHistory, file: Path) -> None:
    file.write_bytes(b"")
    file.chmod(0o600)
    link = file.with_name("link")
    link.symlink_to(file)
    history.write(link)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    assert RecordedHistory.read(file) == history
