"""Named tuples that are cheap to define.

`typing.NamedTuple` compiles each annotation that is a string, to hold that it could be a type, and makes six functions
for each class. Of 60 classes, that was a sixth of what importing this package took. So what is the same for all is
written here once, and types are left to the type checker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import _tuplegetter

    class _Definition(type):
        """Makes a named tuple of a class statement: its fields, their defaults, and whatever else is in it."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if bases == (tuple,):
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            namespace |= {field: _tuplegetter(index, None) for index, field in enumerate(fields)}
            namespace |= {
                "__slots__": (),
                "__new__": _new(fields, defaults),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return super().__new__(cls, name, bases, namespace)

    def _new(fields: tuple[str, ...], defaults: dict[str, Any]) -> Any:
        named = "".join(f"{field}, " for field in fields)
        # As `collections.namedtuple` does: no function of any fields is as fast.
        made = eval(f"lambda _cls, {named}: _new(_cls, ({named}))", {"_new": tuple.__new__})  # noqa: S307 (fields alone)
        made.__name__ = "__new__"
        made.__defaults__ = tuple(defaults.values())
        return made

    class NamedTuple(tuple, metaclass=_Definition):
        """See `typing.NamedTuple`."""

        __slots__ = ()

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(map('{}={!r}'.format, self._fields, self))})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        @classmethod
        def _make(cls, values: Any) -> Self:
            return cls(*values)

        def _replace(self, **changes: Any) -> Self:
            return type(self)(**{**self._asdict(), **changes})

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))


__all__ = ["NamedTuple"]
