"""The tree of what has branched: checkpoints by their parents, across the branches of a thread and the forks of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, Self

from eventstore import EventStore, NotFoundError, OvertakenError
from eventstore.events import from_microseconds
from projections.model import Branch
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.view import View
from projections.tables import PlacedRow, Source, Tables


class Point(NamedTuple):
    """A checkpoint of a tree: the stream that it was saved to, and its id."""

    stream_id: int
    checkpoint: str


@dataclass(slots=True)
class _Member:
    """A thread of the tree.

    Attributes:
        view: What it shows; of a deleted one nothing, but forks may show what it had.
        parent_id: The stream that it was forked from.
        described: What its fork was described by.
        head: Its latest checkpoint.
    """

    view: View
    parent_id: int | None
    described: Mapping[str, Any]
    head: Point | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    """A checkpoint: on which branch it is, when it was saved, and what it follows."""

    branch_id: int
    version: int
    parent: str | None


@dataclass(slots=True)
class _Path:
    """The checkpoints of a branch that no branch before it has, the last one first; and whose branch it is."""

    tip: Point
    base: Point | None
    own: list[Point]
    member: _Member


@dataclass(slots=True)
class Family:
    """A thread, all that it descends from, and all that descends from these.

    Attributes:
        finder: Finds what threads show.
        namespace: Of the checkpoints.
        asked: The stream that was asked for.
        members: The threads, by their streams.
        nodes: The checkpoints.
        shown: The streams whose threads show a checkpoint.
        kept: The checkpoints that the thread which saved them shows, or can be put back to.
    """

    finder: Finder
    namespace: str
    asked: int
    members: dict[int, _Member] = field(default_factory=dict)
    nodes: dict[Point, _Node] = field(default_factory=dict)
    shown: dict[Point, set[int]] = field(default_factory=dict)
    kept: set[Point] = field(default_factory=set)

    @classmethod
    def of(cls, store: EventStore, tables: Tables, finder: Finder, thread: str, namespace: str) -> Self:
        """The family of a thread.

        Raises:
            NotFoundError: There is no such thread.
        """
        view = finder.view(thread)
        if view is None:
            raise NotFoundError(f"there is no thread {thread!r}")
        root = finder.root(view)
        family = cls(finder, namespace, view.stream_id)
        branches: dict[int, int] = {}
        for stream in store.log.family(root):
            shown = None if stream.closed else finder.view(stream.name)
            if shown and shown.stream_id != stream.stream_id:
                raise OvertakenError(f"thread {stream.name!r} was replaced while its tree was read")
            shown = shown or View(stream.name, stream.stream_id, [], stream.parent_id is not None)
            family.members[stream.stream_id] = _Member(shown, stream.parent_id, stream.metadata)
            its_branches = tables.branches.of_stream(stream.stream_id)
            branches.update((branch.branch_id, stream.stream_id) for branch in its_branches)
        for branch_id, stream_id in branches.items():
            rows = tables.checkpoints.of_branch(Source(branch_id))
            family._take(branch_id, stream_id, (row for row in rows if row.namespace == namespace))
        for member in family.members.values():
            if member.view.sources:
                latest = finder.locate(member.view, namespace, None)
                member.head = family._point(member.view.stream_id, latest.id) if latest else None
        return family

    def branches(self) -> tuple[Branch, ...]:
        """The trees, each by its trunk."""
        paths = list(self._paths())
        on: dict[Point, int] = {}
        children: list[list[Branch]] = [[] for _ in paths]
        for number, path in enumerate(paths):
            on.update(dict.fromkeys(path.own, number))
        trunks: list[Branch] = []
        for number in reversed(range(len(paths))):  # what grows from a branch comes behind it
            path = paths[number]
            grown = self._branch(path, tuple(reversed(children[number])))
            (trunks if path.base is None else children[on[path.base]]).append(grown)
        return tuple(reversed(trunks))

    def path(self, checkpoint: str) -> set[str]:
        """The ids of the checkpoints that belong to no other branch than that of the asked thread which ends at one."""
        for path in self._paths():
            if path.tip == Point(self.asked, checkpoint):
                return {point.checkpoint for point in path.own if point.stream_id == self.asked}
        return set()

    def is_head(self, checkpoint: str) -> bool:
        """Return whether that checkpoint is the latest of the thread that was asked for."""
        head = self.members[self.asked].head
        return head is not None and head.checkpoint == checkpoint

    def _take(self, branch_id: int, stream_id: int, rows: Iterable[PlacedRow]) -> None:
        """Note the checkpoints of a branch that are shown on it, or by who goes on from it."""
        bounds = [
            (member, source)
            for member in self.members.values()
            for source in member.view.sources
            if source.branch_id == branch_id
        ]
        alive = bool(self.members[stream_id].view.sources)
        for row in rows:
            point = Point(stream_id, row.id)
            node = _Node(branch_id, row.version, row.parent)
            shows = {
                member.view.stream_id
                for member, source in bounds
                if source.shows(row.id, row.shown_from, row.retired_at)
            }
            kept = stream_id in shows or (alive and row.retired_at is None)
            if kept:
                self.kept.add(point)
            if shows or kept:
                self.nodes.setdefault(point, node)
            if shows:
                self.nodes[point] = node
                self.shown.setdefault(point, set()).update(shows)

    def _member(self, point: Point) -> _Member:
        """Return whose checkpoint it is: of who saved it, or, if that thread has forgotten it, of the first fork."""
        return self.members[point.stream_id if point in self.kept else min(self.shown[point])]

    def _point(self, stream_id: int, checkpoint: str) -> Point | None:
        """A checkpoint of a thread: its own, or of the nearest that it descends from."""
        at: int | None = stream_id
        met: set[int] = set()
        while at is not None and at not in met:
            if (point := Point(at, checkpoint)) in self.nodes:
                return point
            met.add(at)
            at = self.members[at].parent_id if at in self.members else None
        return None

    def _parent(self, point: Point) -> Point | None:
        parent = self.nodes[point].parent
        return self._point(point.stream_id, parent) if parent is not None else None

    def _age(self, point: Point) -> int:
        """The younger, the less."""
        return -self.nodes[point].version

    def _paths(self) -> Iterator[_Path]:
        """The branches: those of the threads' heads, then what stands beside them, the youngest first."""
        followed = {self._parent(point) for point in self.nodes}
        heads = [(member.head, member) for member in self.members.values() if member.head]
        leaves = sorted(self.nodes.keys() - followed - {head for head, _ in heads}, key=self._age)
        taken: set[Point] = set()
        # Where checkpoints follow each other in a ring, and nobody stands on it, none of them is a leaf.
        ringed = (point for point in sorted(self.nodes, key=self._age) if point not in taken)
        tips = chain(leaves, ringed)
        for tip, member in chain(heads, ((each, self._member(each)) for each in tips)):
            own: list[Point] = []
            point: Point | None = tip
            while point is not None and point not in taken:
                taken.add(point)
                own.append(point)
                point = self._parent(point)
            # A ring is cut where it was entered.
            yield _Path(tip, None if point in own else point, own, member)

    def _branch(self, path: _Path, children: tuple[Branch, ...]) -> Branch:
        located = self._locate(path.tip)
        return Branch(
            thread=path.member.view.thread,
            tip=path.tip.checkpoint,
            base=path.base and path.base.checkpoint,
            checkpoints=len(path.own),
            head=path.member.head == path.tip,
            shown=path.member.view.stream_id in self.shown.get(path.tip, ()),
            step=located.cause.metadata.get("step") if located else None,
            saved_at=from_microseconds(located.recorded_at) if located else None,
            forked=path.member.parent_id is not None and path.member.head == path.tip,
            name=path.member.described.get("name"),
            reason=path.member.described.get("reason"),
            children=children,
        )

    def _locate(self, point: Point) -> Located | None:
        branch = View("", point.stream_id, [Source(self.nodes[point].branch_id)], forked=False)
        return self.finder.locate(branch, self.namespace, point.checkpoint, retired=True)
