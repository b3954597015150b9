"""`shapes`, and `verify` as the program reads: by its upcasters, which are imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.adapters.cli.conftest import offer_modules
from tests.support import shapes_new as new
from tests.support.saving import at, save
from tests.support.shell import Shell

MODULE = """
from langgraph.checkpoint.eventstore import ValueUpcasters
from tests.support import shapes_new

print("this is no part of the answer")
SHAPES = ValueUpcasters()
SHAPES.type(shapes_new.Old, version=1)(lambda fields: fields)

def make():
    return SHAPES

def failing():
    failing = ValueUpcasters()
    failing.type(shapes_new.Old, version=1)(lambda fields: fields["nobody"])
    failing.channel("price", old=int)(lambda price: 1 / 0)
    return failing

def needy(path):
    return SHAPES
"""
GRAPH = """
from langgraph.checkpoint.eventstore import EventStoreSaver
from some_shapes import SHAPES
from tests.support.histories import an_agent

graph = an_agent(EventStoreSaver.from_conn_string("sqlite:///:memory:", value_upcasters=SHAPES).__enter__())
"""
OLD = "tests.support.shapes_new.Old"
EVIL = "\x1b]8;;evil\x07link\u202e"


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's upcasters, where Python finds them."""
    offer_modules(tmp_path, monkeypatch, some_shapes=MODULE, some_agent=GRAPH)


@pytest.fixture
def stored(saver: EventStoreSaver) -> None:
    """A thread with old values, and one without."""
    save(saver, 1, {"orders": [new.Old("ann", 1)], "price": 5}, thread="old")
    saver.put_writes(at("old", 1), [("orders", [new.Old("bo", 2)])], "task")
    save(saver, 1, {"price": 5}, thread="fine")


@pytest.mark.usefixtures("stored")
def test_threads_with_old_shapes_are_listed(shell: Shell) -> None:
    for named in (
        ("--upcasters", "some_shapes:SHAPES"),
        ("--upcasters", "some_shapes:make"),
        ("--graph", "some_agent:graph"),
    ):
        [told] = shell.ok("shapes", *named, "--json").lines
        assert told == {
            "thread": "old",
            "version": 2,
            "values": 3,
            "old": [{"channel": "orders", "call": None, "type": OLD, "version": 1, "values": 2}],
            "unmade": [],
            "more": 0,
        }
    named = ("--upcasters", "some_shapes:SHAPES")
    head, row = shell.ok("shapes", *named).out.splitlines()
    assert head.split("\t")[:5] == ["THREAD", "CHANNEL", "TYPE", "VERSION", "VALUES"]
    assert row.split("\t")[:5] == ["old", "orders", OLD, "1", "2"]
    assert shell("shapes", *named, "--exit-code").code == 1
    assert shell("shapes", "fine", *named, "--exit-code").code == 0
    assert "in the newest shape" in shell.ok("shapes", "--prefix", "fi", *named).err
    assert len(shell.ok("shapes", "-n", "1", *named, "--json").lines) == 1
    assert shell("shapes", "nobody", *named).code == 3


@pytest.mark.usefixtures("stored")
def test_what_cannot_be_made_again_ends_with_1(shell: Shell) -> None:
    ran = shell("shapes", "--upcasters", "some_shapes:failing", "--json")
    assert ran.code == 1
    fine, old = ran.lines if ran.lines[0]["thread"] == "fine" else ran.lines[::-1]
    assert {(each["channel"], each["type"], each["values"]) for each in old["unmade"]} == {
        ("orders", OLD, 2),
        ("price", None, 1),
    }
    assert "raised KeyError: 'nobody'" in old["unmade"][0]["reason"]
    assert [each["channel"] for each in fine["unmade"]] == ["price"]
    shown = shell("shapes", "old", "--upcasters", "some_shapes:failing")
    assert shown.code == 1
    assert "cannot be made: its upcaster from version 1 raised KeyError: 'nobody'" in shown.out


@pytest.mark.usefixtures("stored")
def test_verify_tells_an_upcaster_that_fails_by_its_name_and_place(shell: Shell) -> None:
    assert shell.ok("verify", "--json").document["ok"]
    assert shell.ok("verify", "--upcasters", "some_shapes:SHAPES", "--json").document["ok"]
    ran = shell("verify", "old", "--upcasters", "some_shapes:failing", "--json")
    [told] = ran.document["threads"]
    assert ran.code == 1
    assert [(each["kind"], each["version"], each["channel"]) for each in told["findings"]] == [
        ("upcast", 1, "orders"),
        ("upcast", 1, "price"),
        ("upcast", 2, "orders"),
    ]
    assert "ZeroDivisionError" in told["findings"][1]["message"]
    shown = shell("verify", "old", "--upcasters", "some_shapes:failing")
    assert "upcast, event 1, channel price: " in shown.out
    assert "Traceback" not in shown.out + shown.err


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Missing option '--upcasters MODULE:ATTR'"),
        (("--upcasters", "some_shapes"), "write module:attribute"),
        (("--upcasters", "nowhere:SHAPES"), "check --upcasters"),
        (("--upcasters", "some_shapes:nobody"), "it has SHAPES: check --upcasters"),
        (("--upcasters", "some_shapes:OTHER"), "has no 'OTHER'"),
        (("--upcasters", "some_shapes:shapes_new"), "is a module, and no ValueUpcasters"),
        (("--upcasters", "some_shapes:needy"), "takes 'path'"),
        (("old", "--prefix", "o", "--upcasters", "some_shapes:SHAPES"), "name threads, or --prefix"),
    ],
)
def test_what_names_no_upcasters_is_refused(shell: Shell, options: tuple[str, ...], said: str) -> None:
    ran = shell("shapes", *options)
    assert ran.code == 2
    assert said in ran.err


def test_nothing_that_is_stored_is_obeyed_by_a_terminal(shell: Shell, saver: EventStoreSaver) -> None:
    kind: Any = type(f"T{EVIL}", (new.Old,), {"__module__": new.__name__, "__qualname__": f"T{EVIL}"})
    setattr(new, kind.__name__, kind)
    try:
        save(saver, 1, {f"channel{EVIL}": [new.Old("ann", 1)], "gone": kind("ann", 1)}, thread=f"thread{EVIL}")
    finally:
        delattr(new, kind.__name__)
    for options in ((), ("--json",)):
        ran = shell("shapes", "--upcasters", "some_shapes:SHAPES", *options)
        assert ran.code == 1
        assert not {*ran.out} & {"\x1b", "\x07", "\u202e"}
        assert ("\\u001b" if options else "\\x1b]8;;evil\\x07link") in ran.out
