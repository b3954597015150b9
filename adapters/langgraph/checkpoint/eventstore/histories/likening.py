"""Values as they are compared: without what may differ from run to run. Pure functions.

Ids of messages that LangGraph gives are new in each run. They are compared by their places: the first is the first in
both runs, wherever else it stands. A message that has none yet has a place, too: LangGraph sets the id in the object
that a node returned, before or after it is saved.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from langgraph.checkpoint.eventstore._types import is_packet

IDS, TIMES = "ids", "times"
"""The kinds of parts that may differ, besides channels: texts that hold UUIDs, and times."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_SOME_TIME = "<time>"


def with_argument(packet: Any, argument: Any) -> Any:
    """Return a packet with another argument."""
    made = copy.copy(packet)
    made.arg = argument
    return made


class Likening:
    """Makes values of one checkpoint alike that differ only where they may.

    Args:
        ignore: What may differ: `IDS`, `TIMES`.
    """

    def __init__(self, ignore: Collection[str]) -> None:
        self._ids, self._times = IDS in ignore, TIMES in ignore
        self._named: dict[str, str] = {}
        self._unnamed = 0

    @property
    def named(self) -> Mapping[str, str]:
        """The ids that were met, and what stands for them by their places."""
        return self._named

    def of(self, value: Any) -> Any:
        """Return a value as it is compared; the value itself is not changed."""
        if isinstance(value, str):
            return self._text(value) if type(value) is str else value
        if value is None or isinstance(value, bool | int | float | bytes | Enum | type):
            return value
        if isinstance(value, Mapping):
            return {self.of(key): self.of(each) for key, each in value.items()}
        if isinstance(value, tuple):
            parts = [self.of(each) for each in value]
            return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
        if type(value) in (list, set, frozenset):
            return type(value)([self.of(each) for each in value])
        return with_argument(value, self.of(value.arg)) if is_packet(value) else self._object(value)

    def _object(self, value: Any) -> Any:  # noqa: PLR0911
        if isinstance(value, BaseException):
            return {"error": f"{type(value).__name__}: {value}"}
        if type(value).__name__ == "Interrupt" and type(value).__module__ == "langgraph.types":
            return {"interrupt": self.of(value.value)}  # its id is that of a task, which is another one
        if isinstance(value, UUID):
            return self._name(str(value)) if self._ids else value
        if isinstance(value, date | datetime | time):
            return _SOME_TIME if self._times else value
        if isinstance(value, BaseMessage):
            held = {name: self.of(part) for name, part in dict(value).items() if name != "id"}
            return value.model_copy(update={**held, "id": self._message(value.id)})
        if isinstance(value, BaseModel):
            return value.model_copy(update={name: self.of(part) for name, part in dict(value).items()})
        if is_dataclass(value):
            made = copy.copy(value)
            for field in fields(value):
                if hasattr(value, field.name):
                    object.__setattr__(made, field.name, self.of(getattr(value, field.name)))
            return made
        return value

    def _text(self, text: str) -> str:
        if text in self._named:  # a message's id, wherever it stands
            return self._named[text]
        if self._ids:
            text = _UUID.sub(lambda found: self._name(found[0]), text)
        return _TIME.sub(_SOME_TIME, text) if self._times else text

    def _message(self, id_: str | None) -> str | None:
        if id_:
            return self._name(id_)
        self._unnamed += 1
        return self._next()

    def _name(self, id_: str) -> str:
        if id_ not in self._named:
            self._named[id_] = self._next(1)
        return self._named[id_]

    def _next(self, more: int = 0) -> str:
        return f"<id {len(self._named) + self._unnamed + more}>"


class Renaming(Likening):
    """Gives messages the ids that they have on the other side, wherever these stand.

    Args:
        names: Ids, and what they are there.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__(())
        self._named.update(names)

    def _message(self, id_: str | None) -> str | None:
        return id_ and self._named.get(id_, id_)
