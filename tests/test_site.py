"""The site of docs/: it builds without a warning, its links lead somewhere, and nothing comes from another host."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
# What the reference is of, and the page.
REFERENCE = {
    "eventstore": ("eventstore", "errors"),
    "eventstore.testing": ("testing",),
    "langgraph.checkpoint.eventstore": ("saver",),
    "langgraph.checkpoint.eventstore.moving": ("moving",),
    "langgraph.checkpoint.eventstore.telemetry": ("saver",),
    "langgraph.checkpoint.eventstore.testing": ("testing",),
    "projections": ("projections",),
}


@dataclass
class Page(HTMLParser):
    """The references of a page, and the places in it that others can name.

    Attributes:
        links: Where its links lead.
        loads: What a browser loads to show it.
        anchors: The places in it that links can name.
    """

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element refers to."""
        given = {name: value for name, value in attrs if value}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder with the site: the first of the processes that run the tests builds it, and the others wait for it."""
    place = tmp_path_factory.getbasetemp()
    place = place if worker_id == "master" else place.parent
    folder = place / "site"
    with (place / "site.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not folder.exists():
            build(folder)
    return folder


def build(folder: Path) -> None:
    """Build the site, without a warning."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "WARNING" not in built.stderr


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of the site."""
    read = {}
    # The page of what is not there is served from any address, so its links begin at the root.
    for path in sorted(set(site.rglob("*.html")) - {site / "404.html"}):
        read[path] = page = Page()
        page.feed(path.read_text(encoding="utf-8"))
    return read


def test_every_link_leads_to_a_page_and_an_anchor(site: Path, pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto", "data"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            found = target.is_file() and (not parts.fragment or unquote(parts.fragment) in pages[target].anchors)
            lost += [] if found else [f"{path.relative_to(site)}: {link}"]
    assert not lost


def test_nothing_is_loaded_from_another_host(pages: dict[Path, Page]) -> None:
    assert not {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}


def test_every_document_is_a_page(site: Path, pages: dict[Path, Page]) -> None:
    documents = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    titles = {path.relative_to(site).with_suffix("") for path in pages}
    assert {path.with_name("index") if path.name == "README" else path for path in documents} <= titles


@pytest.mark.parametrize("package", REFERENCE)
def test_every_public_name_is_in_the_reference(package: str, site: Path, pages: dict[Path, Page]) -> None:
    told = set()
    for name in REFERENCE[package]:
        told |= {anchor.rpartition(".")[2] for anchor in pages[site / "reference" / f"{name}.html"].anchors}
    assert set(importlib.import_module(package).__all__) <= told
