"""Where a store is: from a URL to a typed address. Pure functions; messages never show a password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from eventstore.errors import InvalidUrlError

_FORMS = (
    "use sqlite:///relative.db, sqlite:////absolute.db, sqlite:///:memory:, a path, or postgresql://user@host/database"
)


@dataclass(frozen=True, slots=True)
class SQLiteAddress:
    """A file, or `None` for a store in memory."""

    path: Path | None

    def __str__(self) -> str:
        return f"sqlite:///{self.path or ':memory:'}"


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A libpq connection URI. `str()` of it leaves the password out."""

    uri: str

    def __str__(self) -> str:
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]
        user = parts.username
        return f"postgresql://{user + '@' if user else ''}{host}{parts.path}"

    def __repr__(self) -> str:
        return f"PostgresAddress({str(self)!r})"


def parse(url: str | os.PathLike[str]) -> SQLiteAddress | PostgresAddress:
    """The address that `url` names.

    Raises:
        InvalidUrlError: It names none; the message says which forms there are.
    """
    text = os.fspath(url)
    if not text or "\0" in text:
        raise InvalidUrlError(f"a store needs an address: {_FORMS}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return SQLiteAddress(None if text == ":memory:" else Path(text))
    if scheme in ("postgresql", "postgres"):
        return PostgresAddress("postgresql://" + rest)
    if scheme != "sqlite":
        raise InvalidUrlError(f"{scheme}:// is not a store that is known here: {_FORMS}")
    if not rest.startswith("/") or rest == "/":
        raise InvalidUrlError(f"sqlite:// needs three slashes and a path: {_FORMS}")
    path = unquote(rest[1:])
    return SQLiteAddress(None if path == ":memory:" else Path(path))
