"""The history of threads: what happened at each checkpoint, how any two differ, and where each value comes from."""

from __future__ import annotations

import base64
import binascii
import heapq
import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any

from eventstore import BadInputError, ErasedError, EventStore, NotFoundError, OvertakenError
from eventstore.arguments import checked
from eventstore.events import to_microseconds
from eventstore.ids import MAX_STREAM_BYTES, check_id
from eventstore.tuples import NamedTuple
from eventstore.workers import twin, twin_iterator
from projections.before import Before
from projections.checkpoints.checkpoints import Checkpoints
from projections.checkpoints.companion import Companion
from projections.model import SavedCheckpoint
from projections.reading.absent import check_all_there
from projections.reading.channels import Values
from projections.reading.finding import PAGE
from projections.reading.loading import again
from projections.reading.located import Located
from projections.reading.shaping import shaped
from projections.reading.view import View
from projections.timeline.blame import Blame, Origin
from projections.timeline.comparison import CheckpointDiff, Comparison, Named, missing
from projections.timeline.entries import Entries, TimelineEntry, TimelinePage
from projections.timeline.replayed import Replayed, completed
from projections.timeline.rules import Fold
from projections.values.serializer import Serializer

# Sorts right behind an id: no text that is stored holds a smaller character.
_NEXT = "\x01"

_Place = tuple[str, str, str]
"""Where a listing stands: a checkpoint's id, its namespace, and the thread."""


class _Listed(NamedTuple):
    """A checkpoint that was come upon, not yet described."""

    view: View
    located: Located

    @property
    def place(self) -> _Place:
        """The place of the listing."""
        return self.located.id, self.located.namespace, self.view.thread


