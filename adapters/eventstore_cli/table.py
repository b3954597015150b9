"""The commands by name: the module of each, and what the help says of it. A command's module is imported to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword

from eventstore_cli.declaring import Command, command_of
from eventstore_cli.options import with_shared

PANELS = ("Look", "Check", "Change", "More")
"""The headings of the list of commands, in their order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command.

    Attributes:
        panel: Its heading in the list of commands.
        module: Where its function is, which is called like it.
        line: The first line of its help.
        flexible: Whether `-1` is an argument to it, and no option.
    """

    panel: str
    module: str
    line: str
    flexible: bool = False


TABLE: Mapping[str, Entry] = {
    "threads": Entry("Look", "listing", "List threads, the last active first."),
    "log": Entry("Look", "history", "Show the checkpoints of a thread, the latest first, with what each changed."),
    "show": Entry("Look", "history", "Show a checkpoint: its channels, what is pending at it, and what comes next."),
    "diff": Entry("Look", "comparing", "Show how checkpoint A became checkpoint B."),
    "blame": Entry(
        "Look",
        "comparing",
        "Show where what a channel holds comes from: which checkpoint, node and run put it there.",
        flexible=True,
    ),
    "compare": Entry("Look", "comparing", "Show what each of two branches changed since they parted."),
    "tree": Entry("Look", "branching", "Draw all that has branched from a thread, and what it branched from."),
    "tail": Entry("Look", "following", "Show the last events, and with --follow those to come."),
    "audit": Entry("Look", "auditing", "Show who did what, when: the events of all threads, the last first."),
    "usage": Entry(
        "Look", "spending", "Show what the models of runs took, in tokens and in money, as their messages say it."
    ),
    "export": Entry(
        "Look", "auditing", "Write events into a file, or threads into a database of LangGraph's own savers."
    ),
    "record": Entry("Look", "recording", "Write the recorded history of a thread into one small file."),
    "stalled": Entry("Check", "checking", "List threads that stopped in the middle, and why."),
    "verify": Entry("Check", "checking", "Check that everything is as it was written."),
    "shapes": Entry("Check", "shapes", "List threads that hold values of old shapes, and what cannot be made again."),
    "health": Entry("Check", "health", "Tell whether the store is well, or why not."),
    "stats": Entry("Check", "listing", "Count what the store holds, or a thread."),
    "migrate": Entry("Check", "schema", "Create the tables of a store, or bring them up to date."),
    "import": Entry("Change", "langgraph", "Bring in threads from a database of LangGraph's own savers."),
    "rollback": Entry(
        "Change", "moving", "Put a thread back to where it was at a checkpoint, or before a message or a turn."
    ),
    "undo": Entry("Change", "moving", "Undo the last rollback or switch of a thread."),
    "switch": Entry("Change", "moving", "Put a thread on another of its branches."),
    "fork": Entry("Change", "branching", "Begin a new thread with the past of another one."),
    "promote": Entry("Change", "branching", "Let a fork take the place of another thread."),
    "replay": Entry(
        "Change", "replaying", "Run a recorded history again, or what a changed node concerns, in a new thread."
    ),
    "prune": Entry("Change", "forgetting", "Forget the past of threads, and keep the latest checkpoint of each."),
    "delete": Entry("Change", "forgetting", "Delete threads, or the branch of one that ends at a checkpoint."),
}


def load(name: str) -> Command:
    """Import a command of the table."""
    entry = TABLE[name]
    # `import` is a word of Python's, too.
    attribute = f"{name}_" if iskeyword(name) else name
    function = getattr(import_module(f"eventstore_cli.commands.{entry.module}"), attribute)
    return command_of(name, with_shared(function), flexible=entry.flexible)
