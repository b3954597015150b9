"""What a shell is offered to complete a word of the command line."""

from __future__ import annotations

from tests.support.shell import Shell


def completions(shell: Shell, line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    ran = shell(_EVENTSTORE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert ran.code == 0
    return ran.out.split()
