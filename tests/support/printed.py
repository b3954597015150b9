"""Pages that do what they print: their code is run as it stands there, and has to say what stands below it.

A page is a program in blocks, from the top to the bottom:

    ```python                    is run, with the names of the blocks before
    ```python title="app.py"     is written into a file
    ```console                   each line after a `$` is run by a shell
    ```text                      what the block above it said; a block without one below says nothing

Blocks in other languages are for readers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r'^```(\w+)(?: title="([\w.]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of a page.

    Attributes:
        language: Its language.
        title: The file that it is, if it is one.
        text: What it holds.
        said: The block of text below it, if there is one.
    """

    language: str
    title: str
    text: str
    said: str


def blocks(page: Path, addresses: Mapping[str, str]) -> Iterator[Block]:
    """The blocks of a page that do something, with these addresses instead of those that it prints."""
    text = page.read_text(encoding="utf-8")
    for printed, real in addresses.items():
        text = text.replace(printed, real)
    found = [*_BLOCK.findall(text), ("", "", "")]
    for (language, title, body), (below, _, said) in pairwise(found):
        if language in ("python", "console"):
            yield Block(language, title, body, said if below == "text" else "")


def play(
    page: Path, module: ModuleType, addresses: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> None:
    """Do what a page prints, in the working directory; `module` is where its names are, and its types are found."""
    shell = {**shell_environment(), **(environment or {})}
    for block in blocks(page, addresses):
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            expected = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)[1:]
            for command, output in zip(expected[::2], expected[1::2], strict=True):
                run = subprocess.run(command, shell=True, env=shell, capture_output=True, text=True, check=False)
                assert (run.stdout, run.stderr) == (output, ""), command
        else:
            with redirect_stdout(StringIO()) as said:
                exec(compile(block.text, page.name, "exec"), vars(module))
            assert said.getvalue() == block.said, block.text


def shell_environment() -> dict[str, str]:
    """The environment in which a reader who has installed the package enters commands."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")]),
        "COLUMNS": "100",
    }
