"""Objects of the program's own classes are made of their fields: under the names that the class takes them by.

Who packs an object asks here, too: what could not be made again is stored in another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from projections.values.copiers import model_of
from projections.values.fingerprints import is_plain_model


def fits(kind: Any, held: Any) -> bool:
    """Tell whether a model can be made of its fields."""
    try:
        make_model(kind, held)
    except Exception:  # noqa: BLE001 (whatever a foreign class raises)
        return False
    return True


def make_model(kind: Any, held: Any) -> Any:
    """A Pydantic model, made of its fields, or of what it was dumped as."""
    if getattr(kind, "__pydantic_root_model__", False):
        return kind(root=held["root"]) if isinstance(held, dict) and held.keys() == {"root"} else kind(held)
    if not isinstance(held, dict):
        raise TypeError(f"it was dumped as a {type(held).__name__}")
    if _has_paths(kind):
        return kind.__pydantic_validator__.validate_python(held, by_alias=False, by_name=True)
    named = aliased(held, aliases(kind))
    if kind.model_config.get("strict"):  # of a tuple a list is stored, which only a lenient reading takes
        return kind.__pydantic_validator__.validate_python(named, strict=False)
    return kind(**named)


@lru_cache(1024)
def fields_to_fill(kind: Any) -> frozenset[str] | None:
    """The fields of one of LangChain's messages; `None` of any other class, and of one that is more than its fields."""
    if not kind.__module__.startswith("langchain_core.messages.") or not is_plain_model(kind):
        return None
    if aliases(kind) or _has_paths(kind) or kind.__pydantic_post_init__:
        return None
    return frozenset(kind.__pydantic_fields__)


def fill(kind: Any, fields: dict[str, Any]) -> Any:
    """A message of all its fields, as they are: its own constructor takes several times as long to look at them."""
    return model_of(kind, fields, set(fields), {} if kind.model_config.get("extra") == "allow" else None)


def aliased(held: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    """Fields by the names under which a class takes them."""
    return {names.get(name, name): value for name, value in held.items()} if names else held


@lru_cache(1024)
def aliases(kind: Any) -> Mapping[str, str]:
    """Return how the fields are called that a class takes under another name only."""
    config = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None) or {}
    if config.get("populate_by_name") or config.get("validate_by_name"):
        return {}
    fields = getattr(kind, "__pydantic_fields__", {})
    return {name: field.validation_alias for name, field in fields.items() if isinstance(field.validation_alias, str)}


@lru_cache(1024)
def _has_paths(kind: Any) -> bool:
    """Tell whether a model takes a field from several names, or from within another one."""
    return not all(
        isinstance(field.validation_alias, str | None) for field in getattr(kind, "__pydantic_fields__", {}).values()
    )
