"""The guides in docs/ whose code is run exactly as it is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 30


def samples(page: str, language: str = "python") -> list[str]:
    """The code of a page, block by block."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_what_the_page_on_testing_shows_is_collected_and_passes(tmp_path: Path) -> None:
    printed = samples("testing.md")
    assert len(printed) == 10
    for number, sample in enumerate(printed):
        assert len(sample.splitlines()) <= MOST_LINES, sample
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
    [sample] = samples("types.md")
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
    newer = sample.replace(
        "    ...\n", "    print(saver.get_tuple({'configurable': {'thread_id': 'thread'}}).checkpoint)\n"
    )
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
