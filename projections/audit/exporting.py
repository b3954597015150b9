"""Writing entries into files, page by page: in constant memory, however many there are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from eventstore import BadInputError, UnavailableError
from eventstore.arguments import refused
from eventstore.ids import check_id
from projections.audit.entries import AuditEntry
from projections.diffing.plain import iso
from projections.diffing.visible import json_line

GROUP = 20_000
"""The rows of a row group, which Parquet's writer holds in memory."""


def to_jsonl(file: str | os.PathLike[str] | TextIO, pages: Iterable[list[AuditEntry]]) -> int:
    """Write entries as JSON lines; how many there were."""
    count = 0
    with _opened(file) as lines:
        for page in pages:
            lines.writelines(json_line(plain(entry), allow_nan=True) + "\n" for entry in page)
            count += len(page)
    return count


def to_parquet(path: str | os.PathLike[str], pages: Iterable[list[AuditEntry]], *, group: int = GROUP) -> int:
    """Write entries into a Parquet file; how many there were.

    Args:
        path: Where to.
        pages: The entries.
        group: How many rows there are in a row group, at least: it holds whole pages.

    Raises:
        UnavailableError: pyarrow is not installed.
    """
    path = _checked("path", path)
    arrow, parquet = _pyarrow()
    schema = _schema(arrow)
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for entries in _groups(pages, group):
            writer.write_table(arrow.Table.from_pylist([_columns(entry) for entry in entries], schema=schema))
            count += len(entries)
    return count


def plain(entry: AuditEntry) -> dict[str, Any]:
    """An entry as JSON has it."""
    return {
        "position": entry.position,
        "thread": entry.thread,
        "version": entry.version,
        "topic": entry.topic,
        "recorded_at": iso(entry.recorded_at),
        "namespace": entry.namespace,
        "checkpoint": entry.checkpoint,
        "run": entry.run,
        "node": entry.node,
        "task": entry.task,
        "channels": [*entry.channels],
        "metadata": dict(entry.metadata),
        "size": entry.size,
        "erased": entry.erased,
    }


def _columns(entry: AuditEntry) -> dict[str, Any]:
    metadata = json_line(dict(entry.metadata), allow_nan=True)
    return {**plain(entry), "recorded_at": entry.recorded_at, "metadata": metadata}


def _schema(arrow: Any) -> Any:
    return arrow.schema(
        {
            "position": arrow.int64(),
            "thread": arrow.string(),
            "version": arrow.int64(),
            "topic": arrow.string(),
            "recorded_at": arrow.timestamp("us", tz="UTC"),
            "namespace": arrow.string(),
            "checkpoint": arrow.string(),
            "run": arrow.string(),
            "node": arrow.string(),
            "task": arrow.string(),
            "channels": arrow.list_(arrow.string()),
            "metadata": arrow.string(),
            "size": arrow.int64(),
            "erased": arrow.bool_(),
        }
    )


def _groups(pages: Iterable[list[AuditEntry]], size: int) -> Iterator[list[AuditEntry]]:
    group: list[AuditEntry] = []
    for page in pages:
        group += page
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group


@contextmanager
def _opened(file: str | os.PathLike[str] | TextIO) -> Iterator[TextIO]:
    if isinstance(file, str | os.PathLike):
        with Path(_checked("file", file)).open("w", encoding="utf-8", newline="\n") as lines:
            yield lines
    elif hasattr(file, "write"):
        yield file
    else:
        raise BadInputError(f"file is {file!r}: pass a path, or a file that takes text")


def _checked(name: str, path: str | os.PathLike[str]) -> str:
    if not isinstance(path, str | os.PathLike):
        raise refused(name, path, "pass the path of a file")
    return check_id(name, os.fspath(path), longest=sys.maxsize)


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise UnavailableError(
            "Parquet needs pyarrow: pip install 'langgraph-checkpoint-eventstore[parquet]'"
        ) from error
