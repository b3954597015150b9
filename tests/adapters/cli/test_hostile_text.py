"""Whatever is stored, nothing of it is obeyed by a terminal, and nothing of it is hidden: by no command, in no way."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Context
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.types import Interrupt

from eventstore import Cause, NewEvent
from eventstore_cli import output
from eventstore_cli.program import program
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, Branches, NewCheckpoint, NewWrites
from projections.diffing.visible import json_line, printable
from tests.conftest import fresh_database, template
from tests.support.completing import completions
from tests.support.shell import ROOT, Ran, Shell

# A link, a cleared screen, C1 and DEL, turned writing, separators, nothing wide, tags, fillers, rich's markup.
OBEYED = "\x1b]8;;evil\x07link\x1b]8;;\x1b\\\x1b[2J\x9b5n\x85\x7f\b\r\n\v\f\u202eturned\u2066\u2069"
HIDDEN = "\u2028\u2029\u200b\u200d\ufeff\u00ad\U000e0041\u3164\ufe01\U000e0101"
SPELLED, JSON_SPELLED = r"\x1b]8;;evil\x07link", r"\u001b]8;;evil\u0007link"


def hostile(what: str) -> str:
    """A text that a terminal would obey, for one field."""
    return f"{what}{OBEYED}{HIDDEN}[link=evil][bold]{what}[/]"


THREAD, FORK, NAMESPACE, CHANNEL = map(hostile, ("thread", "fork", "namespace", "channel"))
IDS = [hostile(f"{number} id") for number in range(4)]
VALUES = {
    CHANNEL: [hostile("item")],
    "text": hostile("text") * 20,
    "messages": [
        HumanMessage(hostile("said"), id=hostile("message"), name=hostile("name")),
        AIMessage(
            "",
            id="ai",
            tool_calls=[{"name": hostile("tool"), "args": {hostile("argument"): 1}, "id": "1"}],
            usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
            response_metadata={"model_name": hostile("model")},
        ),
    ],
    "files": {hostile("path"): {hostile("key"): hostile("content")}},
    f"branch:to:{hostile('next')}": None,
}


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that has hostile text in everything that holds text."""
    file = tmp_path_factory.mktemp("hostile") / "store.db"
    with EventStoreSaver.from_conn_string(f"sqlite:///{file}") as saver:
        fill(saver)
    return file


