"""Parsing of a store's URL into a typed address. Pure functions; messages never show a password."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from eventstore.errors import InvalidUrlError

_FORMS = (
    "use sqlite:///relative.db, sqlite:////absolute.db, sqlite:///:memory:, a path, or postgresql://user@host/database"
)


class SQLiteAddress(NamedTuple):
    """A file, or `None` for a store in memory."""

    path: Path | None

    def __str__(self) -> str:
        return f"sqlite:///{self.path or ':memory:'}"


# What libpq reads, with every part where it says. A password with an unescaped / or @ in it would be read as a host, a
# port or a database, which messages show.
_HOST = r"(\[[^\]/?#@]*\]|[^:/?#@,\[\]]*)(:\d*)?"
_POSTGRES = re.compile(
    r"postgresql://((?P<user>[^:/?#@]*)(:[^/?#@]*)?@)?"
    rf"(?P<hosts>{_HOST}(,{_HOST})*)(?P<database>/[^?#@]*)?(\?[^#]*)?"
)


# What else names a PostgreSQL database, or was meant to name a store: libpq's key = value pairs, and a URL with slashes
# missing. As the name of a file it would show a password in the folder.
_NO_PATH = re.compile(
    r"\s*(host|hostaddr|port|dbname|user|password|passfile|service|sslmode)\s*=|(postgres|postgresql|sqlite):"
)


class PostgresAddress(NamedTuple):
    """A libpq connection URI. `str()` of it leaves the password out, and the options, one of which may be it."""

    uri: str

    def __str__(self) -> str:
        parts = _POSTGRES.fullmatch(self.uri)
        assert parts is not None
        user = parts["user"]
        return f"postgresql://{user + '@' if user else ''}{parts['hosts']}{parts['database'] or ''}"

    def __repr__(self) -> str:
        return f"PostgresAddress({str(self)!r})"


def parse(url: str | os.PathLike[str]) -> SQLiteAddress | PostgresAddress:
    """The address that `url` names.

    Raises:
        InvalidUrlError: It names none; the message says which forms there are.
    """
    text = _text_of(url)
    scheme, separator, rest = text.partition("://")
    if not separator:
        if isinstance(url, str) and _NO_PATH.match(text):
            # Nothing of it is shown, here neither.
            raise InvalidUrlError(f"this looks like a database's address, not like a path: {_FORMS}")
        return SQLiteAddress(None if text == ":memory:" else Path(text))
    if scheme in ("postgresql", "postgres"):
        uri = f"postgresql://{rest}"
        if not _POSTGRES.fullmatch(uri):
            # Nothing of it is shown: who knows which part is the password.
            raise InvalidUrlError(f"this is not a URL of PostgreSQL (write special characters as %40): {_FORMS}")
        return PostgresAddress(uri)
    if scheme != "sqlite":
        raise InvalidUrlError(f"{scheme}:// is not a store that is known here: {_FORMS}")
    if not rest.startswith("/") or rest == "/":
        raise InvalidUrlError(f"sqlite:// needs three slashes and a path: {_FORMS}")
    if "?" in rest or "#" in rest:
        raise InvalidUrlError("sqlite:// takes no options: pass them to open(), and write ? as %3F and # as %23")
    path = unquote(rest[1:])
    return SQLiteAddress(None if path == ":memory:" else Path(path))


def _text_of(url: object) -> str:
    text = os.fspath(url) if isinstance(url, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise InvalidUrlError(f"a store needs an address: {_FORMS}")
    if "\0" in text or ("://" in text and "%00" in text):
        raise InvalidUrlError(f"no address holds a NUL character, which is also what %00 means in a URL: {_FORMS}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # not chained: its message quotes the URL
        raise InvalidUrlError(f"this address holds a lone surrogate, which is not text: {_FORMS}") from None
    return text
