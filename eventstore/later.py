"""Public names of a package that are imported when they are asked for: most programs use few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def later(package: dict[str, Any], places: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: The package's `globals()`: a name is looked for once.
        places: The names, by the modules that have them.
    """
    modules = {name: module for module, names in places.items() for name in names}

    def look_up(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        package[name] = getattr(import_module(modules[name]), name)
        return package[name]

    return look_up
