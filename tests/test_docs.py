"""The README and the documents: short, linked, and true where the code can tell."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eventstore import EventStore, UnrecordedCallError, errors
from eventstore.environment import NAMES
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._history import History
from langgraph.checkpoint.eventstore._opening import TEXTS
from projections import Audit

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
MANUAL = sorted(ROOT.glob("docs/**/*.md"))
DOCUMENTS = [README, ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "RESULTS.md", *MANUAL]
MOST_WORDS = 1200
# What the names in the README's samples stand for.
OWNERS = {
    "saver": EventStoreSaver,
    "store": EventStore,
    "saver.store": EventStore,
    "history": History,
    "history.audit": Audit,
}


@cache
def drawings() -> dict[str, Callable[[], object]]:
    """The drawings of docs/how-it-works.md, by the names of their files."""
    found: dict[str, Callable[[], object]] = runpy.run_path(str(ROOT / "docs" / "site" / "drawings.py"))["DRAWINGS"]
    return found


_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(?:#([^)\s]*))?\)")
_FILE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|sql|md))`|`((?:[\w.-]+/)+)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for target, heading in _LINK.findall(_prose(document)):
        path = document.parent / target if target else document
        assert path.exists(), target
        assert not heading or heading in set(_headings(path)), f"{target}#{heading}"


# The changelog tells of what is gone, too.
@pytest.mark.parametrize("document", [README, *MANUAL], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_exists(document: Path) -> None:
    missing = [name for found in _FILE.findall(_prose(document)) if (name := "".join(found)) not in _names()]
    assert not missing


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len(_prose(README).split()) <= MOST_WORDS


def test_the_readme_leads_to_every_document_by_itself_or_by_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    assert index in _linked(README)
    assert set(DOCUMENTS) <= {README} | _linked(README) | _linked(index)


def test_every_option_is_documented_with_its_default() -> None:
    documented = {name: (of, default) for name, of, default, *_ in _options()}
    saver, store = _defaults(EventStoreSaver.__init__), _defaults(EventStore.open)
    assert documented.keys() == saver.keys() | store.keys()
    for name, (of, default) in documented.items():
        assert of == ("both" if name in saver and name in store else "saver" if name in saver else "store"), name
        actual = saver.get(name, store.get(name))
        if name not in ("serde", "snapshots"):  # `None` stands for what the table says
            assert _value(default) == actual, name


def test_each_option_is_said_to_be_in_the_url_and_the_environment_that_is_read_there() -> None:
    for name, _, _, url, variable in _options():
        assert url == ("libpq's" if name == "connect_timeout" else "yes" if name in TEXTS else ""), name
        assert variable == ("yes" if name in TEXTS else ""), name
    assert {*TEXTS} == {*NAMES}
    # What is left can be made by Python alone.
    assert {name for name, *_ in _options()} - {*TEXTS} == {"serde", "value_upcasters", "upcasters"}


def _options() -> list[tuple[str, str, str, str, str]]:
    """The table of options: name, of what, default, URL, and variable."""
    page = (ROOT / "docs" / "options.md").read_text("utf-8")
    return [
        (name, of, default, url.strip(), variable.strip())
        for name, of, default, url, variable in re.findall(
            r"^\| `(\w+)` \| (\w+) \| (.+?) \|([^|]*)\|([^|]*)\|", page, re.MULTILINE
        )
    ]


def test_every_dependency_is_said_to_be_for_something() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    told = re.findall(r"^\| `([\w-]+)`.*? \| \w", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.MULTILINE)
    assert {re.split(r"[\[>=]", each)[0] for each in needed} <= set(told)


def test_every_error_has_an_entry_in_troubleshooting() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    entries = re.findall(r"^### (\w+)\n\n(.+?)(?=\n\n#|\Z)", page, re.DOTALL | re.MULTILINE)
    assert sorted(name for name, _ in entries) == sorted(name for name in vars(errors) if name.endswith("Error"))
    assert not [name for name, text in entries if "**Do**:" not in " ".join(text.split())]


@pytest.mark.parametrize("name", sorted(drawings()))
def test_a_drawing_is_the_one_that_its_program_draws(name: str) -> None:
    assert (ROOT / "docs" / "images" / name).read_text("utf-8") == str(drawings()[name]())
    assert f"](images/{name})" in (ROOT / "docs" / "how-it-works.md").read_text("utf-8")


@pytest.mark.parametrize("begins", ["from langgraph", "from eventstore"])
def test_what_the_readme_shows_runs(begins: str, url: str) -> None:
    (sample,) = (block for block in _samples() if block.startswith(begins))
    assert "sqlite:///agents.db" in sample
    exec(sample.replace("sqlite:///agents.db", url), {})


def test_what_the_page_on_replays_shows_runs_and_is_refused_as_it_says(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs" / "replay.md"
    sample, of_a_file = _samples(page)
    names: dict[str, Any] = {}
    exec(sample.replace("sqlite:///agents.db", url), names)
    told, _ = re.findall(r"^```text\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    with EventStoreSaver.from_conn_string(url) as saver:
        graph = names["builder"].compile(checkpointer=saver)
        with pytest.raises(UnrecordedCallError) as refused, saver.replaying("thread-1"):
            graph.invoke({"messages": [("user", "Hello there")]}, {"configurable": {"thread_id": "replay-2"}})
    # When the answer arrived in the log is nobody's matter.
    said = re.sub(r"version \d+", "version 4", str(refused.value))
    assert said.split() == told.split()
    monkeypatch.chdir(tmp_path)
    exec(of_a_file.replace("sqlite:///agents.db", url), names)
    names["test_the_graph_does_what_it_did"]()


def test_what_the_readme_calls_takes_these_arguments_and_has_an_async_twin() -> None:
    calls = [node for block in _samples() for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    called = {ast.unparse(call.func): call for call in calls}
    checked = 0
    for name, call in called.items():
        owner, _, method = name.rpartition(".")
        if owner in OWNERS and method != "from_conn_string":
            keywords = {each.arg: None for each in call.keywords if each.arg}
            inspect.signature(getattr(OWNERS[owner], method)).bind(None, *call.args, **keywords)
            if owner != "store":  # which has none for what waits
                assert callable(getattr(OWNERS[owner], f"a{method}")), name
            checked += 1
    assert checked > 20


def _prose(document: Path) -> str:
    return _CODE.sub("", document.read_text(encoding="utf-8"))


def _linked(document: Path) -> set[Path]:
    return {(document.parent / target).resolve() for target, _ in _LINK.findall(_prose(document)) if target}


def _headings(document: Path) -> Iterator[str]:
    """The anchors that a document's headings get."""
    for heading in re.findall(r"^#+ (.*)$", _prose(document), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def _names() -> set[str]:
    """Return the names that files and folders can be called by: any end of their path."""
    names: set[str] = set()
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    for path in [*tops, *(below for top in tops for below in top.rglob("*"))]:
        parts, end = path.relative_to(ROOT).parts, "/" if path.is_dir() else ""
        names.update("/".join(parts[first:]) + end for first in range(len(parts)))
    return names


def _defaults(function: object) -> dict[str, object]:
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def _value(text: str) -> object:
    """A default as the table spells it."""
    if size := re.fullmatch(r"(\d+) (MiB|GiB)", text):
        return int(size[1]) << {"MiB": 20, "GiB": 30}[size[2]]
    return ast.literal_eval(text.strip("`"))


def _samples(document: Path = README) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
