"""Databases that releases of LangGraph's savers of the last year write: they come in, are the same, and go on.

The old application runs in a process of its own: a few of its threads, with the releases that are installed here; or,
where EVENTSTORE_STOCK_RELEASES says so, all of them, with each of RELEASES. `install` makes environments for these, of
120 MB each; a path names the folder in which they are, or are made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.conftest import fresh_database
from tests.support import old_application
from tests.support.observation import assert_same
from tests.support.stock import opened, seen

VARIABLE = "EVENTSTORE_STOCK_RELEASES"
# PostgresSaver, SqliteSaver, and LangGraph with its serializer, as they went together.
RELEASES = [
    ("3.0.1", "3.0.1", "1.0.3", "3.0.1"),
    ("3.0.2", "3.0.1", "1.0.5", "3.0.1"),
    ("3.0.3", "3.0.2", "1.0.7", "4.0.0"),
    ("3.0.4", "3.0.2", "1.0.10", "4.0.1"),
    ("3.0.5", "3.0.3", "1.1.3", "4.0.2"),
    ("3.1.0", "3.1.0", "1.2.0", "4.1.0"),
    ("3.1.1", "3.1.1", "1.2.5", "4.1.1"),
    ("3.1.2", "3.1.1", "1.2.14", "4.2.0"),
    ("3.1.3", "3.1.2", "1.2.20", "4.3.1"),
]
ASKED = os.environ.get(VARIABLE)
THREADS = () if ASKED else ("nested", "packets-failed", "delta-asks-again")


@pytest.fixture(scope="module", params=RELEASES if ASKED else ["installed"], ids="-".join if ASKED else str)
def interpreter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with a release of the savers."""
    if not ASKED:
        return Path(sys.executable)
    folder = tmp_path_factory.mktemp("releases") if ASKED == "install" else Path(ASKED)
    postgres, sqlite, langgraph, checkpoint = request.param
    environment = folder / f"pg{postgres}-sq{sqlite}"
    if not environment.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        wanted = [
            *(f"langgraph-checkpoint-postgres=={postgres}", f"langgraph-checkpoint-sqlite=={sqlite}"),
            *(f"langgraph=={langgraph}", f"langgraph-checkpoint=={checkpoint}", "psycopg[binary]"),
        ]
        subprocess.run([environment / "bin" / "pip", "install", "--quiet", *wanted], check=True)
    return environment / "bin" / "python"


def written_by(interpreter: Path, url: str) -> dict[str, Any]:
    """Let the old application write its database; what it sees of its threads."""
    program = Path(old_application.__file__)
    ran = subprocess.run(
        [interpreter, "-W", "ignore", program, url, *THREADS], capture_output=True, text=True, timeout=170, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("theirs", "backend"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_what_a_release_wrote_comes_in_is_the_same_and_goes_on(
    interpreter: Path, theirs: str, tmp_path: Path, pg_server: str, saver: EventStoreSaver
) -> None:
    with fresh_database(pg_server) as server:
        url = server if theirs == "postgres" else f"sqlite:///{tmp_path / 'old.db'}"
        expected = written_by(interpreter, url)
        report = Moving(saver).import_from(url)
        assert (report.ok, report.moved, report.problems) == (True, len(expected), ())
        with opened(url) as old:
            assert_same(seen(saver, *expected), seen(old.saver, *expected))
            for thread, states in expected.items():
                # Of DeltaChannels in subgraphs, forks and packets, releases before 1.2.14 made something else.
                shown = old_application.seen(thread, old.saver) if thread.startswith("delta") else states
                assert old_application.seen(thread, saver) == shown
                assert old_application.go_on(thread, saver) == old_application.go_on(thread, old.saver)
                assert saver.history.check(thread).ok