@checked
class Timeline(Companion):
    """Tells the history of threads.

    Nothing of it writes. Values go through the serializer that is passed with each call, and what is returned may share
    objects. A method whose name begins with `a` is the same for `async` code.
    """

    def __init__(self, checkpoints: Checkpoints | EventStore, *, migrate: bool = True) -> None:
        super().__init__(checkpoints, migrate=migrate)
        self._tables = self.checkpoints.tables
        self._finder = self.checkpoints.finder
        self._comparison = Comparison(self.store, self._tables, self._finder)
        self._blame = Blame(self.store, self._tables, self._finder)

    def page(
        self,
        threads: str | Sequence[str],
        serializer: Serializer,
        *,
        namespace: str | None = None,
        before: str | None = None,
        limit: int = 50,
        fold: Fold | None = None,
        missing_ok: bool = False,
    ) -> TimelinePage:
        """One page of a timeline.

        Args:
            threads: A thread, or several, whose checkpoints are merged.
            serializer: Turns bytes into values.
            namespace: The namespace; `None`: all of them.
            before: `next_cursor` of the page before, with the same threads and namespace.
            limit: The size of the page.
            fold: The rules of the graph, for channels of which only the writes are stored.
            missing_ok: Whether threads that are not there are passed over.

        Raises:
            BadInputError: The limit or the cursor is not valid.
            NotFoundError: Some of the threads are not there.
        """
        names = _checked(threads, namespace)
        if type(limit) is not int or limit < 1:
            raise BadInputError(f"limit is {limit!r}: a page holds at least one checkpoint")
        after = None if before is None else _from_cursor(before)
        # One more, to know whether there is a next page.
        listed = [*islice(self._listed(self._there(names, missing_ok=missing_ok), namespace, after), limit + 1)]
        more = len(listed) > limit
        return TimelinePage(
            self._described(listed[:limit], serializer, fold), _to_cursor(listed[limit - 1].place) if more else None
        )

    def entries(
        self,
        threads: str | Sequence[str],
        serializer: Serializer,
        *,
        namespace: str | None = None,
        fold: Fold | None = None,
        missing_ok: bool = False,
    ) -> Iterator[TimelineEntry]:
        """The whole timeline, the latest checkpoint first, read in pages while it is consumed.

        Checkpoints are ordered by their ids, which grow with time; see `page` for the arguments.
        """
        return self._entries(_checked(threads, namespace), serializer, namespace, fold, missing_ok=missing_ok)

    def _entries(
        self,
        threads: Sequence[str],
        serializer: Serializer,
        namespace: str | None,
        fold: Fold | None,
        *,
        missing_ok: bool,
    ) -> Iterator[TimelineEntry]:
        listed = self._listed(self._there(threads, missing_ok=missing_ok), namespace, None)
        while batch := [*islice(listed, PAGE)]:
            yield from self._described(batch, serializer, fold)

    def at(
        self,
        thread: str,
        time: Before | datetime | str,
        serializer: Serializer,
        *,
        namespace: str | None = None,
        fold: Fold | None = None,
    ) -> SavedCheckpoint | None:
        """The state of a thread at a time, or at a checkpoint.

        At a time: the checkpoint that was the latest then, with what was pending; `None` if there was none yet. What
        was pruned since is no state of any time. At a checkpoint: what a fork there begins with.

        Args:
            thread: The thread.
            time: The time (without a zone, in UTC), a checkpoint's id, or a `Before`.
            serializer: Turns bytes into values.
            namespace: The namespace; `None`: the one that the checkpoint is of, or else the outermost.
            fold: The rules of the graph, for channels of which only the writes are stored.

        Raises:
            NotFoundError: There is no such checkpoint.
        """
        if isinstance(time, Before | str):
            checkpoint = time
            named = self._namespace(thread, checkpoint, namespace)
            return again(
                lambda: self._whole(self._standing_at(thread, named, checkpoint), serializer, fold),
                self.store,
                thread,
            )
        space = self._namespace(thread, None, namespace)
        self._there([thread], missing_ok=False)
        if not isinstance(time, datetime):
            raise BadInputError(f"time is {time!r}: use a datetime, or a checkpoint's id")
        moment = to_microseconds(time)
        return again(
            lambda: self._whole(self._finder.as_of(thread, space, moment), serializer, fold), self.store, thread
        )

    def state(
        self,
        thread: str,
        serializer: Serializer,
        *,
        checkpoint: str | None = None,
        namespace: str | None = None,
        fold: Fold | None = None,
    ) -> SavedCheckpoint | None:
        """A checkpoint with all values, also those that are made of writes, as far as a rule is known.

        Args:
            thread: The thread.
            serializer: Turns bytes into values.
            checkpoint: The checkpoint's id; `None`: the latest.
            namespace: Its namespace; `None`: the one that its id is of.
            fold: The rules of the graph, for channels of which only the writes are stored.

        Raises:
            NotFoundError: There is no such thread or checkpoint.
        """
        named = self._namespace(thread, checkpoint, namespace)

        def attempt() -> SavedCheckpoint | None:
            view = self._finder.view(thread)
            located = self._finder.locate(view, named, checkpoint) if view else None
            if view is None or (checkpoint and not located):
                raise NotFoundError(missing(thread, named, checkpoint))
            return self._whole((view, located) if located else None, serializer, fold)

        return again(attempt, self.store, thread)

    def diff(  # noqa: PLR0913 (two checkpoints, each by its thread, namespace and id)
        self,
        thread: str,
        a: str | None,
        b: str | None,
        serializer: Serializer,
        *,
        namespace: str | None = None,
        thread_b: str | None = None,
        namespace_b: str | None = None,
        channels: Collection[str] | None = None,
        fold: Fold | None = None,
    ) -> CheckpointDiff:
        """How two checkpoints differ. Of channels that are stored in the same place no value is read.

        Args:
            thread: The thread of `a`.
            a: The earlier checkpoint's id; `None`: the parent of `b`.
            b: The later checkpoint's id; `None`: the latest.
            serializer: Turns bytes into values.
            namespace: The namespace of both; `None`: of each the one that its id is of, or else the other's.
            thread_b: The thread of `b`, if it is another, a fork for example. Then `a` of `None` is the latest.
            namespace_b: The namespace of `b`, if it is another.
            channels: Which channels are compared; `None`: all but those by which a graph leads itself on.
            fold: The rules of the graph, for channels of which only the writes are stored.

        Raises:
            NotFoundError: There is no such checkpoint.
        """
        namespace_b = namespace if namespace_b is None else namespace_b
        first, second = Named(thread, namespace, a), Named(thread_b or thread, namespace_b, b)
        for named in (first, second):
            _checked([named.thread], named.namespace, named.id)
        return again(
            lambda: self._comparison.of(first, second, serializer, channels=channels, fold=fold),
            self.store,
            *dict.fromkeys([first.thread, second.thread]),
        )

    def blame(
        self,
        thread: str,
        channel: str,
        serializer: Serializer,
        *,
        item: Any = None,
        checkpoint: str | None = None,
        namespace: str | None = None,
        fold: Fold | None = None,
    ) -> list[Origin]:
        """Return the origins of a channel's value: the event and tasks that put each part there, and the one before.

        Args:
            thread: The thread.
            channel: The channel.
            serializer: Turns bytes into values.
            item: A part of the value: an index (negative: from the end), a message's id, a dict's key, or a tuple of
                these that leads further inside. `None`: each item of a list, key of a dict or line of a text.
            checkpoint: The checkpoint whose value is looked at; `None`: the latest.
            namespace: Its namespace; `None`: the one that its id is of.
            fold: The rules of the graph, for channels of which only the writes are stored.

        Raises:
            NotFoundError: There is no such checkpoint, channel or item.
        """
        named = self._namespace(thread, checkpoint, namespace)
        return again(
            lambda: self._blame.of(
                thread, channel, serializer, item=item, checkpoint=checkpoint, namespace=named, fold=fold
            ),
            self.store,
            thread,
        )

    # --- the same for async code -------------------------------------------------------------------------------------

    apage = twin(page)
    aentries = twin_iterator(entries, at_once=PAGE)
    aat = twin(at)
    astate = twin(state)
    adiff = twin(diff)
    ablame = twin(blame)

    # -----------------------------------------------------------------------------------------------------------------

    def _listed(self, threads: Sequence[str], namespace: str | None, after: _Place | None) -> Iterator[_Listed]:
        listings = [self._of_thread(thread, namespace, after) for thread in dict.fromkeys(threads)]
        return heapq.merge(*listings, key=attrgetter("place"), reverse=True)

    def _of_thread(self, thread: str, namespace: str | None, after: _Place | None) -> Iterator[_Listed]:
        view = self._finder.view(thread)
        if view is None:
            return
        for located in self._finder.of_thread(view, namespace, after[0] + _NEXT if after else None):
            listed = _Listed(view, located)
            if after is None or listed.place < after:
                yield listed

    def _there(self, threads: Sequence[str], *, missing_ok: bool) -> Sequence[str]:
        if not missing_ok:
            check_all_there("thread", [each for each in dict.fromkeys(threads) if self._finder.view(each) is None])
        return threads

    def _namespace(self, thread: str, checkpoint: Before | str | None, given: str | None) -> str:
        """The namespace of a checkpoint: the one that was given, or else the one that its id is of."""
        _checked([thread], given, checkpoint if isinstance(checkpoint, str) else None)
        return self._finder.namespace_of(thread, checkpoint) if given is None else given

    def _standing_at(self, thread: str, namespace: str, checkpoint: Before | str) -> tuple[View, Located]:
        """A checkpoint as a thread stands there that is put back to it, or forked there.

        Its tasks run again: nothing is pending, unless one asked; then what was there when it first did.
        """
        view = self._finder.view(thread)
        if view is None:
            raise NotFoundError(f"there is no thread {thread!r}")
        return self.checkpoints.mover.at(view, namespace, checkpoint)

    def _whole(
        self, found: tuple[View, Located] | None, serializer: Serializer, fold: Fold | None
    ) -> SavedCheckpoint | None:
        if found is None:
            return None
        view, located = found
        saved = self.checkpoints.loader.complete(view, located, serializer)
        located = shaped(located, serializer)
        values = Values(self.store, self._tables, view, serializer)
        return completed(saved, located, Replayed(self.store, self._tables, self._finder, view, values, fold))

    def _described(self, batch: Sequence[_Listed], serializer: Serializer, fold: Fold | None) -> list[TimelineEntry]:
        """The entries of some checkpoints, the latest first."""
        by_thread: dict[str, tuple[View, list[Located]]] = {}
        for view, located in batch:
            by_thread.setdefault(view.thread, (view, []))[1].append(located)
        described = [self._described_of_thread(view, of_it, serializer, fold) for view, of_it in by_thread.values()]
        return [*heapq.merge(*described, key=attrgetter("id", "namespace", "thread"), reverse=True)]

    def _described_of_thread(
        self, view: View, batch: list[Located], serializer: Serializer, fold: Fold | None
    ) -> list[TimelineEntry]:
        """The entries of some checkpoints, but for those that are erased meanwhile."""

        def attempt() -> list[TimelineEntry]:
            nonlocal view, batch
            try:
                entries = Entries(self.store, self._tables, self._finder, view, batch, serializer, fold)
                return [entries.of(located) for located in batch]
            except ErasedError as error:
                before = batch
                view, batch = self._finder.left_of(view, before)
                if batch != before:
                    raise OvertakenError from error
                raise

        return again(attempt, self.store, view.thread)


def _checked(threads: str | Sequence[str], namespace: str | None, *checkpoints: str | None) -> Sequence[str]:
    """The threads, if they and what else is named could be stored: no database is asked for anything else.

    Raises:
        InvalidIdError: One of them could not.
    """
    check_id("namespace", namespace or "", longest=MAX_STREAM_BYTES, empty=True)
    for checkpoint in checkpoints:
        if checkpoint is not None:
            check_id("checkpoint id", checkpoint, longest=MAX_STREAM_BYTES)
    several = [threads] if isinstance(threads, str) else threads
    return [check_id("thread", thread, longest=MAX_STREAM_BYTES) for thread in several]


def _to_cursor(place: _Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _from_cursor(cursor: str) -> _Place:
    try:
        checkpoint, namespace, thread = json.loads(base64.urlsafe_b64decode(cursor))
        _checked([thread], namespace, checkpoint)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadInputError("this cursor was not made by a timeline: pass next_cursor of the page before") from error
    return checkpoint, namespace, thread
