"""SQL as SQL: named, described blocks in `.sql` files.

    -- name: lineage
    -- A remark on what the block answers, and why it is written as it is.
    SELECT … FROM {schema}.lineage WHERE stream_id = :stream_id

A block that is the same in both dialects stands once, in `sql/common/`; the others stand in `sql/<dialect>/`, one of
each name in each. Values are always bound. `{schema}` stands for the PostgreSQL schema, which is an identifier and so
cannot be bound: it is checked and quoted before it is put in. SQLite has no schemas, and `{schema}.` is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal

from eventstore.errors import InvalidIdError

Dialect = Literal["sqlite", "postgres"]

_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)
# A bound name, and not the `::type` of a cast.
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)\b")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Blocks(dict[str, str]):
    """Named blocks, each made ready for the dialect's driver when it is first asked for: a program uses few of them.

    Until then it is not among the items, and files are not read before a block is looked for. (A dict, since every
    statement is looked up here.)

    Args:
        files: The files, of which some may be missing.
        dialect: The dialect.
        schema: The PostgreSQL schema.
    """

    def __init__(self, files: Sequence[Path], dialect: Dialect, schema: str) -> None:
        super().__init__()
        self._files = files
        self._texts: dict[Path, bytes] = {}
        self._dialect = dialect
        self._schema = schema

    def __missing__(self, name: str) -> str:
        bare = _COMMENT.sub("", self._body(name)).strip().rstrip(";")
        self[name] = prepare(bare, self._dialect, self._schema)
        return self[name]

    def _body(self, name: str) -> str:
        head = f"\n-- name: {name}\n".encode()
        for file in self._files:
            text = self._texts.get(file)
            if text is None:
                text = self._texts[file] = b"\n%b\n-- name: \n" % _bytes(file)
            start = text.find(head) + len(head)
            if start >= len(head):
                return text[start : text.index(b"\n-- name: ", start - 1)].decode()
        raise KeyError(name)


@cache
def load_queries(package: str, dialect: Dialect, schema: str = "", *files: str) -> Mapping[str, str]:
    """Return the named blocks of `package`, ready for the dialect's driver.

    Args:
        package: The package: its blocks are those of `sql/common/<file>.sql` and of `sql/<dialect>/<file>.sql`.
        dialect: The dialect.
        schema: The PostgreSQL schema.
        files: The names of the files, by default `queries`. One of the two may be missing.
    """
    folder = folder_of(package)
    found = [folder / part / f"{file}.sql" for file in files or ("queries",) for part in (dialect, "common")]
    return Blocks(found, dialect, schema)


@cache
def folder_of(package: str) -> Path:
    """The folder of a package's `.sql` files."""
    # Not by `importlib.resources`, which takes the first caller as long as all files do.
    return Path(import_module(package).__path__[0], "sql")


def prepare(sql: str, dialect: Dialect, schema: str = "") -> str:
    """SQL as the dialect's driver takes it: with the schema put in, and the parameters as the driver spells them."""
    if dialect == "sqlite":
        return sql.replace("{schema}.", "")
    parts = _PARAMETER.split(sql.replace("%", "%%").replace("{schema}", quote_schema(schema)))
    parts[1::2] = [f"%({name})s" for name in parts[1::2]]
    return "".join(parts)


def statements_of(script: str) -> Sequence[str]:
    """The statements of a script, without their comments and semicolons."""
    # A statement ends with a semicolon at a line's end; no script holds one elsewhere.
    parts = (_COMMENT.sub("", part).strip().rstrip(";") for part in script.split(";\n"))
    return [part for part in parts if part]


def quote_schema(schema: str) -> str:
    """The schema's name as an SQL identifier.

    Raises:
        InvalidIdError: It is not a plain identifier of at most 63 characters, or one that is the server's own.
    """
    if not isinstance(schema, str):
        raise InvalidIdError("schema", f"must be a string, not {type(schema).__name__}")
    if schema.lower().startswith("pg_") or schema.lower() == "information_schema":
        raise InvalidIdError("schema", f"{schema!r} is PostgreSQL's own: use another name")
    if not _IDENTIFIER.fullmatch(schema):
        raise InvalidIdError("schema", f"{schema!r} is not an identifier: use letters, digits and _, at most 63")
    return f'"{schema}"'


def text_of(file: Path) -> str:
    """Return the text of a file of SQL."""
    return _bytes(file).decode()


def _bytes(file: Path) -> bytes:
    # Opened as text, it would be read by three layers, at twice the price.
    try:
        return file.read_bytes().replace(b"\r\n", b"\n")
    except FileNotFoundError:
        return b""
