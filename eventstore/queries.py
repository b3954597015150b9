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
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from eventstore.errors import InvalidIdError

Dialect = Literal["sqlite", "postgres"]

_BLOCK = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_REMARK = re.compile(r"^[ \t]*--(?! name:).*\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)
# A bound name, and not the `::type` of a cast.
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)\b")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@cache
def load_queries(package: str, dialect: Dialect, schema: str = "", *, file: str = "queries") -> Mapping[str, str]:
    """Return the named blocks of `package`, ready for the dialect's driver.

    Args:
        package: The package: its blocks are those of `sql/common/<file>.sql` and of `sql/<dialect>/<file>.sql`.
        dialect: The dialect.
        schema: The PostgreSQL schema.
        file: The name of the files. One of the two may be missing.
    """
    folder = files(package).joinpath("sql")
    found = [folder.joinpath(f"{name}/{file}.sql") for name in ("common", dialect)]
    text = "\n".join(each.read_text(encoding="utf-8") for each in found if each.is_file())
    parts = _BLOCK.split(prepare(_REMARK.sub("", text), dialect, schema))[1:]
    names, bodies = parts[::2], parts[1::2]
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}


def prepare(sql: str, dialect: Dialect, schema: str = "") -> str:
    """SQL as the dialect's driver takes it: with the schema put in, and the parameters as the driver spells them."""
    if dialect == "sqlite":
        return sql.replace("{schema}.", "")
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%").replace("{schema}", quote_schema(schema)))


def plain(sql: str, dialect: Dialect, schema: str = "") -> str:
    """One block without its comments and its semicolon, with the schema put in."""
    bare = _COMMENT.sub("", sql).strip().rstrip(";")
    return bare if dialect == "sqlite" else bare.replace("{schema}", quote_schema(schema))


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
