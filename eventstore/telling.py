"""The one way in which the store tells what happens to it, beside results and errors: rarely, and in fields.

Each of these events is a record of the logger `eventstore`, which is quiet until a program gives it a handler. Whatever
counts them observes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

Observer = Callable[[str, Mapping[str, Any]], None]
"""Gets an action and its fields, on the thread on which it happens. It must neither raise nor wait."""

_log = logging.getLogger("eventstore")
_observers: list[Observer] = []


def tell(level: int, action: str, message: str, *args: object, **fields: Any) -> None:
    """Tell of something.

    Args:
        level: The level of the record.
        action: Names the kind of event; docs/operations.md lists them.
        message: The words, with places for `args`.
        args: What goes there.
        fields: What goes with it, for programs. No content, and nothing that may be secret.
    """
    _log.log(level, message, *args, extra={"action": action, **fields}, stacklevel=2)
    for observer in _observers:
        observer(action, fields)


def is_heard(level: int) -> bool:
    """Return whether somebody listens: for what is only looked for if so."""
    return bool(_observers) or _log.isEnabledFor(level)


def observe(observer: Observer) -> None:
    """Let something observe all events of this process, from now on. It is done once, however often it is asked for."""
    if observer not in _observers:
        _observers.append(observer)
