"""The pytest plugin: sessions of pytest, each in a process of its own, as users run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import RecordedHistory

ROOT = Path(__file__).parents[2]
NAMED = "name one by `pytest --histories DIR`, or as `histories` in pytest's configuration"

AGENT = """
from langgraph.graph import START, MessagesState, StateGraph

def greet(state: MessagesState):
    return {"messages": [("ai", "Good morning.")]}

builder = StateGraph(MessagesState).add_node(greet).add_edge(START, "greet")
"""
REPLAYS = """
import asyncio
from agent import builder
from langgraph.checkpoint.eventstore.testing import aassert_replays, assert_replays

def test_replays(recorded_history):
    assert_replays(builder, recorded_history)

def test_replays_in_a_loop(recorded_history):
    asyncio.run(aassert_replays(builder, recorded_history))
"""
# All that a user's environment may lack, or must not be slowed down by.
HEAVY = ("eventstore", "hypothesis", "langchain_core", "langgraph", "projections", "psycopg", "sqlite3")


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder in which pytest runs with the plugin of this checkout, whatever is installed."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'adapters'}")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider -p eventstore_pytest.plugin")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(agent=AGENT)
    return pytester


def record(url: str, file: Path) -> None:
    """Run the agent, and write its history into a file."""
    agent: dict[str, Any] = {}
    exec(AGENT, agent)
    file.parent.mkdir(parents=True, exist_ok=True)
    with EventStoreSaver.from_conn_string(url) as saver:
        with saver.recording():
            agent["builder"].compile(checkpointer=saver).invoke(
                {"messages": [("user", "Hello")]}, {"configurable": {"thread_id": file.stem}}
            )
        RecordedHistory.of(saver, file.stem).write(file)


def run(session: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return session.runpytest_subprocess("-W", "error", *arguments)


def test_a_test_is_run_once_for_each_recorded_file_and_is_called_like_it(
    session: pytest.Pytester, sqlite_url: str, postgres_url: str
) -> None:
    for name, url in (("thread-1", sqlite_url), ("support/thread-2", postgres_url)):
        record(url, session.path / "recorded" / f"{name}.history")
    (session.path / "recorded" / "README.md").write_text("Recorded in May.")
    session.makepyfile(test_it=REPLAYS)
    done = run(session, "-p", "xdist", "-v", "-n2", "--histories", "recorded")
    done.assert_outcomes(passed=4)
    for test in ("test_replays", "test_replays_in_a_loop"):
        for name in ("support/thread-2.history", "thread-1.history"):
            assert f"PASSED test_it.py::{test}[{name}]" in str(done.stdout)


@pytest.fixture
def recorded(session: pytest.Pytester, sqlite_url: str) -> pytest.Pytester:
    """A session whose folder `recorded` holds one history."""
    record(sqlite_url, session.path / "recorded" / "support" / "thread-1.history")
    return session


def test_what_a_changed_graph_does_is_told_where_the_test_stands_and_nothing_else_is(
    recorded: pytest.Pytester,
) -> None:
    recorded.makepyfile(agent=AGENT.replace("Good morning.", "Hello!"), test_it=REPLAYS)
    done = run(recorded, "--histories", "recorded")
    done.assert_outcomes(failed=2)
    shown = str(done.stdout)
    assert "in step 1, node 'greet', channel 'messages'" in shown
    assert '+   [0]: ["ai", "Hello!"]' in shown
    assert ">       assert_replays(builder, recorded_history)" in shown
    assert not re.search(r"^\S*(replaying|threads?)\.py:\d", shown, re.MULTILINE)


def test_the_folder_may_stand_in_the_configuration_and_a_test_may_take_a_part_of_it(recorded: pytest.Pytester) -> None:
    (recorded.path / "recorded" / "other.history").write_text("not read")
    (recorded.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nhistories = 'recorded'\n")
    recorded.mkdir("tests")
    for part in ("support", "support/thread-1.history"):
        source = f"import pytest\n@pytest.mark.histories({part!r})\ndef test_it(recorded_history): ..."
        (recorded.path / "tests" / "test_it.py").write_text(source)
        done = recorded.runpytest_inprocess("--strict-markers", "--collect-only", "-q", "tests")
        assert done.ret is pytest.ExitCode.OK
        assert done.outlines[0] == "tests/test_it.py::test_it[support/thread-1.history]"


def test_a_folder_that_is_not_there_or_has_no_history_is_refused_at_once(session: pytest.Pytester) -> None:
    session.makepyfile(test_it="def test_passes(): ...")
    session.mkdir("empty")
    for named, said in (
        ("none", f"the folder '{session.path / 'none'}' of recorded histories is not there: {NAMED}"),
        ("empty", f"there is no recorded history (*.history) in '{session.path / 'empty'}': write one there by"),
        ("agent.py", f"the folder '{session.path / 'agent.py'}' of recorded histories is a file: {NAMED}"),
    ):
        done = session.runpytest_inprocess("--histories", named)
        assert done.ret is pytest.ExitCode.USAGE_ERROR
        assert said in str(done.stderr)


@pytest.mark.parametrize(
    ("configured", "marked", "said"),
    [
        ("", "", f"no folder of recorded histories is named: {NAMED}"),
        ("none", "", "of recorded histories is not there"),
        ("empty", "", "there is no recorded history"),
        ("recorded", "@pytest.mark.histories('other')", "of recorded histories is not there"),
    ],
)
def test_a_test_that_has_no_histories_to_run_with_is_an_error(
    recorded: pytest.Pytester, configured: str, marked: str, said: str
) -> None:
    recorded.mkdir("empty")
    recorded.makeini(f"[pytest]\nhistories = {configured}" if configured else "[pytest]")
    recorded.makepyfile(test_it=f"import pytest\n{marked}\ndef test_it(recorded_history): ...\n")
    done = recorded.runpytest_inprocess()
    assert done.ret is pytest.ExitCode.INTERRUPTED
    done.assert_outcomes(errors=1)
    assert said in str(done.stdout)
    assert "plugin.py" not in str(done.stdout)


def test_a_damaged_file_is_told_by_its_name(recorded: pytest.Pytester) -> None:
    file = recorded.path / "recorded" / "support" / "thread-1.history"
    file.write_bytes(file.read_bytes()[:-1])
    recorded.makepyfile(test_it="def test_it(recorded_history): ...")
    done = run(recorded, "--histories", "recorded")
    done.assert_outcomes(errors=1)
    assert f"file '{file}': " in str(done.stdout)
    assert "Record it anew" in str(done.stdout)
    assert "plugin.py" not in str(done.stdout)


def test_what_others_call_like_a_fixture_of_ours_is_theirs(session: pytest.Pytester) -> None:
    session.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        def recorded_history():
            return "theirs"

        def test_a_fixture(recorded_history):
            assert recorded_history == "theirs"
        """,
        test_other="""
        import pytest

        @pytest.mark.parametrize("recorded_history", ["theirs"])
        def test_a_parameter(recorded_history):
            assert recorded_history == "theirs"
        """,
    )
    session.runpytest_inprocess().assert_outcomes(passed=2)


