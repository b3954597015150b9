"""The entry point of `eventstore`. The libraries that it is built with are optional: this module needs none of them."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from eventstore_cli.exits import Exit
from eventstore_shadowing import check


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    if not (find_spec("click") and find_spec("rich")):
        sys.stderr.write('eventstore: its command line needs: pip install "langgraph-checkpoint-eventstore[cli]"\n')
        sys.exit(Exit.UNAVAILABLE)
    try:
        check()
    except ImportError as error:
        sys.stderr.write(f"eventstore: {_visible(str(error))}\n")
        sys.exit(Exit.UNAVAILABLE)
    from eventstore_cli.program import program  # noqa: PLC0415 (click is optional)

    program()


def _visible(text: str) -> str:
    # What else shows names of files is in a package that is hidden now.
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
