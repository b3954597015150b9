"""Verifying hash chains: everything that was recorded is as it was recorded, and nothing is missing in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812 (as errors are called)

from eventstore import chain, envelope
from eventstore._lineage import Segment, lineage
from eventstore.errors import ChainError, NotFoundError, UnknownFormatError
from eventstore.recorders import Recorder

_PAGE = 500
_END = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Verification:
    """What was verified, and found in order.

    Attributes:
        streams: How many streams.
        events: How many events.
        erased: Of how many of them only the digest is left.
    """

    streams: int
    events: int
    erased: int

    def __add__(self, other: Verification) -> Verification:
        return Verification(self.streams + other.streams, self.events + other.events, self.erased + other.erased)


def verify_stream(recorder: Recorder, queries: Mapping[str, str], name: str) -> Verification:
    """See `EventStore.verify`."""
    rows = recorder.read(queries["stream_by_name"], {"name": name})
    if not rows:
        raise NotFoundError(f"there is no stream {name!r} to verify")
    found = Verification(0, 0, 0)
    for segment in lineage(recorder, queries, int(rows[0][0])):
        found += _verify_segment(recorder, queries, name, segment)
    return Verification(1, found.events, found.erased)


def verify_all(recorder: Recorder, queries: Mapping[str, str]) -> Verification:
    """See `EventStore.verify`. Each event once: of a fork only what is its own."""
    found = Verification(0, 0, 0)
    after = 0
    while page := recorder.read(queries["all_streams"], {"after": after, "limit": _PAGE}):
        for stream_id, name, _ in page:
            own = lineage(recorder, queries, int(stream_id))[-1]
            found += _verify_segment(recorder, queries, name, own) + Verification(1, 0, 0)
        after = page[-1][0]
    return found


def _verify_segment(recorder: Recorder, queries: Mapping[str, str], name: str, segment: Segment) -> Verification:
    events = erased = 0
    previous, version = _origin(recorder, queries, segment)
    low, high = segment.after, _END if segment.upto is None else segment.upto + 1
    while True:
        params = {"stream_id": segment.stream_id, "after": low, "before": high, "limit": _PAGE}
        page = recorder.read(queries["read_forward"], params)
        for low, topic, recorded_at, stored, payload in page:
            if version is not None and low != version + 1:
                raise ChainError(name, version + 1, "the event is missing")
            try:
                digest = envelope.digest(bytes(payload))
                linked = chain.link(previous, low, topic, recorded_at, digest)
            except UnknownFormatError as error:
                raise ChainError(name, low, "the payload is not one") from error
            except StructError as error:
                raise ChainError(name, low, "the topic is longer than any that was stored") from error
            if linked != bytes(stored):
                raise ChainError(name, low, "the hash does not follow from the content and the event before")
            previous, version = bytes(stored), low
            events += 1
            erased += envelope.is_erased(bytes(payload))
        if len(page) < _PAGE:
            break
    if segment.upto is not None and version != segment.upto:
        raise ChainError(name, segment.upto, "the event is missing")
    return Verification(0, events, erased)


def _origin(recorder: Recorder, queries: Mapping[str, str], segment: Segment) -> tuple[bytes, int | None]:
    """The hash that the first event of a segment follows, and its version, if one is before it."""
    ancestors = lineage(recorder, queries, segment.stream_id)[:-1]
    if not ancestors:
        rows = recorder.read(queries["stream_by_id"], {"stream_id": segment.stream_id})
        return chain.genesis(rows[0][2]), None
    parent = ancestors[-1]
    rows = recorder.read(queries["hash_at"], {"stream_id": parent.stream_id, "version": parent.upto})
    if not rows:
        name = recorder.read(queries["stream_by_id"], {"stream_id": parent.stream_id})[0][0]
        raise ChainError(name, parent.upto or 0, "the event is missing")
    return bytes(rows[0][0]), parent.upto
