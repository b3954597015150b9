"""The hash chain: whatever is changed in the database behind our back is found, and where."""

from __future__ import annotations

from typing import Any

import ormsgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from eventstore import (
    Cause,
    ChainError,
    EventStore,
    NewEvent,
    NotFoundError,
    TooLargeError,
    UnknownFormatError,
)
from eventstore.codec import Codec, Row, chain, encode, envelope, unpack
from eventstore.errors import CorruptionError, ErasedError


def change(store: EventStore, sql: str) -> None:
    store.recorder.write(lambda session: session.execute(sql.replace("events", _events(store)), {}))


def _events(store: EventStore) -> str:
    return "events" if store.recorder.dialect == "sqlite" else "eventstore.events"


def fill(store: EventStore) -> None:
    for number in range(5):
        store.append("s", [NewEvent("kind", f"content {number}".encode() * 20)])
    store.fork("s", "fork", at=3)
    store.append("fork", [NewEvent("kind", b"own")])


def test_a_store_that_nobody_touched_verifies(store: EventStore) -> None:
    fill(store)
    verified = store.verify()
    assert (verified.streams, verified.events, verified.erased) == (2, 7, 0)
    assert store.verify("fork").events == 5
    with pytest.raises(NotFoundError):
        store.verify("missing")


@pytest.mark.parametrize(
    ("damage", "at"),
    [
        ("UPDATE events SET recorded_at = recorded_at + 1 WHERE version = 2", 2),
        ("UPDATE events SET topic = 'other' WHERE version = 2", 2),
        ("UPDATE events SET hash = (SELECT hash FROM events WHERE version = 1) WHERE version = 2", 2),
        ("UPDATE events SET payload = (SELECT payload FROM events WHERE version = 1) WHERE version = 2", 2),
        ("DELETE FROM events WHERE version = 2", 2),
        ("DELETE FROM events WHERE version = 1", 2),
        ("DELETE FROM events WHERE version = 3", 3),
    ],
)
def test_damage_is_found_in_the_stream_and_in_its_fork(store: EventStore, damage: str, at: int) -> None:
    fill(store)
    change(store, damage)
    for verify in (lambda: store.verify("s"), lambda: store.verify("fork"), store.verify):
        with pytest.raises(ChainError) as broken:
            verify()
        assert (broken.value.stream in ("s", "fork"), broken.value.version) == (True, at)


def test_events_that_changed_places_are_found(store: EventStore) -> None:
    fill(store)
    for sql in ("version = 99 WHERE version = 1", "version = 1 WHERE version = 2", "version = 2 WHERE version = 99"):
        change(store, f"UPDATE events SET {sql} AND topic = 'kind'")
    with pytest.raises(ChainError):
        store.verify("s")


def test_what_was_erased_still_verifies_and_cannot_be_read(store: EventStore) -> None:
    fill(store)
    [payload] = [
        bytes(row[0]) for row in store.recorder.read(f"SELECT payload FROM {_events(store)} WHERE version = 2", {})
    ]
    change(store, f"UPDATE events SET payload = {_literal(store, envelope.erased(payload))} WHERE version = 2")
    verified = store.verify("s")
    assert (verified.events, verified.erased) == (5, 1)
    erased = list(store.read("s"))[1]
    assert (erased.erased, erased.data, erased.cause, erased.topic) == (True, b"", Cause(), "kind")
    change(
        store,
        f"UPDATE events SET payload = {_literal(store, envelope.erased(envelope.seal(b'another')))} WHERE version = 2",
    )
    with pytest.raises(ChainError):
        store.verify("s")


def _literal(store: EventStore, content: bytes) -> str:
    return f"x'{content.hex()}'" if store.recorder.dialect == "sqlite" else f"'\\x{content.hex()}'::bytea"


@given(st.binary(max_size=300) | st.binary(max_size=20).map(lambda part: part * 5000))
def test_an_envelope_gives_back_what_was_sealed(payload: bytes) -> None:
    sealed = envelope.seal(payload)
    assert envelope.unseal(sealed) == payload
    assert len(sealed) <= len(payload) + 6
    erased = envelope.erased(sealed)
    assert envelope.digest(erased) == envelope.digest(sealed)
    assert envelope.erased(erased) == erased
    assert (envelope.is_erased(erased), envelope.is_erased(sealed)) == (True, False)
    with pytest.raises(ErasedError):
        envelope.unseal(erased)


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        (b"", "nothing"),
        (b"\x01", "1"),
        (b"\x02\x00rest", "format 2"),
        (b"\x01\x04rest", "enciphered"),
        (b"\x01\x03rest", "compression 3"),
        (b"\x01\x02\xc8rest", "dictionary 200"),
        (b"\x01\x01not a frame", "damaged"),
        (b"\x01\x02", "damaged"),
        (b"\x01\x10", "checksum"),
        (b"\x01\x10\0\0\0\0rest", "checksum"),
        *[(bytes((1, flag)) + b"rest", "flags") for flag in (0x20, 0x40, 0x80)],
    ],
)
def test_an_envelope_of_another_format_is_refused_by_name(stored: bytes, named: str) -> None:
    with pytest.raises(UnknownFormatError, match=named):
        envelope.unseal(stored)