def test_each_test_has_a_saver_on_a_fresh_store_or_on_a_database_of_ones_own(
    session: pytest.Pytester, postgres_url: str
) -> None:
    session.makepyfile(
        test_it="""
        import asyncio
        import pytest

        given = {"messages": [("user", "Hello")]}
        config = {"configurable": {"thread_id": "thread-1"}}

        @pytest.mark.parametrize("number", [1, 2])
        def test_it(eventstore_saver, eventstore_url, number):
            from agent import builder
            assert not [*eventstore_saver.list(None)]
            builder.compile(checkpointer=eventstore_saver).invoke(given, config)
            assert eventstore_saver.get_tuple(config)
            assert eventstore_url.startswith("sqlite:///")

        def test_in_a_loop(eventstore_saver):
            from agent import builder
            asyncio.run(builder.compile(checkpointer=eventstore_saver).ainvoke(given, config))
            assert asyncio.run(eventstore_saver.aget_tuple(config))

        class TestElsewhere:
            @pytest.fixture
            def eventstore_url(self):
                return URL

            def test_it(self, eventstore_saver):
                assert "postgresql://" in repr(eventstore_saver.store)
        """.replace("URL", repr(postgres_url))
    )
    run(session).assert_outcomes(passed=4)


def test_the_plugin_imports_nothing_but_itself() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import eventstore_pytest.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["eventstore_pytest", "eventstore_pytest.plugin"]


def test_a_session_that_uses_none_of_it_imports_none_of_ours_and_lacks_nothing(
    session: pytest.Pytester,
) -> None:
    session.makepyfile(test_it=f"import sys\ndef test_it(): assert not sys.modules.keys() & {set(HEAVY)}")
    run(session, "--strict-config").assert_outcomes(passed=1)
