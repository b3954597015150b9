"""Completing a word of the command line, as a shell does."""

from __future__ import annotations

from tests.support.shell import Shell


def completions(shell: Shell, line: str) -> list[str]:
    """Return what bash offers at the end of a line."""
    words = line.split(" ")
    ran = shell(_EVENTSTORE_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert ran.code == 0
    return [each.partition(",")[2] for each in ran.out.splitlines() if each]
