"""The names of tasks that stand in their checkpoint: found once both are in the feed, whichever came first.

Each event that has a part in it is entered with a term of the checkpoint that it names, by which the others are found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from eventstore.metadata import storable
from eventstore.reading import LogReader, Span
from eventstore.tuples import NamedTuple
from projections.audit.extract import Extract, Part, extract
from projections.audit.terms import node_term, tasks_term
from projections.pregel import Wrote, nodes_at
from projections.records import CheckpointRecord
from projections.tables.audit import AuditTable

# How many events are read again at once: those that came in another batch than what they are named by.
_READ_AGAIN = 100


class Renaming(NamedTuple):
    """An event that was entered before, and the node that it is of, as is known by now."""

    position: int
    was: str | None
    node: str | None

    def carry_out(self, table: AuditTable) -> None:
        """Give the event's row the name, in an open transaction."""
        table.rename(self.position, self.node)
        if self.was is not None:
            table.drop_terms(self.position, [node_term(self.was)])
        if self.node is not None:
            table.add_term(self.position, node_term(self.node))


class Naming:
    """Names tasks, by what one transaction sees, or ahead of one.

    Args:
        log: The log.
        table: The audit's tables.
    """

    def __init__(self, log: LogReader, table: AuditTable) -> None:
        self._log = log
        self._table = table
        self._lineages: dict[int, Sequence[Span]] = {}

    def completed(self, batch: Sequence[Extract]) -> tuple[list[Extract], list[Renaming]]:
        """A batch with the names that its tasks have by now; what gives names to tasks that were entered before."""
        parts = [each.part for each in batch if each.part]
        if not parts:
            return [*batch], []
        nodes = self._nodes(parts)
        completed = []
        for each in batch:
            if part := each.part:
                each = each.with_terms(self._terms(part))  # noqa: PLW2901 (the same, told more of)
                if node := nodes.pop(part.position, None):
                    each = each.of_node(node)  # noqa: PLW2901
            completed.append(each)
        return completed, [*self._renaming(nodes)]

    def terms_of(self, stream_id: int, namespace: str, checkpoint: str | None) -> set[int]:
        """All the terms that an event of a stream can have for its part in the names of a checkpoint's tasks."""
        if checkpoint is None:
            return set()
        return {tasks_term(each.stream_id, namespace, checkpoint) for each in self._lineage(stream_id)}

    def without(self, lost: Collection[int]) -> Iterator[Renaming]:
        """Return what takes names from tasks that had them from events whose content is gone, by terms of these."""
        return self._renaming(self._nodes((), lost))

    def _nodes(self, new: Iterable[Part], touched: Collection[int] = ()) -> dict[int, str | None]:
        """The nodes of unnamed tasks, by the positions of what they wrote: of all that some events have a part in."""
        parts = {part.position: part for part in new}
        terms = {term for part in parts.values() for term in self._terms(part)} | {*touched}
        parts.update((part.position, part) for part in self._entered(terms, parts))
        # What was found may be of forks, where their ancestors' checkpoints, or their own, have a part, too.
        further = {term for part in parts.values() for term in self._terms(part)} - terms
        parts.update((part.position, part) for part in self._entered(further, parts))
        by_checkpoint: defaultdict[tuple[str, str], list[Part]] = defaultdict(list)
        for part in sorted(parts.values(), key=lambda part: part.version):
            by_checkpoint[part.namespace, part.checkpoint].append(part)
        return {
            position: node
            for together in by_checkpoint.values()
            for stream_id in {part.stream_id for part in together if part.is_unnamed}
            for position, node in self._nodes_in(stream_id, together)
        }

    def _nodes_in(self, stream_id: int, together: Sequence[Part]) -> Iterator[tuple[int, str | None]]:
        """The nodes of the tasks that wrote into a stream at one checkpoint, as who reads the stream sees it."""
        seen = {span.stream_id: span for span in self._lineage(stream_id)}
        checkpoint: CheckpointRecord | None = None
        written: list[tuple[Part, Wrote]] = []
        for part in together:
            if part.stream_id not in seen or not seen[part.stream_id].holds(part.version):
                continue
            if isinstance(part.record, CheckpointRecord):
                checkpoint = part.record  # of one that was saved again, the last
            else:
                written.append((part, Wrote(part.task, None, part.record)))
        nodes = nodes_at([wrote for _, wrote in written], checkpoint)
        for (part, _), node in zip(written, nodes, strict=True):
            if part.stream_id == stream_id and part.is_unnamed:
                yield part.position, None if node is None else storable(node)

    def _terms(self, part: Part) -> list[int]:
        # A task may write into a fork, at a checkpoint that an ancestor has saved.
        spans = self._lineage(part.stream_id) if part.is_unnamed else ()
        streams = dict.fromkeys((part.stream_id, *(span.stream_id for span in spans)))
        names = storable(part.namespace), storable(part.checkpoint)
        return [tasks_term(stream_id, *names) for stream_id in streams]

    def _entered(self, terms: Collection[int], known: Collection[int]) -> Iterator[Part]:
        """The events with some terms that were entered before, but for those that are known."""
        if not terms:
            return
        positions = sorted({*self._table.with_terms(terms)}.difference(known))
        for start in range(0, len(positions), _READ_AGAIN):
            for row in self._log.feed_at(positions[start : start + _READ_AGAIN]):
                if part := extract(row, self._log).part:
                    yield part

    def _renaming(self, nodes: Mapping[int, str | None]) -> Iterator[Renaming]:
        """Return what gives rows that were entered before the names that they have now."""
        for position, was in self._table.nodes(nodes) if nodes else ():
            if nodes[position] != was:
                yield Renaming(position, was, nodes[position])

    def _lineage(self, stream_id: int) -> Sequence[Span]:
        if stream_id not in self._lineages:
            self._lineages[stream_id] = self._log.lineage(stream_id)
        return self._lineages[stream_id]
