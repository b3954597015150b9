"""The types that may be made again from what was stored, and where they are found.

Stored bytes name a module and a class. A database that somebody else can write to may name any: so a name is looked up
in what the program has imported, without importing anything, without asking a module's `__getattr__`, and what is found
has to be data. Only LangGraph's and LangChain's plain types, and those that the user names, are imported.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, auto
from functools import lru_cache
from importlib import import_module
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from types import MappingProxyType, ModuleType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

# What LangGraph's own serializer makes again in its strict mode; it grows with LangGraph.
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_TYPES
from pydantic import BaseModel

from eventstore.tuples import NamedTuple

Name = tuple[str, str]
"""A type's module, and its name there: `Outer.Inner` for a class within a class."""
FIRST = 1
"""The version of what is stored of an object that says none."""

_LANGCHAIN = {
    "langchain_core.agents": ("AgentAction", "AgentActionMessageLog", "AgentFinish", "AgentStep"),
    "langchain_core.chat_history": ("InMemoryChatMessageHistory",),
    "langchain_core.documents.base": ("Blob", "Document"),
    "langchain_core.outputs.chat_generation": ("ChatGeneration", "ChatGenerationChunk"),
    "langchain_core.outputs.chat_result": ("ChatResult",),
    "langchain_core.outputs.generation": ("Generation", "GenerationChunk"),
    "langchain_core.outputs.llm_result": ("LLMResult",),
    "langchain_core.outputs.run_info": ("RunInfo",),
    "langchain_core.prompt_values": (
        "ChatPromptValue",
        "ChatPromptValueConcrete",
        "ImagePromptValue",
        "StringPromptValue",
    ),
    "langchain_core.structured_query": ("Comparator", "Comparison", "Operation", "Operator", "StructuredQuery"),
    "langgraph.store.base": ("SearchItem",),
    "pydantic.types": ("SecretBytes", "SecretStr"),
    "pydantic.v1.types": ("SecretBytes", "SecretStr"),
}
PLAIN = SAFE_MSGPACK_TYPES | {(module, name) for module, names in _LANGCHAIN.items() for name in names}
"""Types whose making has no effects, which need no permission: LangGraph's, LangChain's, the standard library's."""

# Classes of LangChain's that plain ones, and a program's own, derive from.
_BASES = {
    "langchain_core.chat_history": ("BaseChatMessageHistory",),
    "langchain_core.documents.base": ("BaseMedia",),
    "langchain_core.load.serializable": ("Serializable",),
    "langchain_core.messages.tool": ("ToolOutputMixin",),
    "langchain_core.prompt_values": ("PromptValue",),
    "langchain_core.structured_query": ("Expr", "FilterDirective", "Visitor"),
}
_HARMLESS = PLAIN | {(module, name) for module, names in _BASES.items() for name in names}
# Of these packages, a class has to be known as harmless: the making of their Runnables, models, tools, clients and
# settings reads keys, addresses and files.
_GUARDED = r"(langchain(_\w+)?|langgraph(_sdk)?|langsmith|deepagents|pydantic_settings)(\.|$)"
_SETTINGS = ("pydantic.v1.env_settings", "pydantic.env_settings")

# Types of one value, whose subclasses are data, too.
_SCALARS = (
    *(UUID, Decimal, date, datetime, time, timedelta, timezone, PurePath, ZoneInfo),
    *(IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network),
)


class Kind(Enum):
    """Ways in which values of a type are taken apart and made again."""

    PYDANTIC = auto()
    PYDANTIC_1 = auto()
    DATACLASS = auto()
    ENUM = auto()
    NAMED_TUPLE = auto()
    COLLECTION = auto()
    SCALAR = auto()
    OTHER = auto()


@lru_cache(1024)
def kind_of(kind: type) -> Kind:  # noqa: PLR0911 (one for each kind)
    """Return how values of a type are taken apart and made again. Nothing of the type is called."""
    bases = kind.__mro__
    if BaseModel in bases:
        return Kind.PYDANTIC
    if any((base.__module__, base.__name__) == ("pydantic.v1.main", "BaseModel") for base in bases):
        return Kind.PYDANTIC_1
    if any("__dataclass_fields__" in vars(base) for base in bases):
        return Kind.DATACLASS
    if Enum in bases:
        return Kind.ENUM
    if tuple in bases and any("_fields" in vars(base) for base in bases):
        return Kind.NAMED_TUPLE
    if any(base in bases for base in (set, frozenset, deque)):
        return Kind.COLLECTION
    if any(base in bases for base in _SCALARS):
        return Kind.SCALAR
    return Kind.OTHER


@lru_cache(1024)
def is_send(kind: type) -> bool:
    """Tell whether a type is LangGraph's `Send`: told by its name, as a saver needs only the checkpoint library."""
    return any((base.__module__, base.__name__) == ("langgraph.types", "Send") for base in kind.__mro__)


def is_packet(value: object) -> bool:
    """Tell whether a value is a `Send`."""
    kind: type = type(value)
    return is_send(kind)


