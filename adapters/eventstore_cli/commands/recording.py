"""`record`: the recorded history of a thread as one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click

from eventstore_cli.declaring import Option
from eventstore_cli.options import Thread, Yes
from eventstore_cli.output import Output, Text
from eventstore_views.session import Session


def record(
    session: Session,
    out: Output,
    thread: Thread,
    file: Annotated[str, Option("-o", "--output", metavar="FILE", help="The file to be written. Needed.")] = "",
    yes: Yes = False,
) -> None:
    """Write the recorded history of a thread into one small file.

    If the file is there, it asks. It holds checkpoints, pending writes, recorded answers and inputs as they are stored:
    personal data, too. To redact it, write it in Python: see docs/replay.md.

    Example:
      eventstore record thread-1 -o tests/histories/thread-1.history
    """
    if not file:
        raise click.UsageError("Missing option '-o FILE'")
    from langgraph.checkpoint.eventstore._saver import EventStoreSaver  # noqa: PLC0415
    from langgraph.checkpoint.eventstore.histories.history import RecordedHistory  # noqa: PLC0415

    if Path(file).is_file():
        out.confirm(f"Write over {file}?", yes=yes)
    history = RecordedHistory.of(EventStoreSaver(session.store, migrate=False), thread)
    size = history.write(file)
    if out.json:
        out.document({"thread": history.thread, "file": file, "events": len(history.events), "bytes": size})
    else:
        out.say([Text(f"{file}: {len(history.events):,} events of {history.thread}, {size:,} bytes")])
