"""The guides in docs/ whose code is run exactly as it is printed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any, get_args
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.postgres import programs
from tests.support.printed import blocks, play
from tests.support.serving import listening, serving

ROOT = Path(__file__).parents[1]
GUIDES = {path.stem: path for path in (ROOT / "docs" / "guides").glob("*.md")}
# What only a server does; and those that are servers (the second one: see test_monitoring).
OF_POSTGRES, SERVED = {"production", "tenants"}, {"fastapi", "monitoring"}
MOST_LINES, MOST_LINES_OF_A_SAMPLE = 100, 30


def samples(page: str, language: str = "python") -> list[str]:
    """The code of a page, block by block."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module of a guide's code; what it leaves behind is left in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, "guide", module)
    return module


@pytest.fixture
def clean_server(pg_server: str) -> Iterator[str]:
    """A server without the roles and the database that guides make; databases are dropped before their roles."""
    yield pg_server
    with psycopg.connect(pg_server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
        for role in ("acme", "agents_app", "globex"):
            admin.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))


@pytest.mark.parametrize("guide", sorted(GUIDES.keys() - OF_POSTGRES - SERVED))
def test_a_guide_does_what_it_prints(guide: str, url: str, module: ModuleType) -> None:
    play(GUIDES[guide], module, {"sqlite:///agents.db": url})


@pytest.mark.parametrize("guide", sorted(OF_POSTGRES))
def test_a_guide_of_a_server_does_what_it_prints(
    guide: str, clean_server: str, postgres_url: str, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs()), prepend=os.pathsep)
    parts = urlsplit(postgres_url)
    server = postgres_url.replace(parts.path, "/", 1)
    addresses = {
        "postgresql://admin@host/database": postgres_url,
        "postgresql://admin@host/": server,
        "@host/database": f"@{parts.hostname}:{parts.port or 5432}{parts.path}",
    }
    play(GUIDES[guide], module, addresses)


def test_the_guide_of_an_application_does_what_it_prints_with_several_workers(url: str, module: ModuleType) -> None:
    with listening() as (descriptor, address):
        page, addresses = GUIDES["fastapi"], {"http://127.0.0.1:8000": address}
        [app, _] = blocks(page, addresses)
        Path(app.title).write_text(app.text, encoding="utf-8")
        with serving("app:app", descriptor, address, url) as served:
            play(page, module, addresses)
            served.answer_until_both_workers_did()


def test_a_guide_is_short_and_is_listed_in_the_order_of_use() -> None:
    assert not [name for name, page in GUIDES.items() if len(page.read_text("utf-8").splitlines()) > MOST_LINES]
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = [re.findall(r"guides/([\w-]+)\.md", text) for text in (index, nav)]
    assert listed[0] == listed[1]
    assert {*listed[0]} == GUIDES.keys()
    assert nav.index("guides/") < nav.index("chats.md")


