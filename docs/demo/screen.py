"""How the demo speaks: one console, and one form of line, for all the processes that share the terminal."""

from __future__ import annotations

import io
import os
import sys
from datetime import datetime

from langchain_core.messages import AIMessage, AnyMessage
from rich.console import Console
from rich.text import Text

if isinstance(sys.stdout, io.TextIOWrapper):
    # A terminal that cannot show a sign shows "?" in its place instead of a traceback.
    sys.stdout.reconfigure(errors="replace")

console = Console(highlight=False)

STYLES = {
    "model": "magenta",
    "tools": "green",
    "you": "bold blue",
    "store": "cyan",
    "paused": "bold yellow",
    "killed": "bold red",
}


def act(title: str) -> None:
    """Begin a part of the demo."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


def line(who: str, text: str, pid: int | None = None) -> None:
    """Say in one line what happened: in which process, who did it, and what; cut to the terminal's width."""
    columns = (f"{pid or os.getpid():>7}  ", "dim"), (f"{who:<6}  ", STYLES.get(who, "dim"))
    console.print(Text.assemble(*columns, text), no_wrap=True, overflow="ellipsis")


def describe(message: AnyMessage) -> str:
    """A message in a few words: the calls that a model asks for, the result of a tool, or the text."""
    if isinstance(message, AIMessage) and message.tool_calls:
        return "calls " + ", ".join(
            f"{call['name']}({next(iter(call['args'].values()), '')})" for call in message.tool_calls
        )
    text = " ".join(message.text.split())
    return f"{message.name}: {text}" if message.type == "tool" else f"“{text}”"


def clock(time: str) -> str:
    """An ISO 8601 time as this machine's clock shows it, to the millisecond."""
    return datetime.fromisoformat(time).astimezone().isoformat(timespec="milliseconds")[11:23]
