"""The methods of a saver that record what models and tools answer, and answer from the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstore.options import names_options

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._named import Thread
    from langgraph.checkpoint.eventstore.answers.recordings import Recording
    from langgraph.checkpoint.eventstore.answers.replays import Missing, Replaying
    from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver


class Answering:
    """Records what models and tools answer to a saver's graphs, and answers from the record."""

    @names_options()
    def recording(self: AnsweringSaver, *, reuse: bool = True) -> Recording:
        """Record what models and tools answer to this saver's graphs, in a `with` or `async with` block.

        Each call becomes an event of its thread, which is on disk before the node gets the answer. When a task of a
        checkpoint runs again, after a crash, an error or a question, its calls get the answers that they got.

        Args:
            reuse: `False`: such a task asks anew.

        Raises:
            UnserializableError: At a call: its answer cannot be stored.
        """
        from langgraph.checkpoint.eventstore.answers import recording  # noqa: PLC0415 (most savers record nothing)

        return recording(self, reuse=reuse)

    @names_options()
    def replaying(self: AnsweringSaver, thread: Thread, *, missing: Missing = "refuse") -> Replaying:
        """Answer the calls of models and tools from the record of a thread, in a `with` or `async with` block.

        It holds for every graph that runs in the block, on any thread and saver, or without one.

        Args:
            thread: The thread, or a fork: its record holds what it shares.
            missing: What becomes of a call that the record does not have. `"refuse"`: nothing goes out. `"record"`: it
                goes out, and the thread that runs gets a record of its own, with all answers.

        Raises:
            NotFoundError: When the block begins: there is no such thread, or it has no recorded answers.
            UnrecordedCallError: At a call that is refused, and at the end of the block if a node has caught it.
            RecordedFailureError: At a call that failed when it was recorded, unless with an error of Python's own.
        """
        from langgraph.checkpoint.eventstore.answers import replaying  # noqa: PLC0415 (see `recording`)

        return replaying(self, thread, missing)
