"""Objects whose types change shape: what is stored of old ones is made new before an object is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from eventstore import BadInputError, UpcastError
from eventstore.arguments import check_text, named_kind, refused
from langgraph.checkpoint.eventstore._types import FIRST, Name, name_of, newer
from projections.reading.upcasting import ChannelUpcasters, Split, Step

Upcast = Callable[[Any], Any]
_Class = type
"""Python's `type`: in `ValueUpcasters` that name is a method's."""


class TypeUpcasters:
    """Upcasters of types, as they were when a saver was opened. Types are known by their module and name, with a dot.

    Args:
        steps: By the type's last name, and by version.
        moved: The name that a type has now, the last one, by each that it had.
        replaced: What makes a value of what is stored of a type that is gone.
    """

    def __init__(
        self, steps: Mapping[str, Mapping[int, Upcast]], moved: Mapping[str, Name], replaced: Mapping[str, Upcast]
    ) -> None:
        self._steps = steps
        self._moved = moved
        self._replaced = replaced
        self._current = {name: max(of_type) + 1 for name, of_type in steps.items()}

    def current(self, name: Name) -> int:
        """The version of what is stored of objects of a type now."""
        return self._current.get(".".join(name), FIRST)

    def is_old(self, name: Name, version: int) -> bool:
        """Tell whether what is stored of an object is made new when it is read."""
        last, _ = self._last(name)
        return last != ".".join(name) or last in self._replaced or version < self._current.get(last, FIRST)

    def new(self, name: Name, version: int, held: Any, *, by_name: bool) -> tuple[Name, Any]:
        """The name of the type now, and what an object of it is made of.

        Args:
            name: The name that is stored.
            version: The version.
            held: What is stored of the object.
            by_name: Whether these are fields.

        Raises:
            UpcastError: An upcaster raised, or returned something else than fields; there is none from that version;
                or it is one that is not known here.
        """
        last, now = self._last(name)
        current = self._current.get(last, FIRST)
        if version > current:
            raise UpcastError("type", last, newer(version, current))
        for at in range(version, current):
            step = self._steps[last].get(at)
            if step is None:
                raise UpcastError("type", last, f"version {at} is stored, and there is no upcaster from it")
            held = _called(step, last, at, held)
            if by_name and not (isinstance(held, Mapping) and all(type(key) is str for key in held)):
                raise UpcastError(
                    "type",
                    last,
                    f"its upcaster from version {at} returned {named_kind(held)}, and not a dict of fields",
                )
        return now, held

    def replacement(self, name: Name, held: Any) -> tuple[bool, Any]:
        """Return whether something else stands for a type that is gone, and what."""
        make = self._replaced.get(".".join(name))
        return (False, None) if make is None else (True, _called(make, ".".join(name), None, held))

    def _last(self, name: Name) -> tuple[str, Name]:
        now = self._moved.get(".".join(name), name)
        return ".".join(now), now


class ValueUpcasters:
    """The functions that make old values new when they are read: of types, and of channels. Nothing is rewritten.

        shapes = ValueUpcasters()

        @shapes.type("app.models.Order", version=1)
        def _(fields):
            fields["full_name"] = fields.pop("name")
            return fields

        saver = EventStoreSaver.from_conn_string(url, value_upcasters=shapes)

    It is read when a saver is opened: what is registered later is for savers that are opened then.
    """

    def __init__(self) -> None:
        self._steps: dict[str, dict[int, Upcast]] = {}
        self._moved: dict[str, Name] = {}
        self._replaced: dict[str, Upcast] = {}
        self._channels: dict[str, list[Step]] = {}
        self._splits: list[Split] = []

    def type(self, name: _Class | str, *, version: int) -> Callable[[Upcast], Upcast]:
        """Register what turns the fields of a type from one version into those of the next one.

        It is given the fields in a dict, which it may change; of an enum the value, of a set or the like its arguments.
        Objects in it are made already. What is stored of objects from now on is of the version after the last upcaster.

        Args:
            name: The type, or `"module.Name"`, by any name that it has had.
            version: The version that it takes. What is stored before a type has an upcaster is of version 1.

        Raises:
            BadInputError: The type has one from that version already, or one of these makes no sense.
        """
        key = ".".join(_name("name", name))
        if _Class(version) is not int or version < FIRST:
            raise refused("version", version, "use a whole number, from 1")

        def register(upcast: Upcast) -> Upcast:
            _check_callable(upcast)
            steps = self._steps.setdefault(key, {})
            if version in steps:
                raise BadInputError(f"type {key} has an upcaster from version {version} already")
            steps[version] = upcast
            return upcast

        return register

    def moved(self, old: str, new: _Class | str) -> None:
        """Say that a type has another name now, or is in another module.

        Args:
            old: `"module.Name"`, as it was; `"module:Outer.Name"` within another class.
            new: The type, or its name.

        Raises:
            BadInputError: It is said to have moved elsewhere already.
        """
        key = ".".join(_name("old", old))
        if key in self._moved or key in self._replaced:
            raise BadInputError(f"type {key} is said to have moved, or to be gone, already")
        self._moved[key] = _name("new", new)

    def gone(self, name: str) -> Callable[[Upcast], Upcast]:
        """Register what makes another value of what is stored of a type that there is no more.

        Args:
            name: `"module.Name"`, as it was.

        Raises:
            BadInputError: Such a function is there already.
        """
        key = ".".join(_name("name", name))

        def register(make: Upcast) -> Upcast:
            _check_callable(make)
            if key in self._moved or key in self._replaced:
                raise BadInputError(f"type {key} is said to have moved, or to be gone, already")
            self._replaced[key] = make
            return make

        return register

    def channel(
        self, name: str, *, old: _Class | tuple[_Class, ...] | Callable[[Any], bool]
    ) -> Callable[[Upcast], Upcast]:
        """Register what makes a new value of a channel's old one, and of what tasks wrote to it.

        Values of a channel carry no version, since they are stored part by part: `old` tells them by themselves. What
        looks the same and means something else has to become a new channel, see `split`.

        Args:
            name: The channel, in all graphs of the saver's threads.
            old: The type of the old values, or several, or a function that tells. It has to refuse the new ones.

        Raises:
            BadInputError: The name is no text, or `old` is something else.
        """
        check_text("name", name)
        is_old = _telling(old)

        def register(upcast: Upcast) -> Upcast:
            _check_callable(upcast)
            self._channels.setdefault(name, []).append(Step(is_old, upcast))
            return upcast

        return register

    def split(self, name: str, *, into: Sequence[str]) -> Callable[[Upcast], Upcast]:
        """Register what makes the values of new channels of an old one's, which the graph has no more.

        It is used where the old one was written later than all of the new ones. It may leave some of them out.

        Args:
            name: The old channel.
            into: The new ones.

        Raises:
            BadInputError: The names make no sense, or one of the new ones is made of another channel already.
        """
        check_text("name", name)
        given: object = into
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise refused("into", into, "use the names of the new channels")
        for each in into:
            check_text("a name in into", each)

        def register(upcast: Upcast) -> Upcast:
            _check_callable(upcast)
            self._add(Split(name, tuple(into), upcast))
            return upcast

        return register

    def renamed(self, old: str, new: str) -> None:
        """Say that a channel has another name now.

        Raises:
            BadInputError: The names make no sense, or the new one is made of another channel already.
        """
        check_text("old", old)
        check_text("new", new)
        self._add(Split(old, (new,), lambda value: {new: value}))

    def types(self) -> TypeUpcasters | None:
        """The upcasters of types, if there are any.

        Raises:
            BadInputError: A type has versions in between without an upcaster, or has moved in a circle.
        """
        if not (self._steps or self._moved or self._replaced):
            return None
        steps: dict[str, dict[int, Upcast]] = {}
        for key, of_type in self._steps.items():
            last = self._last(key)
            merged = steps.setdefault(last, {})
            if twice := merged.keys() & of_type.keys():
                raise BadInputError(f"type {last} has two upcasters from version {min(twice)}, under two names")
            merged.update(of_type)
        names = {".".join(name): name for name in self._moved.values()}
        moved = {key: names[self._last(key)] for key in self._moved}
        for last, merged in steps.items():
            for before, after in pairwise(sorted(merged)):
                if after != before + 1:
                    raise BadInputError(
                        f"type {last} has upcasters from versions {before} and {after}, and none from {before + 1}"
                    )
        return TypeUpcasters(steps, moved, dict(self._replaced))

    def channels(self) -> ChannelUpcasters | None:
        """The upcasters of channels, if there are any."""
        if not (self._channels or self._splits):
            return None
        return ChannelUpcasters({name: tuple(steps) for name, steps in self._channels.items()}, tuple(self._splits))

    def _last(self, key: str) -> str:
        met = [key]
        while key in self._moved:
            key = ".".join(self._moved[key])
            if key in met:
                raise BadInputError(f"types have moved in a circle: {', '.join(met)}")
            met.append(key)
        return key

    def _add(self, split: Split) -> None:
        if split.source in split.into or len({*split.into}) < len(split.into):
            raise BadInputError(f"channel {split.source!r} cannot become {', '.join(split.into)}: use other names")
        for other in self._splits:
            if other.source == split.source or {*other.into} & {*split.into}:
                raise BadInputError(
                    f"channel {split.source!r}, or what is made of it, is made from channel {other.source!r} already"
                )
            if other.source in split.into:
                raise BadInputError(
                    f"channel {other.source!r} is made of {split.source!r}, and taken apart before that: "
                    "register the older one first"
                )
        self._splits.append(split)


def check_upcasters(value: object) -> None:
    """Refuse what are no upcasters.

    Raises:
        BadInputError: They are none.
    """
    if value is not None and not isinstance(value, ValueUpcasters):
        raise refused("value_upcasters", value, "use a ValueUpcasters")


def _name(argument: str, given: object) -> Name:
    if isinstance(given, type):
        return name_of(given)
    if isinstance(given, str):
        module, _, name = given.partition(":") if ":" in given else given.rpartition(".")
        if module and name:
            return module, name
    raise refused(argument, given, 'use the type, or its "module.Name"')


def _telling(old: Any) -> Callable[[Any], bool]:
    """Return what tells old values: these are of a type, or of one of several, or a function says so."""
    kinds = old if isinstance(old, tuple) else (old,)
    if kinds and all(isinstance(each, type) for each in kinds):
        return lambda value: isinstance(value, kinds)
    if not callable(old):
        raise refused("old", old, "use a type, several in a tuple, or a function that tells")
    return old  # type: ignore[no-any-return]


def _check_callable(given: object) -> None:
    if not callable(given):
        raise refused("an upcaster", given, "use a function of one argument")


def _called(upcast: Upcast, name: str, version: int | None, held: Any) -> Any:
    try:
        return upcast(held)
    except Exception as error:
        which = "what replaces it" if version is None else f"its upcaster from version {version}"
        raise UpcastError("type", name, f"{which} raised {type(error).__name__}: {error}") from error
