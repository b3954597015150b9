"""The options by which events and threads are picked."""

from __future__ import annotations

import json
from typing import Annotated, Any

from eventstore import BadInputError
from eventstore_cli.declaring import Option

Where = Annotated[
    list[str],
    Option("--where", "-w", metavar="KEY=VALUE", help="Of that metadata: user=ann, attempt=2, test=true."),
]


def where(given: list[str] | tuple[()]) -> dict[str, Any]:
    """Metadata that is wanted. A value that is a number, true, false or null in JSON is that, any other a text.

    Raises:
        BadInputError: One is not of the form `key=value`.
    """
    found: dict[str, Any] = {}
    for each in given:
        key, separator, value = each.partition("=")
        if not separator or not key:
            raise BadInputError(f"--where {each!r} is not of the form key=value")
        found[key] = _scalar(value)
    return found


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool | None) else text