def test_what_the_page_on_testing_shows_is_collected_and_passes(tmp_path: Path) -> None:
    printed = samples("testing.md")
    assert len(printed) == 10
    for number, sample in enumerate(printed):
        assert len(sample.splitlines()) <= MOST_LINES_OF_A_SAMPLE, sample
        named = re.match(r"# (\w+\.py)\n", sample)
        (tmp_path / (named[1] if named else f"test_sample_{number}.py")).write_text(sample, encoding="utf-8")
    [command] = [each for each in samples("testing.md", "sh") if each.startswith("pytest")]
    plugin = ["-p", "no:eventstore", "-p", "eventstore_pytest.plugin"]  # of this checkout, whatever is installed
    arguments = [*command.split()[1:], "-q", "-p", "no:cacheprovider", *plugin, "."]
    program = (
        f"import sys; sys.path[:0] = {['', str(ROOT), str(ROOT / 'adapters')]!r}; "
        f"import record, pytest; sys.exit(pytest.main({arguments!r}))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"^(\d+) passed", run.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) > 14


def test_the_story_that_the_page_on_testing_shows_is_the_one_that_is_told() -> None:
    [sample] = [each for each in samples("testing.md") if "class Order" in each]
    looked = ' if order["answer"] == "yes" else 0'
    assert looked in sample
    page: dict[str, Any] = {}
    searched = "invariants=[who_says_no_pays_nothing],"
    assert searched in sample
    exec(sample.replace(looked, "").replace(searched, f"{searched} max_examples=2000,"), page)
    with pytest.raises(AssertionError) as broken:
        page["test_orders"]()
    [story] = samples("testing.md", "text")
    first, *steps = story.splitlines()
    assert str(broken.value)[:-3] in first  # of any of the threads
    told = re.findall(r"^\s*state\.(\w+)\(", "\n".join(broken.value.__notes__), re.MULTILINE)
    printed = re.findall(r"^state\.(\w+)\(", "\n".join(steps), re.MULTILINE)
    assert printed == ["run", "answer"]
    # A run may also begin by being killed after its question: what is told is short, and ends with the answer.
    assert told[-2:] == ["answer", "teardown"]
    assert len(told) <= 5, told


def test_the_upcasters_that_the_page_on_types_shows_make_old_values_new(tmp_path: Path) -> None:
    sample, asking = samples("types.md")
    older = (
        "import sys, types\nfrom dataclasses import dataclass\n"
        "shop = sys.modules['shop'] = types.ModuleType('shop')\n"
        "models = sys.modules['shop.models'] = types.ModuleType('shop.models')\n"
        "@dataclass\nclass Order:\n    name: str\n    amount: int\n"
        "Order.__module__ = 'shop.models'; models.Order = Order\n"
        "from langgraph.checkpoint.eventstore import EventStoreSaver\n"
        "from tests.support.saving import save\n"
        "with EventStoreSaver.from_conn_string('agents.db') as saver:\n"
        "    save(saver, 1, {'orders': [Order('ann lee', 2)], 'price': 5, 'customer': 'ann lee'})\n"
    )
    shown = "    print(saver.get_tuple({'configurable': {'thread_id': 'thread'}}).checkpoint)\n"
    newer = sample.replace("    ...\n", shown + indent(asking, "    "))
    assert newer != sample
    paths = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'adapters')!r}]\n"
    for program in (older, newer):
        run = subprocess.run(
            [sys.executable, "-c", paths + program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
    assert "[Order(full_name='ann lee', amount=2)]" in run.stdout
    assert "'price': {'amount': 5, 'currency': 'EUR'}" in run.stdout
    assert "'first': 'ann', 'last': 'lee'" in run.stdout
    told = ["customer None None 1", "orders shop.models.Order 1 1", "price None None 1"]
    assert run.stdout.splitlines()[1:] == [f"thread {each}" for each in told]


def test_what_the_page_on_usage_shows_is_what_it_prints(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    [sample], [told] = samples("usage.md"), samples("usage.md", "text")
    assert "sqlite:///agents.db" in sample
    exec(sample.replace("sqlite:///agents.db", url), {})
    assert capsys.readouterr().out == told


def test_the_health_that_the_page_on_operations_shows_is_asked_for(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [sample] = [each for each in samples("operations.md") if "saver.health" in each]
    exec(sample.replace("sqlite:///agents.db", url), {})
    assert capsys.readouterr().out.startswith("200 {'ok': True, ")


def test_each_kind_of_problem_is_explained() -> None:
    from eventstore.health import Kind, Limits

    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("| `kind` |")[2].partition("\n\n")[0]
    assert {name for row in table.splitlines() for name in re.findall(r"`([a-z -]+)`", row.split("|")[1])} == set(
        get_args(Kind)
    )
    limits = dict(re.findall(r"\| `(\w+)=([\w.]+)` \|", table))
    assert {name: ast.literal_eval(value) for name, value in limits.items()} == Limits()._asdict()


def test_the_environment_that_the_page_on_options_shows_is_read(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [sample] = [each for each in samples("options.md") if "from_environment" in each]
    monkeypatch.setenv("EVENTSTORE_URL", url)
    exec(sample, {})
    saver, store = capsys.readouterr().out.splitlines()
    assert saver.startswith("EventStoreSaver(EventStore(")
    assert store.startswith("EventStore(")


def test_the_metrics_that_the_page_on_operations_shows_are_told(tmp_path: Path) -> None:
    """In a process of its own: a program sets its providers once."""
    [sample] = [each for each in samples("operations.md") if "instrument(saver)" in each]
    paths = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'adapters')!r}]\n"
    run = subprocess.run(
        [sys.executable, "-c", paths + sample], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "db.client.operation.duration" in run.stdout.split()
    assert "eventstore.healthy" in run.stdout.split()
