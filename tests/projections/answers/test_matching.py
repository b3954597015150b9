"""The matching of calls with recorded ones: pure functions of values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.answers.calls import Asked, Call, Kind, Located, Place
from projections.answers.matching import Matching
from projections.answers.nearest import likely

TEXT = "hello"


def place(task: str = "task", *, thread: str = "replay", node: str = "node", step: int = 1, path: str = "") -> Place:
    """A task of the outermost graph."""
    return Place(thread, "", "checkpoint", task, node, step, path)


def called(text: str = TEXT, kind: Kind = "model", name: str = "Dice") -> Call:
    """A call."""
    return Call(kind, name, {"messages": text})


def recorded(version: int, where: Place, text: str = TEXT, *, number: int = 0, failed: bool = False) -> Located:
    """A call in the record."""
    return Located(1, version, "model", "Dice", where, called(text).fingerprint, number, failed)


def asked(where: Place | None, text: str = TEXT, number: int = 0) -> Asked:
    """A call that a replay makes."""
    return Asked(called(text), where, number)


def found(matching: Matching, *asking: Asked) -> list[int | None]:
    """The versions of what answers some calls."""
    answers = [matching.find(each) for each in asking]
    return [each.version if each else None for each in answers]


def test_the_same_task_comes_before_the_same_place_and_that_before_the_same_node() -> None:
    there = place("other", thread="main")
    record = [
        recorded(1, place("elsewhere", node="another")),
        recorded(2, place("there", step=7)),
        recorded(3, there),
        recorded(4, place("task", step=9)),
    ]
    one_by_one = [asked(place("task")) for _ in range(1)] + [asked(place(f"new {n}")) for n in range(4)]
    assert found(Matching(record), *one_by_one) == [4, 3, 2, 1, None]


def test_what_a_task_got_it_gets_at_each_attempt() -> None:
    matching = Matching([recorded(1, place("a")), recorded(2, place("b"))])
    assert found(matching, *[asked(place("new"))] * 3) == [2, 2, 2]


def test_of_a_task_that_was_run_again_the_last_answer_counts_and_the_others_are_gone() -> None:
    matching = Matching([recorded(1, place("a")), recorded(2, place("a"))])
    assert found(matching, asked(place("new")), asked(place("newer"))) == [2, None]


def test_an_answer_comes_before_a_failure() -> None:
    matching = Matching([recorded(1, place("a")), recorded(2, place("a"), failed=True)])
    assert found(matching, asked(place("a"))) == [1]


def test_each_thread_that_is_replayed_gets_all_of_the_record() -> None:
    matching = Matching([recorded(1, place("a"))])
    threads = [asked(place("a", thread=name)) for name in ("one", "two")]
    assert found(matching, *threads, asked(place("b", thread="one"))) == [1, 1, None]


def test_what_no_task_asks_gets_the_answers_in_order() -> None:
    matching = Matching([recorded(1, place("a")), recorded(2, place("b"))])
    assert found(matching, *[asked(None)] * 3) == [1, 2, None]


@given(st.permutations(range(6)))
def test_parallel_tasks_get_their_own_answers_in_whatever_order_they_ask(order: list[int]) -> None:
    record = [recorded(n, place(f"then {n}", path=f"sent {n}")) for n in range(6)]
    matching = Matching(record)
    assert found(matching, *(asked(place(f"now {n}", path=f"sent {n}")) for n in order)) == order


def test_a_fingerprint_tells_calls_apart_by_kind_name_and_what_is_asked() -> None:
    calls: list[Any] = [called(), called("bye"), called(kind="tool"), called(name="Other")]
    assert len({each.fingerprint for each in calls}) == 4
    assert called().fingerprint == Call("model", "Dice", {"messages": TEXT}).fingerprint


def test_the_likeliest_calls_are_those_of_the_same_node_and_the_nearest_step() -> None:
    record = [recorded(n, place("a", node=node, step=n)) for n, node in enumerate(["other", "node", "node", "other"])]
    assert [each.version for each in likely(asked(place(step=3)), record)] == [2, 1, 3, 0]
