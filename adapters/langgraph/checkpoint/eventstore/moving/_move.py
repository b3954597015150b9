"""A move of threads from one end to the other: written, read again at both ends, and compared."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from eventstore import BadInputError, ConflictError, CorruptionError, NotFoundError, TypeNotAllowedError
from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore.moving._comparing import WRITES, bits, differences, has_all
from langgraph.checkpoint.eventstore.moving._contents import Content, Job, Place, Source, Target, in_order
from langgraph.checkpoint.eventstore.moving.report import MovedThread, MovingReport

Existing = Literal["refuse", "skip", "replace"]
"""The fate of a thread that is at the target already."""
Progress = Callable[[str, int, int], None]
"""Gets the thread that is being moved, how many checkpoints were done, and of how many."""

# How often a thread is written and compared, while runs go on writing to the source.
_ROUNDS = 3
# How many parents are remembered, with what each channel held.
_PARENTS = 16
_NAMED = 5
# After so many checkpoints that were compared, it is told how far it is.
_TOLD_EVERY = 20
# What is the matter with one thread; anything else is the matter with one of the databases, and ends the move.
_OF_A_THREAD = (BadInputError, ConflictError, CorruptionError, NotFoundError, TypeNotAllowedError)


_ANOTHER = "another thread has this id here: replace it (--existing replace, existing='replace'), or rename one of them"
_CHANGED = (
    "it was deleted, pruned, rolled back or renamed here, and was left so. To bring it in as it is in the source, use "
    "--existing replace (existing='replace')"
)


class _Task(NamedTuple):
    """A checkpoint that is to be written.

    Attributes:
        place: The checkpoint.
        itself: Whether itself; if not, its pending writes alone.
        whole: Whether with all its values, since it is there and differs.
    """

    place: Place
    itself: bool = True
    whole: bool = False


class Move:
    """Moves threads.

    Args:
        source: Where they come from.
        target: Where they go.
        existing: What to do where another thread has the id.
        progress: Is told how far it has come.
    """

    def __init__(self, source: Source, target: Target, existing: Existing, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._existing = existing
        self._progress = progress
        self._done = 0
        self._total = 0

    def run(self, threads: Callable[[], Iterable[str]], *, chosen: bool) -> MovingReport:
        """Move threads, each in one transaction.

        Args:
            threads: Gives their ids, as often as it is called.
            chosen: Whether these are not all of the source.

        Raises:
            ConflictError: Other threads have some of their ids, and these are to be refused: nothing was moved.
        """
        if self._existing == "refuse":
            self._refuse(threads())
        before = self._target.bytes()
        counted = (len(self._source.keys(thread)) for thread in threads())
        self._total = sum(counted) if chosen else self._source.number()
        counts: Counter[str] = Counter()
        problems: list[MovedThread] = []
        for thread in threads():
            moved = self._tried(thread)
            counts[moved.outcome] += 1
            counts["checkpoints"] += moved.checkpoints
            counts["compared"] += moved.compared
            if moved.error or moved.differences:
                problems.append(moved)
        return MovingReport(
            source=self._source.name,
            target=self._target.name,
            moved=counts["moved"],
            up_to_date=counts["up to date"],
            gone_on=counts["gone on"],
            skipped=counts["skipped"],
            checkpoints=counts["checkpoints"],
            compared=counts["compared"],
            source_bytes=self._source.bytes(),
            bytes_before=before,
            bytes_after=self._target.bytes(),
            problems=tuple(problems),
        )

    def one(self, thread: str) -> MovedThread:
        """Move one thread that is not at the target; nothing is written to one that is.

        Raises:
            ConflictError: Somebody wrote to it at the target meanwhile.
            EventStoreError: It cannot be moved; nothing was written.
        """
        return self._thread(thread, only_new=True)

    def _refuse(self, threads: Iterable[str]) -> None:
        others = [thread for thread in threads if self._is_surely_another(thread)]
        if others:
            more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
            names = ", ".join(map(repr, others[:_NAMED])) + more
            raise ConflictError(
                others[0],
                "no thread of that id",
                "another one",
                f"{self._target.name} already has other threads with these ids: {names}. Nothing was moved. "
                "Skip or replace them: --existing skip (or replace), existing='skip' (or 'replace')",
            )

    def _tried(self, thread: str) -> MovedThread:
        try:
            try:
                return self._thread(thread)
            except ConflictError:
                # Somebody wrote to it meanwhile, perhaps a saver that it came in for: what it is now is another look.
                return self._thread(thread)
        except _OF_A_THREAD as error:
            return MovedThread(thread, "failed", error=str(error))

    def _thread(self, thread: str, *, only_new: bool = False) -> MovedThread:
        places = in_order(self._source.places(thread))
        obstacle = self._obstacle(thread)
        replaced = obstacle is not None and self._existing == "replace"
        if replaced:
            self._target.replace(thread, partial(self._jobs, thread, [*map(_Task, places)]), self._source.name)
        elif obstacle == _ANOTHER and self._existing == "refuse":  # it became so since the first look
            raise ConflictError(thread, "no thread of that id", "another one", _ANOTHER)
        elif obstacle:
            return MovedThread(thread, "gone on" if obstacle == _CHANGED else "skipped", error=obstacle)
        version = self._target.version(thread)
        if version and only_new:
            return MovedThread(thread, "up to date")
        there = self._target.keys(thread) if version else set()
        tasks = self._tasks(thread, places, there, [])
        compared, found = len(places) - len(tasks), list[str]()
        if _has_gone_on(there, {place.key for place in places}):
            # Whatever differs is what runs did there since: nothing of it is to be written over.
            return MovedThread(thread, "gone on", compared=compared)
        moving = replaced or bool(tasks)
        written = len(places) if replaced else sum(task.itself for task in tasks)
        for _ in range(_ROUNDS):
            if not tasks:
                break
            # On what this leaves the next round goes on: what somebody does to the thread meanwhile is a conflict.
            version = self._target.write(thread, partial(self._jobs, thread, tasks), version, self._source.name)
            found.clear()
            again = self._tasks(thread, [task.place for task in tasks], {task.place.key for task in tasks}, found)
            compared += len(tasks) - len(again)
            tasks = again
        if tasks:
            return MovedThread(thread, "different", written, compared, tuple(found))
        return MovedThread(thread, "moved" if moving else "up to date", written, compared)

    def _tasks(
        self, thread: str, places: Sequence[Place], there: Collection[tuple[str, str]], found: list[str]
    ) -> list[_Task]:
        """Return what is to be written of some checkpoints: of those that are not there all, else what differs.

        Args:
            thread: The thread.
            places: The checkpoints.
            there: Those that are there.
            found: Gets what differs, in words.
        """
        tasks = {place.key: _Task(place) for place in places if place.key not in there}
        known = {place.key: place for place in places if place.key in there}
        for place, source, target in self._pairs(thread, known):
            self._done += 1
            if not self._done % _TOLD_EVERY:
                self._tell(thread)
            if source is None:  # it is gone since
                continue
            if target is None:
                tasks[place.key] = _Task(place)
            elif (different := [*differences(source, target)]) and not (
                different == [WRITES] and has_all(source, target)
            ):
                found += [f"checkpoint {place.id}: {each}" for each in different]
                tasks[place.key] = _Task(place, itself=different != [WRITES], whole=True)
        self._tell(thread)
        return [tasks[place.key] for place in places if place.key in tasks]

    def _pairs(
        self, thread: str, places: Mapping[tuple[str, str], Place]
    ) -> Iterator[tuple[Place, Content | None, Content | None]]:
        """Read some checkpoints at both ends."""
        left = dict(places)
        if not left:
            return
        if (sources := self._source.each(thread)) is not None:
            for content in sources:
                if place := left.pop(content.place.key, None):
                    yield place, content, self._target.read(thread, place)
        else:
            for content in self._target.each(thread) or ():
                if place := left.pop(content.place.key, None):
                    yield place, self._source.read(thread, place), content
        for place in left.values():
            yield place, self._source.read(thread, place), self._target.read(thread, place)

    def _jobs(self, thread: str, tasks: Sequence[_Task]) -> Iterator[Job]:
        """Read what is to be written, one checkpoint at a time."""
        parents: OrderedDict[tuple[str, str], Mapping[str, Any]] = OrderedDict()
        for place, itself, whole in tasks:
            content = self._source.read(thread, place)
            if content is None:
                continue
            held = _held(content) if itself else {}
            parent = {} if whole or not itself else self._parent(thread, content.place, parents)
            yield Job(content, frozenset(name for name, what in held.items() if parent.get(name) != what), itself)
            if itself:
                parents[place.key] = held
            if len(parents) > _PARENTS:
                parents.popitem(last=False)

    def _parent(
        self, thread: str, place: Place, parents: Mapping[tuple[str, str], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        if place.parent is None:
            return {}
        key = (place.namespace, place.parent)
        if key in parents:
            return parents[key]
        found = self._source.read(thread, Place(*key, None))
        return {} if found is None else _held(found)

    def _is_another(self, thread: str) -> bool:
        """Return whether a thread of the target has the id that did not come from the source, or has gone on since."""
        if not self._target.version(thread):
            return False
        there, here = self._target.keys(thread), self._source.keys(thread)
        if not there & here:
            return bool(there)
        # If both have gone on, the source's later checkpoints would be another branch.
        return bool(here - there) and _has_gone_on(there, here)

    def _obstacle(self, thread: str) -> str | None:
        """Return why a thread of the target does not go on from that of the source; `None`: it does, or is new."""
        if self._target.was_changed(thread):
            return _CHANGED
        return _ANOTHER if self._is_another(thread) else None

    def _is_surely_another(self, thread: str) -> bool:
        try:
            return self._obstacle(thread) == _ANOTHER
        except _OF_A_THREAD:
            return False  # it fails by itself, and the others are moved

    def _tell(self, thread: str) -> None:
        self._progress(thread, self._done, max(self._total, self._done))


def _has_gone_on(there: Collection[tuple[str, str]], here: Collection[tuple[str, str]]) -> bool:
    """Return whether the target has checkpoints of its own behind the last that both have.

    Those before it the source has pruned since.
    """
    common = {*there} & {*here}
    last = max((id_ for _, id_ in common), default="")
    return bool(common) and any(id_ > last for _, id_ in {*there} - {*here})


def _held(content: Content) -> dict[str, Any]:
    """Return what each channel holds: its version, and its value to the bit.

    A node that changes a message in place changes a value, and no version.
    """
    values, versions = content.values, content.checkpoint["channel_versions"]
    return {name: (version, bits(values[name]) if name in values else None) for name, version in versions.items()}