@given(st.binary(max_size=200), st.data())
def test_no_envelope_with_a_flipped_bit_is_opened_as_what_it_is_not(payload: bytes, data: st.DataObject) -> None:
    sealed = bytearray(envelope.seal(payload))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    if bit // 8 == 1 and bit % 8 == 4 and len(payload) < 48:
        # The flag itself: then the checksum is taken for the beginning of a payload, which no record begins like.
        assert envelope.unseal(bytes(sealed)).endswith(payload)
        return
    with pytest.raises((UnknownFormatError, ErasedError, TooLargeError)):
        envelope.unseal(bytes(sealed))


def test_an_envelope_without_a_checksum_as_the_first_drafts_wrote_it_is_read() -> None:
    assert envelope.unseal(b"\x01\x00rest") == b"rest"
    frame = zstandard.ZstdCompressor().compress(b"rest" * 100)
    assert envelope.unseal(b"\x01\x01" + frame) == b"rest" * 100


def test_an_envelope_that_claims_to_hold_more_than_it_may_is_refused() -> None:
    # A frame that says of itself that it is 2**50 bytes long.
    stored = b"\x01\x01\x28\xb5\x2f\xfd\xe0" + (1 << 50).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(TooLargeError, match="max_value_bytes") as refused:
        envelope.unseal(stored)
    assert (refused.value.size, refused.value.limit) == (1 << 50, 8 << 20)


def test_what_compresses_too_well_is_stored_so_that_it_can_be_read() -> None:
    for length in (8 << 20, (8 << 20) + 1, 50 << 20):
        sealed = envelope.seal(bytes(length))
        assert envelope.unseal(sealed) == bytes(length)
        assert len(sealed) <= length // 250 + 7
        with pytest.raises(TooLargeError):
            envelope.unseal(sealed, length - 1)


OTHER = envelope.erased(envelope.seal(b"another"))
texts = st.text(max_size=12)
ids = (
    st.none()
    | st.uuids().map(str)
    | st.uuids().map(lambda uuid: str(uuid).upper())
    | st.uuids().map(lambda u: u.hex)
    | texts
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=9),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(texts, parts, max_size=3),
    max_leaves=8,
)
causes = st.builds(Cause, texts, ids, ids, st.none() | texts, ids, metadata=st.dictionaries(texts, plain, max_size=3))


@given(st.binary(max_size=100), causes, st.integers(0, 2**31))
def test_an_event_is_decoded_as_it_was_encoded(data: bytes, cause: Cause, schema: int) -> None:
    payload = encode(NewEvent("topic", data, cause, schema))
    assert unpack(payload) == (schema, _without_empty(cause), data)
    event = Codec().decode("s", Row(1, "topic", 1_700_000_000_123_456, b"h" * 32, payload))
    assert (event.data, event.schema, event.size) == (data, schema, len(payload))
    assert event.recorded_at.isoformat() == "2023-11-14T22:13:20.123456+00:00"


def _without_empty(cause: Cause) -> Cause:
    # An empty id at the end is not stored: it says as much as none.
    fields: list[Any] = [cause.namespace, cause.checkpoint, cause.run, cause.node, cause.task, cause.metadata]
    defaults: list[Any] = ["", None, None, None, None, {}]
    while fields and not fields[-1]:
        fields.pop()
    return Cause(*fields, *defaults[len(fields) :])


fields = st.tuples(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**40),
    texts,
    st.integers(0, 2**60),
    st.binary(min_size=32, max_size=32),
)


@given(fields, fields)
def test_a_link_of_the_chain_depends_on_each_of_its_parts(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (chain.link(*one) == chain.link(*other)) == (one == other)
    for place in range(len(one)):
        mixed = (*one[:place], other[place], *one[place + 1 :])
        assert (chain.link(*mixed) == chain.link(*one)) == (mixed == one)


@pytest.mark.parametrize("junk", [None, True, -1, 1.5, "s", b"b", [], [1], {}, {"a": 1}, [[[]]], [""] * 7])
def test_a_payload_of_any_other_shape_is_refused_as_damaged(junk: Any) -> None:
    for record in (
        junk,
        [junk, [], b""],
        [1, junk, b""],
        [1, [], junk],
        *([1, ["", *[None] * n, junk], b""] for n in range(5)),
    ):
        stored = envelope.seal(ormsgpack.packb(record))
        try:
            schema, cause, data = unpack(stored)
        except CorruptionError:
            continue
        assert Codec().decode("s", Row(1, "kind", 0, b"", stored)).data == data
        assert isinstance(schema, int)
        assert all(each is None or isinstance(each, str) for each in (cause.run, cause.node, cause.task))


@pytest.mark.parametrize("moment", [2**62, -(2**62)])
def test_a_time_that_no_calendar_has_is_refused_as_damaged(moment: int) -> None:
    with pytest.raises(CorruptionError):
        Codec().decode("s", Row(1, "kind", moment, b"", encode(NewEvent("kind"))))


def test_a_topic_that_is_too_long_is_found(store: EventStore) -> None:
    fill(store)
    change(store, f"UPDATE events SET topic = '{'t' * 70_000}' WHERE version = 2")
    with pytest.raises(ChainError):
        store.verify()
