"""Parsing of a store's URL into a typed address. Pure functions; messages never show a password."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from eventstore import dsn
from eventstore.environment import NAMES, STORE, nearest, read_option
from eventstore.errors import InvalidUrlError
from eventstore.tuples import NamedTuple

_FORMS = (
    "use sqlite:///relative.db, sqlite:////absolute.db, sqlite:///:memory:, a path, postgresql://user@host/database, "
    "or host=… dbname=…"
)


class SQLiteAddress(NamedTuple):
    """A file, or `None` for a store in memory."""

    path: Path | None

    def __str__(self) -> str:
        return f"sqlite:///{self.path or ':memory:'}"


# Compiled when it is used, which most programs do not do.
# What libpq reads, with every part where it says. A password with an unescaped / or @ in it would be read as a host, a
# port or a database, which messages show.
_HOST = r"(\[[^\]/?#@]*\]|[^:/?#@,\[\]]*)(:\d*)?"
_POSTGRES = (
    r"postgresql://((?P<user>[^:/?#@]*)(:[^/?#@]*)?@)?"
    rf"(?P<hosts>{_HOST}(,{_HOST})*)(?P<database>/[^?#@]*)?(\?[^#]*)?"
)


# What was meant to name a store: a URL with slashes missing. As the name of a file it would show a password in the
# folder.
_NO_PATH = r"(postgres|postgresql|sqlite)(\+\w+)?:"

_POSTGRES_SCHEMES = ("postgresql", "postgres")
# SQLAlchemy's names of drivers that take libpq's options, so that the rest of the URL is one of libpq's.
_LIBPQ_DRIVERS = ("psycopg", "psycopg_async", "psycopg2")


# What stands in a URL as well; libpq has a `connect_timeout` of its own, which is the one that is meant there.
_OF_LIBPQ = ("connect_timeout",)


class PostgresAddress(NamedTuple):
    """An address as libpq takes it: a URI, or keywords with their values.

    `str()` of it leaves the password out, and the options, one of which may be it.
    """

    conninfo: str

    def __str__(self) -> str:
        if dsn.is_dsn(self.conninfo):
            return dsn.shown(self.conninfo)
        parts = re.fullmatch(_POSTGRES, self.conninfo)
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
    if isinstance(url, str) and dsn.is_dsn(text):
        if dsn.read(text) is None:
            raise InvalidUrlError(f"this is not a connection string of PostgreSQL (quote values as 'a b'): {_FORMS}")
        return PostgresAddress(text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        if isinstance(url, str) and re.match(_NO_PATH, text):
            # Nothing of it is shown, here neither.
            raise InvalidUrlError(f"this looks like a database's address, not like a path: {_FORMS}")
        return SQLiteAddress(None if text == ":memory:" else Path(text))
    scheme, _, driver = scheme.partition("+")
    if driver and not (scheme in _POSTGRES_SCHEMES and driver in _LIBPQ_DRIVERS):
        raise InvalidUrlError(f"leave +{driver} out, a store has a driver of its own: {_FORMS}")
    if scheme in _POSTGRES_SCHEMES:
        return _postgres(rest)
    if scheme == "sqlite":
        return _sqlite(rest)
    raise InvalidUrlError(f"{scheme}:// is not a store that is known here: {_FORMS}")


def options_of(url: str | os.PathLike[str], known: Mapping[str, Callable[[str], Any]] = STORE) -> dict[str, Any]:
    """Return the options that stand in a store's URL: `postgresql://user@host/database?pool_size=4`.

    Args:
        url: The URL.
        known: Those that are wanted, each with what reads it.

    Raises:
        InvalidUrlError: The address is not understood.
        BadInputError: A value is not of the option's kind.
    """
    address, text = parse(url), _text_of(url)
    if not isinstance(url, str) or "://" not in text:
        return {}
    of_others = _OF_LIBPQ if isinstance(address, PostgresAddress) else ()
    return {
        name: read_option(known[name], unquote(value), f"{name} in the URL")
        for name, value in _query(text)
        if name in known and name not in of_others
    }


def check_query(names: Iterable[str], theirs: Sequence[str] = ()) -> None:
    """Hold that the query of a URL has no other options than there are.

    Args:
        names: Their names.
        theirs: The options that the driver has besides.

    Raises:
        InvalidUrlError: It has. Only a name that resembles one of these is shown: who knows what the others are.
    """
    known = [*NAMES, *theirs]
    for name in names:
        if name not in known:
            meant = nearest(name, known)
            wrong = "the URL's query has an unknown option."
            if meant:
                wrong = f"the URL has no option {name!r}: did you mean {meant!r}?"
            raise InvalidUrlError(f"{wrong} There are {', '.join(NAMES)}; write ? as %3F where it is part of a name")


def query_names(url: str) -> list[str]:
    """Return the names in the query of a URL."""
    return [name for name, _ in _query(url)]


def _query(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a URL's query, as they are written."""
    pairs = [pair.partition("=") for pair in text.partition("?")[2].split("&") if pair]
    return [(name, value) for name, _, value in pairs]


def _postgres(rest: str) -> PostgresAddress:
    uri = f"postgresql://{rest}"
    if not re.fullmatch(_POSTGRES, uri):
        # Nothing of it is shown: who knows which part is the password.
        raise InvalidUrlError(f"this is not a URL of PostgreSQL (write special characters as %40): {_FORMS}")
    theirs = [f"{name}={value}" for name, value in _query(uri) if name not in NAMES or name in _OF_LIBPQ]
    return PostgresAddress(uri.partition("?")[0] + ("?" + "&".join(theirs) if theirs else ""))


def _sqlite(rest: str) -> SQLiteAddress:
    if not rest.startswith("/") or rest == "/":
        raise InvalidUrlError(f"sqlite:// needs three slashes and a path: {_FORMS}")
    check_query(query_names(rest))
    if "#" in rest:
        raise InvalidUrlError("write # as %23 in the URL of a file, and ? as %3F")
    path = unquote(rest[1:].partition("?")[0])
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