@pytest.fixture(scope="module")
def filled_database(pg_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database that has."""
    with template(pg_server, fill) as name:
        yield name


@pytest.fixture
def sqlite_url(filled_file: Path, tmp_path: Path) -> str:
    """A copy of such a file: it is made once, since it takes a hundred times as long."""
    return f"sqlite:///{shutil.copy(filled_file, tmp_path / 'store.db')}"


@pytest.fixture
def postgres_store_url(pg_server: str, filled_database: str) -> Iterator[str]:
    """A copy of such a database."""
    with fresh_database(pg_server, filled_database) as url:
        yield url


@pytest.fixture
def stored(saver: EventStoreSaver) -> EventStoreSaver:
    """A store that has hostile text in everything that holds text."""
    return saver


@pytest.fixture
def sqlite_shell(sqlite_url: str) -> Shell:
    """A shell with such a store in a file: what a terminal gets does not differ between databases."""
    return Shell(sqlite_url)


def fill(saver: EventStoreSaver) -> None:
    """Save threads, branches and events with hostile text."""
    for namespace in ("", NAMESPACE):
        for number, id_ in enumerate(IDS):
            save(saver, namespace, id_, IDS[number - 1] if number else None, number)
    by = Cause(metadata={"by": hostile("by"), hostile("key"): hostile("value")})
    branches = Branches(saver.checkpoints)
    branches.fork(THREAD, FORK, at=IDS[1], name=hostile("branch"), reason=hostile("reason"), cause=by)
    saver.checkpoints.rollback(THREAD, to=IDS[2], reason=hostile("reason"), cause=by)
    saver.store.append(hostile("stream"), [NewEvent(hostile("topic"), b"", by)])


def save(saver: EventStoreSaver, namespace: str, id_: str, parent: str | None, number: int) -> None:
    """Save a checkpoint, and at it an answer, an error and a question."""
    about = {"source": hostile("source"), "step": number, hostile("key"): hostile("value"), "half": "\ud800"}
    versions = dict.fromkeys(VALUES, number + 1)
    values = {**VALUES, CHANNEL: [hostile("item")] * (number + 1)}
    saver.checkpoints.save(
        NewCheckpoint(
            thread=THREAD,
            namespace=namespace,
            id=id_,
            parent=parent,
            format=4,
            ts=hostile("time"),
            channel_versions=versions,
            new_versions=versions,
            values=values,
            versions_seen={},
            metadata=about,
            run=hostile("run"),
        ),
        saver.serde,
    )
    written = [
        (CHANNEL, 0, [hostile("item")]),
        ("__error__", -1, RuntimeError(hostile("error"))),
        ("__interrupt__", -3, [Interrupt(hostile("question"), id=hostile("interrupt"))]),
    ]
    for task, (channel, slot, value) in enumerate(written):
        saver.checkpoints.save_writes(
            NewWrites(
                THREAD,
                namespace,
                id_,
                hostile(f"task {task}"),
                f"~__pregel_pull, {hostile('node')}",
                [(channel, slot, value)],
                node=hostile("node"),
                run=hostile("run"),
                metadata=about,
            ),
            saver.serde,
        )


# How each command is run. One that is missing here fails the first test.
COMMANDS: dict[str, list[list[str]]] = {
    "threads": [[], ["-m", hostile("key")]],
    "stats": [[], [THREAD]],
    "log": [[THREAD], [THREAD, "--all"], [hostile("no thread")]],
    "show": [
        [THREAD],
        [THREAD, "--full"],
        [THREAD, IDS[1], "-s", NAMESPACE],
        [THREAD, "-c", CHANNEL],
        [THREAD, "-c", hostile("no channel")],
        [THREAD, hostile("no id")],
    ],
    "diff": [[THREAD], [THREAD, IDS[0], "--full"], [THREAD, "@", "@", "--with", FORK]],
    "blame": [
        [THREAD, CHANNEL],
        [THREAD, "messages", "-1"],
        [THREAD, "files", hostile("path"), "-s", NAMESPACE],
        [THREAD, "files", hostile("no path")],
    ],
    "tree": [[THREAD], [THREAD, "-s", NAMESPACE]],
    "fork": [[THREAD, hostile("new"), "--name", hostile("name")], [THREAD, FORK], [THREAD, "x", "--at", IDS[0]]],
    "promote": [[FORK, THREAD, "--yes"], [FORK, hostile("no thread"), "--yes"]],
    "delete": [
        [THREAD, "--yes"],
        [THREAD, FORK, "--yes"],
        [THREAD, "--branch", IDS[3], "--yes"],
        [hostile("no thread"), "--yes"],
    ],
    "prune": [[THREAD, "--dry-run"], [THREAD, "--yes"], [hostile("no thread"), "--yes"]],
    "record": [[hostile("no thread"), "-o", "no file"], [THREAD, "-o", hostile("no/folder")]],
    "replay": [
        [THREAD, hostile("node"), "--graph", hostile("module:graph"), "--yes"],
        [hostile("no file"), "--graph", hostile("module:graph"), "--yes"],
    ],
    "compare": [[THREAD, FORK], [THREAD, FORK, "--full"], [THREAD, hostile("no thread")]],
    "tail": [[], [THREAD], [hostile("no thread")]],
    "health": [[], ["--older-than", hostile("duration")]],
    "rollback": [[THREAD, "~1", "--yes", "--reason", hostile("reason")], [THREAD, IDS[3], "--yes"]],
    "undo": [[THREAD, "--yes"], [hostile("no thread"), "--yes"]],
    "switch": [[THREAD, IDS[3], "--yes"]],
    "audit": [[], ["--thread", THREAD, "--oldest-first"], ["--where", hostile("nothing")]],
    "usage": [[], ["--by", "thread,run,model"], ["--by", hostile("group")], ["--prices", hostile("no file")]],
    "import": [[hostile("no database")], [f"sqlite:///{hostile('no database')}"]],
    "export": [["-"], ["-", "--where", hostile("nothing")]],
    "stalled": [[], ["--count"], ["--why", hostile("reason")], [hostile("th")], ["--older-than", hostile("duration")]],
    "shapes": [[], [THREAD], [hostile("no thread")], ["--upcasters", hostile("module:attribute")]],
    "verify": [[], [THREAD], [hostile("no thread")]],
    "migrate": [[], ["--check"], ["--sql"]],
    "help": [[], ["log"], [hostile("command")]],
    "completion": [["bash"], [hostile("shell")]],
}
RUNS = [[name, *arguments] for name, runs in COMMANDS.items() for arguments in runs]
# A question of each command that asks one.
ASKED = [
    ["rollback", THREAD, IDS[0]],
    ["undo", THREAD],
    ["switch", THREAD, IDS[3]],
    ["promote", FORK, THREAD],
    ["delete", THREAD],
    ["delete", THREAD, FORK],
    ["prune", THREAD],
]
# They count, and name nothing if all is well.
SILENT = ("stats", "delete", "prune", "verify", "migrate", "help", "completion", "health", "shapes")
# What rich writes: styles, its cursor, and lines that it takes back.
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[2K|\x1b\[1A|\r")


def named(arguments: list[str]) -> str:
    """How a test is called."""
    return printable(" ".join(argument[:10] for argument in arguments))


def assert_visible(ran: Ran) -> None:
    """Hold that there is nothing in the output but what is seen."""
    for text in (ran.out, ran.err):
        assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert ran.code != 70, ran.err


def test_every_command_is_tried_here() -> None:
    assert COMMANDS.keys() == {*program.list_commands(Context(program))}


def test_every_text_of_the_command_line_goes_through_one_way_out() -> None:
    sources = [path for path in (ROOT / "adapters" / "eventstore_cli").rglob("*.py") if path != Path(output.__file__)]
    for path in sources:
        text = path.read_text()
        assert "rich.text" not in text, f"{path.name}: use eventstore_cli.output.Text"
        assert not re.search(r"\bprint\(|click\.(echo|secho|style|confirm|prompt)|json\.dumps|Console\(", text), (
            path.name
        )


@pytest.mark.parametrize("arguments", RUNS, ids=named)
def test_in_a_pipe_nothing_is_obeyed_or_hidden(shell: Shell, stored: EventStoreSaver, arguments: list[str]) -> None:
    ran = shell(*arguments)
    assert_visible(ran)
    if arguments[0] not in SILENT and "--count" not in arguments and ran.out:
        assert SPELLED in ran.out + ran.err or JSON_SPELLED in ran.out


@pytest.mark.parametrize("arguments", RUNS, ids=named)
def test_as_json_nothing_is_obeyed_or_hidden(shell: Shell, stored: EventStoreSaver, arguments: list[str]) -> None:
    ran = shell(*arguments, "--json")
    assert_visible(ran)
    for line in ran.out.splitlines():
        assert arguments[0] in ("help", "completion") or json.loads(line) is not None


@pytest.mark.parametrize("arguments", RUNS, ids=named)
def test_at_a_terminal_nothing_is_obeyed_or_hidden(sqlite_shell: Shell, arguments: list[str]) -> None:
    ran = sqlite_shell.terminal(*arguments, "--no-pager")
    assert_visible(Ran(ran.code, OURS.sub("", ran.out), ""))


@pytest.mark.parametrize("arguments", ASKED, ids=named)
def test_no_question_is_obeyed(sqlite_shell: Shell, arguments: list[str]) -> None:
    ran = sqlite_shell.terminal(*arguments, typed="n\n")
    assert ran.code == 8
    assert_visible(Ran(ran.code, OURS.sub("", ran.out), ""))
    assert SPELLED in ran.out


def test_a_pager_obeys_nothing(sqlite_shell: Shell) -> None:
    ran = sqlite_shell.terminal("audit", PAGER="cat")
    assert_visible(Ran(ran.code, OURS.sub("", ran.out), ""))


def test_file_names_are_not_obeyed(shell: Shell, stored: EventStoreSaver, tmp_path: Path) -> None:
    file = tmp_path / f"{hostile('file').replace('/', '')}.jsonl"
    assert_visible(shell.ok("export", str(file)))
    for arguments in (["export", str(file)], ["threads", "--store", str(tmp_path / hostile("store").replace("/", ""))]):
        ran = shell(*arguments)
        assert ran.code
        assert_visible(ran)
        assert SPELLED in ran.err


def test_a_traceback_is_not_obeyed(shell: Shell, stored: EventStoreSaver) -> None:
    ran = shell("log", hostile("no thread"), "--debug")
    assert "Traceback" in ran.err
    assert_visible(ran)


def test_names_that_a_terminal_would_obey_are_not_offered_to_a_shell(shell: Shell, stored: EventStoreSaver) -> None:
    stored.copy_thread(THREAD, "plain")
    assert completions(shell, "eventstore log ") == ["plain"]
    assert completions(shell, "eventstore blame plain ") == ["files", "messages", "text"]
    # Of an id only the end is offered, which is harmless here.
    assert completions(shell, "eventstore show plain ")[:2] == ["2 id[/]", "1 id[/]"]


def test_json_is_read_back_as_it_was_stored(shell: Shell, stored: EventStoreSaver) -> None:
    [line] = shell.ok("threads", THREAD, "--json").lines
    assert line["thread"] == THREAD
    assert line["metadata"][hostile("key")] == hostile("value")
    shown = shell.ok("show", THREAD, "--json").document
    assert (shown["id"], shown["parent"], shown["run"]) == (IDS[2], IDS[1], hostile("run"))
    assert shown["channels"]["files"] == VALUES["files"]
    [rolled_back] = shell.ok("audit", "--topic", "thread.rolled_back", "--json").lines
    assert rolled_back["metadata"]["by"] == hostile("by")


def test_exports_hold_what_was_stored_and_are_not_obeyed(shell: Shell, stored: EventStoreSaver, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    lines, table = tmp_path / "audit.jsonl", tmp_path / "audit.parquet"
    shell.ok("export", str(lines))
    shell.ok("export", str(table))
    text = lines.read_bytes().decode()
    assert_visible(Ran(0, text, ""))
    assert shell.ok("export", "-").out == text
    audit = Audit(stored.store)
    expected = [(each.thread, each.topic, each.run, each.node, {**each.metadata}) for each in audit.entries()][::-1]
    names = ("thread", "topic", "run", "node", "metadata")
    found = [tuple(json.loads(line)[name] for name in names) for line in text.splitlines()]
    assert found == expected
    rows = pyarrow.read_table(table).to_pylist()
    for row in rows:
        assert_visible(Ran(0, row["metadata"], ""))
        row["metadata"] = json.loads(row["metadata"])
    assert [tuple(row[name] for name in names) for row in rows] == expected


def test_a_text_is_spelled_as_python_does_and_json_escaped_as_javascript_does() -> None:
    assert printable("a\tb\x1b\x9b\u202e\U000e0041\ud800é😀❤️") == r"a" + "\t" + r"b\x1b\x9b\u202e\U000e0041\ud800é😀❤️"
    text = {"a\x7f": ["\x1b\t\u2028\U000e0041\ud800é😀"]}
    assert json_line(text) == r'{"a\u007f": ["\u001b\t\u2028\udb40\udc41\ud800é😀"]}'
    assert json.loads(json_line(text)) == text
    assert json_line("é", ensure_ascii=True) == r'"\u00e9"'
