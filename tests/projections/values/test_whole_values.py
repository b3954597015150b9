"""Values that are stored whole, and read again and again: by copiers, as the parts of other values are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import at, save

MakeSaver = Callable[..., EventStoreSaver]


def test_a_whole_value_is_not_taken_for_the_part_of_a_list_that_has_the_same_bytes(make_saver: MakeSaver) -> None:
    """An item of a list is written in a list of its own, and a short list is stored whole."""
    saver = make_saver()
    item = {"to": "node", "with": [1, 2]}
    values: Any = {"many": [item, *({"number": number, "text": "x" * 40} for number in range(9))], "one": [item]}
    save(saver, 1, values)
    for _ in range(3):  # what is read the second time is copied from then on
        found = saver.get_tuple(at())
        assert found
        assert found.checkpoint["channel_values"] == values
        assert [each.checkpoint["channel_values"] for each in saver.list(at())] == [values]


def test_who_changes_a_whole_value_changes_nobody_elses(make_saver: MakeSaver) -> None:
    saver = make_saver()
    save(saver, 1, {"one": [{"to": ["node"]}]})
    for _ in range(4):
        found = saver.get_tuple(at())
        assert found
        assert found.checkpoint["channel_values"]["one"] == [{"to": ["node"]}]
        found.checkpoint["channel_values"]["one"][0]["to"].append("changed")
