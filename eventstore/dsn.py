"""libpq's other way to name a database: `host=db.example.org dbname=agents`. Pure functions.

The rules are libpq's: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
"""

from __future__ import annotations

import re

# Not compiled here: most programs name a file, and need none of these.
# What tells a connection string. There are more keywords, but a path may hold any word.
_TELLS = (
    r"(?:^|\s)(host|hostaddr|port|dbname|user|password|passfile|service|servicefile|sslmode|options|connect_timeout|"
    r"application_name|target_session_attrs)\s*="
)
_PAIR = r"(?s)\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^'\\\s]|\\.)(?:[^\\\s]|\\.)*|(?=\s|$))"
_ESCAPED = r"(?s)\\(.)"


def is_dsn(text: str) -> bool:
    """Return whether a text is, or was meant as, a connection string: as a path it would show a password."""
    return "=" in text and re.match(r"\s*\w+\s*=", text) is not None and re.search(_TELLS, text) is not None


def read(text: str) -> dict[str, str] | None:
    """Return the keywords of a connection string with their values; `None` if it is none."""
    found: dict[str, str] = {}
    pairs, at = re.compile(_PAIR), 0
    while text[at:].strip():
        pair = pairs.match(text, at)
        if pair is None:
            return None
        keyword, value = pair.groups()
        found[keyword] = re.sub(_ESCAPED, r"\1", value[1:-1] if value.startswith("'") else value)
        at = pair.end()
    return found or None


def shown(text: str) -> str:
    """Return the database that a connection string names, as a URL without anything that may be secret."""
    values = {keyword: _without_secrets(value) for keyword, value in (read(text) or {}).items()}
    user = f"{values['user']}@" if "user" in values else ""
    host = values.get("host") or values.get("hostaddr", "")
    port = f":{values['port']}" if "port" in values else ""
    service = f"?service={values['service']}" if "service" in values else ""
    return f"postgresql://{user}{host}{port}/{values.get('dbname', '')}{service}"


def _without_secrets(value: str) -> str:
    """A value to be shown: libpq takes a whole connection string as `dbname`, and in `host= password=x` has a host."""
    return "…" if re.search(r"://|[=@]", value) else value