class Missing(NamedTuple):
    """The reason that there is no type.

    Attributes:
        reason: Why it is not there; empty if it may not be made again.
    """

    reason: str = ""


NOT_ALLOWED = Missing()
GONE = Missing("its module has no such type any more")


class Types:
    """The types that may be made again.

    Args:
        allowed: Those that the user allows, and the class, where it is known.
        imported: Whether data types that the program has imported are allowed besides.
    """

    def __init__(self, allowed: Mapping[Name, type | None], *, imported: bool) -> None:
        self.allowed = allowed
        self.imported = imported

    def find(self, name: Name) -> Any:
        """The type, or the function, that a name stands for, or a `Missing`."""
        if name in PLAIN:
            return _plain(name)
        if (allowed := self._allowed(name)) is not None:
            return self.allowed[allowed] or _named(name)
        if not self.imported or name[0] not in sys.modules:
            return NOT_ALLOWED
        found = look_up(name)
        return found if isinstance(found, Missing) or _is_data(found) else NOT_ALLOWED

    def allows(self, name: Name) -> bool:
        """Tell whether the user has allowed a type, or it needs no permission."""
        return name in PLAIN or self.imported or self._allowed(name) is not None

    def knows(self, name: Name) -> bool:
        """Tell whether a type can be found by its name."""
        allowed = self._allowed(name)
        return bool(allowed and self.allowed[allowed]) or not isinstance(look_up(name), Missing)

    def and_more(self, more: Mapping[Name, type | None]) -> Types:
        """These types and more."""
        return Types({**self.allowed, **more}, imported=self.imported)

    def _allowed(self, name: Name) -> Name | None:
        """Return what allows a type: its name, or, as LangGraph names the types of a schema, the last part of it."""
        module, path = name
        if name in self.allowed:
            return name
        short = (module, path.rpartition(".")[2])
        return short if short in self.allowed and "[" not in path else None


def name_of(kind: type) -> Name:
    """Return where a type is found."""
    module = kind.__module__
    if module == "__mp_main__":  # a process that multiprocessing has spawned calls so what is `__main__` elsewhere
        module = "__main__"
    # Looked at first, since most classes are none of Pydantic's generic ones, and have no such attribute.
    generic = vars(kind).get("__pydantic_generic_metadata__")
    origin = generic["origin"] if generic else None
    if origin is None:
        return module, kind.__qualname__
    return origin.__module__, _parametrized(kind, origin)


def look_up(name: Name) -> type | Missing:
    """The type that a module, which is imported already, has under a name. Nothing is imported, nor called."""
    module = sys.modules.get(name[0])
    if not issubclass(type(module), ModuleType):
        return GONE
    path, bracket, _ = name[1].partition("[")
    # Not `vars`: a module that is to be loaded when it is used would be loaded by that.
    namespace: Mapping[str, Any] = object.__getattribute__(module, "__dict__")
    found: Any = None
    for part in path.split("."):
        if part not in namespace:
            return GONE
        found = namespace[part]
        if not issubclass(type(found), type):
            return NOT_ALLOWED
        namespace = MappingProxyType(vars(found))
    if not bracket:
        return found  # type: ignore[no-any-return]  # a type, as was asked
    # A generic model with its parameters is a class that is made when it is first written down.
    known = [kind for kind in type.__subclasses__(found) if _origin(kind) is found]
    named = [kind for kind in known if _parametrized(kind, found) == name[1]]
    return named[0] if len(named) == 1 else GONE


def _origin(kind: type) -> Any:
    return (vars(kind).get("__pydantic_generic_metadata__") or {}).get("origin")


def _parametrized(kind: type, origin: type) -> str:
    """The name of a generic model with its parameters, after the place of the one without."""
    own, of_origin = kind.__name__, origin.__name__
    return origin.__qualname__ + (own[len(of_origin) :] if own.startswith(f"{of_origin}[") else f"[{own}]")


@lru_cache
def _plain(name: Name) -> Any:
    # Python 3.13 defines paths in a module of its own: what it stored is read by every version.
    return getattr(import_module(name[0].removesuffix("._local")), name[1])


def _named(name: Name) -> type | Missing:
    """A type that the user has named: so its module may be imported."""
    try:
        import_module(name[0])
    except ImportError as error:
        return Missing(f"its module cannot be imported: {error}")
    return look_up(name)


@lru_cache(1024)
def _is_data(kind: type) -> bool:
    """Tell whether a type is nothing but data, as far as can be told without running it."""
    return kind_of(kind) is not Kind.OTHER and all(map(_is_harmless, kind.__mro__))


def _is_harmless(base: type) -> bool:
    module = base.__module__
    if re.match(_GUARDED, module):
        return (module, base.__qualname__) in _HARMLESS
    return module not in _SETTINGS


def newer(version: int, current: int) -> str:
    """Say that an object was stored by newer code than this."""
    return (
        f"version {version} is stored, by newer code, and {current} is the last that is known here: "
        "deploy the upcasters, or keep the last one of the type"
    )
