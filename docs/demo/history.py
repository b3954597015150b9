"""The history of a thread as a tree: each checkpoint with its time, its size in the store and its cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from rich.text import Text
from rich.tree import Tree

from screen import STYLES, clock


def tree(title: str, newest_first: Sequence[StateSnapshot], sizes: Mapping[str, int], marks: Mapping[str, str]) -> Tree:
    """Draw a history.

    Args:
        title: What stands at the root.
        newest_first: `list(graph.get_state_history(config))`.
        sizes: Bytes in the store by checkpoint id.
        marks: What befell the run while it stood at a checkpoint, by checkpoint id.
    """
    children: dict[str | None, list[StateSnapshot]] = defaultdict(list)
    for snapshot in reversed(newest_first):
        children[snapshot.parent_config and id_of(snapshot.parent_config)].append(snapshot)

    def grow(branch: Tree, snapshot: StateSnapshot, parent: StateSnapshot | None) -> None:
        row = _row(snapshot, parent, sizes[id_of(snapshot.config)])
        if snapshot is newest_first[0]:
            row.append("  ● HEAD", "bold cyan")
        if mark := marks.get(id_of(snapshot.config)):
            row.append(f"\n    ✗ {mark}", STYLES["killed"])
        for question in snapshot.interrupts:
            row.append(f"\n    ⏸ paused: {question.value}", STYLES["paused"])
        node = branch.add(row)
        following = children[id_of(snapshot.config)]
        for number, child in enumerate(following, 1):
            # A chain stays at one level, else a long history would leave the screen; only a fork goes deeper.
            grow(branch if len(following) == 1 else node.add(f"[bold]branch {number}"), child, snapshot)

    root = Tree(f"[bold]{title}", guide_style="dim")
    for first in children[None]:
        grow(root, first, None)
    return root


def id_of(config: RunnableConfig) -> str:
    """The checkpoint that a config points at."""
    return str(config["configurable"]["checkpoint_id"])


def _row(snapshot: StateSnapshot, parent: StateSnapshot | None, size: int) -> Text:
    step = snapshot.metadata["step"] if snapshot.metadata else "?"
    time = clock(snapshot.created_at or "")
    row = Text.assemble((f"{step:>2}", "bold"), (f"  {time} {size:>6,} B  ", "dim"))
    return row.append(_cause(snapshot, parent))


def _cause(snapshot: StateSnapshot, parent: StateSnapshot | None) -> Text:
    """Return who made the checkpoint (nodes that ran, or LangGraph's `source`), and the messages that came with it."""
    source = str(snapshot.metadata["source"]) if snapshot.metadata else ""
    who = source
    if parent and source == "loop":
        who = ", ".join(dict.fromkeys(task.name for task in parent.tasks))
    known = len(parent.values.get("messages", ())) if parent else 0
    new: list[AnyMessage] = snapshot.values.get("messages", [])[known:]
    return Text.assemble((f"{who:<6} ", STYLES.get(who, "blue")), _in_short(new))


def _in_short(messages: Sequence[AnyMessage]) -> str:
    """The tools that were called or answered, or the beginning of the text."""
    calls = [call["name"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    tools = Counter(calls or [str(message.name) for message in messages if message.type == "tool"])
    if tools:
        return "calls " * bool(calls) + ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in tools.items())
    return "".join(f"“{message.text[:20]}…”" for message in messages)
