"""Pages of the site that stand outside of docs/: the changelog, and the results of the benchmarks."""

import posixpath
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Each as the site calls it, and as it is found from docs/.
ELSEWHERE = {"changes.md": "../CHANGELOG.md", "results.md": "../benchmarks/RESULTS.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, with links as they are from docs/."""
    for page, path in ELSEWHERE.items():
        text = (Path(config.docs_dir) / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text.replace("](../docs/", "](").replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links of a page that lead to them lead to the site's own."""
    folder = posixpath.dirname(page.file.src_uri)
    for name, path in ELSEWHERE.items():
        there, here = (posixpath.relpath(each, folder or ".") for each in (path, name))
        markdown = markdown.replace(f"]({there})", f"]({here})")
    return markdown
