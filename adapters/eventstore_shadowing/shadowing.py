"""A program's own `eventstore` or `projections` hides the packages of these names: that is told before they are missed.

Event-sourced applications have such modules, and the folder of a script comes first on Python's path. The saver and the
command line begin with this look. `eventstore` itself does not: the log does without `projections`, and a program that
needs only the log may have a package of its own by that name.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

_OURS = {"eventstore": "erasing.py", "projections": "projection.py"}
"""The packages that the saver and the command line are built on, each with a file that only it has."""


def check() -> None:
    """Look which modules are found under the names of this distribution's packages. Nothing is imported.

    Raises:
        ImportError: One is another program's; the message says which file it is, and which one it hides.
    """
    for name, proof in _OURS.items():
        found = _place_of(name)
        if found is not None and not (found.parent / proof).is_file():
            raise ImportError(_message(name, proof, found), name=name, path=str(found))


def _place_of(name: str) -> Path | None:
    try:
        spec = find_spec(name)
    except ValueError:  # somebody has put a module there that does not say where it comes from
        spec = None
    return Path(spec.origin) if spec and spec.origin else None


def _message(name: str, proof: str, found: Path) -> str:
    folders = (Path(entry or ".").absolute() / name for entry in sys.path)
    hidden = next((folder for folder in folders if (folder / proof).is_file()), None)
    what = f"the package {name!r} of langgraph-checkpoint-eventstore" + (f", in {hidden}" if hidden else "")
    thing = found.parent if found.name == "__init__.py" else found
    return (
        f"{thing} hides {what}: Python's path has it first, and neither the saver nor the command line can do without "
        f"the other one. Give your module another name, or move it into a package of your own"
    )
