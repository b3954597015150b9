"""The tree of branches: checkpoints by their parents, across the branches of a thread and the forks of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Self

from eventstore import EventStore, NotFoundError, OvertakenError
from eventstore.events import from_microseconds
from eventstore.tuples import NamedTuple
from projections.outcomes import Branch, BranchTree
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.view import View
from projections.tables import PlacedRow, Source, Tables


class NodeId(NamedTuple):
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
        latest: Its latest checkpoint.
    """

    view: View
    parent_id: int | None
    described: Mapping[str, Any]
    latest: NodeId | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    """A checkpoint: on which branch it is, when it was saved, and what it follows."""

    branch_id: int
    version: int
    parent: str | None


@dataclass(slots=True)
class _Path:
    """The checkpoints of a branch that no branch before it has, the last one first; and whose branch it is."""

    tip: NodeId
    base: NodeId | None
    own: list[NodeId]
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
    nodes: dict[NodeId, _Node] = field(default_factory=dict)
    shown: dict[NodeId, set[int]] = field(default_factory=dict)
    kept: set[NodeId] = field(default_factory=set)

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
            own_branches = tables.branches.of_stream(stream.stream_id)
            branches.update((branch.branch_id, stream.stream_id) for branch in own_branches)
        for branch_id, stream_id in branches.items():
            rows = tables.checkpoints.of_branch(Source(branch_id))
            family._take(branch_id, stream_id, (row for row in rows if row.namespace == namespace))
        for member in family.members.values():
            if member.view.sources:
                latest = finder.locate(member.view, namespace, None)
                member.latest = family._node_id(member.view.stream_id, latest.id) if latest else None
        return family

    def branches(self) -> BranchTree:
        """The trees, each by its trunk."""
        paths = list(self._paths())
        on: dict[NodeId, int] = {}
        children: list[list[Branch]] = [[] for _ in paths]
        for number, path in enumerate(paths):
            on.update(dict.fromkeys(path.own, number))
        trunks: list[Branch] = []
        for number in reversed(range(len(paths))):  # what grows from a branch comes behind it
            path = paths[number]
            grown = self._branch(path, tuple(reversed(children[number])))
            (trunks if path.base is None else children[on[path.base]]).append(grown)
        return BranchTree(reversed(trunks))

    def path(self, checkpoint: str) -> set[str]:
        """The ids of the checkpoints that belong to no other branch than that of the asked thread which ends at one."""
        for path in self._paths():
            if path.tip == NodeId(self.asked, checkpoint):
                return {node_id.checkpoint for node_id in path.own if node_id.stream_id == self.asked}
        return set()

    def is_latest(self, checkpoint: str) -> bool:
        """Return whether that checkpoint is the latest of the thread that was asked for."""
        latest = self.members[self.asked].latest
        return latest is not None and latest.checkpoint == checkpoint

    def _take(self, branch_id: int, stream_id: int, rows: Iterable[PlacedRow]) -> None:
        """Note the checkpoints of a branch that are shown on it, or on one that goes on from it."""
        bounds = [
            (member, source)
            for member in self.members.values()
            for source in member.view.sources
            if source.branch_id == branch_id
        ]
        alive = bool(self.members[stream_id].view.sources)
        for row in rows:
            node_id = NodeId(stream_id, row.id)
            node = _Node(branch_id, row.version, row.parent)
            shows = {
                member.view.stream_id
                for member, source in bounds
                if source.shows(row.id, row.shown_from, row.retired_at)
            }
            kept = stream_id in shows or (alive and row.retired_at is None)
            if kept:
                self.kept.add(node_id)
            if shows or kept:
                self.nodes.setdefault(node_id, node)
            if shows:
                self.nodes[node_id] = node
                self.shown.setdefault(node_id, set()).update(shows)

    def _member(self, node_id: NodeId) -> _Member:
        """Return the thread that a checkpoint is of: that saved it, or, if it shows it no longer, the first fork."""
        return self.members[node_id.stream_id if node_id in self.kept else min(self.shown[node_id])]

    def _node_id(self, stream_id: int, checkpoint: str) -> NodeId | None:
        """A checkpoint of a thread: its own, or of the nearest that it descends from."""
        at: int | None = stream_id
        met: set[int] = set()
        while at is not None and at not in met:
            if (node_id := NodeId(at, checkpoint)) in self.nodes:
                return node_id
            met.add(at)
            at = self.members[at].parent_id if at in self.members else None
        return None

    def _parent(self, node_id: NodeId) -> NodeId | None:
        parent = self.nodes[node_id].parent
        return self._node_id(node_id.stream_id, parent) if parent is not None else None

    def _age(self, node_id: NodeId) -> int:
        """A key that sorts younger checkpoints first."""
        return -self.nodes[node_id].version

    def _paths(self) -> Iterator[_Path]:
        """The branches: those that threads are on, then the ones that they have left, the youngest first."""
        followed = {self._parent(node_id) for node_id in self.nodes}
        latest = [(member.latest, member) for member in self.members.values() if member.latest]
        leaves = sorted(self.nodes.keys() - followed - {each for each, _ in latest}, key=self._age)
        taken: set[NodeId] = set()
        # If checkpoints follow each other in a ring that no thread is on, none of them is a leaf.
        ringed = (node_id for node_id in sorted(self.nodes, key=self._age) if node_id not in taken)
        tips = chain(leaves, ringed)
        for tip, member in chain(latest, ((each, self._member(each)) for each in tips)):
            own: list[NodeId] = []
            node_id: NodeId | None = tip
            while node_id is not None and node_id not in taken:
                taken.add(node_id)
                own.append(node_id)
                node_id = self._parent(node_id)
            # A ring is cut where it was entered.
            yield _Path(tip, None if node_id in own else node_id, own, member)

    def _branch(self, path: _Path, children: tuple[Branch, ...]) -> Branch:
        located = self._locate(path.tip)
        return Branch(
            thread=path.member.view.thread,
            tip=path.tip.checkpoint,
            base=path.base and path.base.checkpoint,
            checkpoints=len(path.own),
            current=path.member.latest == path.tip,
            shown=path.member.view.stream_id in self.shown.get(path.tip, ()),
            step=located.cause.metadata.get("step") if located else None,
            saved_at=from_microseconds(located.recorded_at) if located else None,
            forked=path.member.parent_id is not None and path.member.latest == path.tip,
            name=path.member.described.get("name"),
            reason=path.member.described.get("reason"),
            children=children,
        )

    def _locate(self, node_id: NodeId) -> Located | None:
        branch = View("", node_id.stream_id, [Source(self.nodes[node_id].branch_id)], forked=False)
        return self.finder.locate(branch, self.namespace, node_id.checkpoint, retired=True)
