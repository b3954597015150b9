"""Readers of one value, by several serializers at once: each gets what its own serializer makes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from projections.values import value as module
from projections.values.value import Value, written_value

FILE = Path(str(module.__file__))


class Signing:
    """A serializer that makes a value of its own name, whatever was stored."""

    def __init__(self, name: str) -> None:
        self.name = name

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return "signed", b""

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return [self.name]


@pytest.mark.parametrize("reads_before", range(4))
def test_a_reader_gets_its_own_value_whatever_another_reads_between_two_lines_of_it(reads_before: int) -> None:
    own, other = Signing("own"), Signing("other")
    for place in range(100):
        value = written_value("signed", b"")
        for _ in range(reads_before):
            value.restore(own)
        lines = 0

        def between(frame: FrameType, event: str, _: Any, value: Value = value, place: int = place) -> Any:
            nonlocal lines
            if Path(frame.f_code.co_filename) != FILE:
                return None
            if event == "line":
                lines += 1
                if lines == place:
                    assert value.restore(other) == ["other"]
            return between

        sys.settrace(between)
        try:
            found = value.restore(own)
        finally:
            sys.settrace(None)
        assert found == value.restore(own) == ["own"]
        if lines < place:
            break
    assert 1 < place < 99
