"""Types of a program's own, of every kind that a state may hold."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, Flag, IntEnum, StrEnum, auto
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, SecretStr, computed_field, field_serializer
from pydantic.dataclasses import dataclass as validated

T = TypeVar("T")


class Colour(Enum):
    """Members whose values are no texts come back as members, too."""

    RED = "red"
    MIXED = (1, 2)


class Level(IntEnum):
    """An enum of numbers."""

    HIGH = 3


class Word(StrEnum):
    """An enum of texts."""

    YES = auto()


class Rights(Flag):
    """An enum whose members combine."""

    READ = 1
    WRITE = 2


class Outer:
    """Has types within it."""

    class Inner(Enum):
        """Is found as `Outer.Inner`."""

        ONE = 1

    @dataclass
    class Point:
        """Is found as `Outer.Point`."""

        x: int


@dataclass(frozen=True, slots=True)
class Point:
    """Cannot be changed, and has no dict."""

    x: int
    y: int = 0


@dataclass
class Counted:
    """Has fields that are not given to it."""

    items: list[str]
    count: int = field(init=False, default=0)
    unset: Any = field(init=False, repr=False, compare=False)


class Pair(NamedTuple):
    """A named tuple with something in it."""

    left: Any
    right: Any = None


class Animal(BaseModel):
    """The type that fields are declared as."""

    name: str


class Dog(Animal):
    """The type of what they hold."""

    tricks: int


class Zoo(BaseModel):
    """Has fields of wider types than what they hold."""

    animals: list[Animal]
    anything: Any = None
    key: SecretStr = SecretStr("key")


class Renamed(BaseModel):
    """Takes its fields under other names only."""

    x: int = Field(0, alias="X")
    y: int = Field(0, validation_alias=AliasChoices("why", "Y"))


class Numbers(RootModel[list[int]]):
    """Is dumped as a list."""


class Exact(BaseModel):
    """Takes no list for a tuple, and nothing that it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid")
    place: tuple[int, int]

    @computed_field  # type: ignore[prop-decorator]  # mypy's own limit
    @property
    def total(self) -> int:
        """Is dumped, but not taken."""
        return sum(self.place)


class Open(BaseModel):
    """Takes what it does not know."""

    model_config = ConfigDict(extra="allow")


class Dumped(BaseModel):
    """Says itself how it is dumped."""

    day: date

    @field_serializer("day")
    def _text(self, day: date) -> str:
        return day.isoformat()


class Box(BaseModel, Generic[T]):
    """A generic model."""

    content: T


@validated
class Validated:
    """One of Pydantic's dataclasses."""

    x: int = Field(0, alias="X")


class Tags(set[str]):
    """A set of the program's own."""


VALUES: list[Any] = [
    *(Colour.RED, Colour.MIXED, Level.HIGH, Word.YES, Rights.READ | Rights.WRITE, Outer.Inner.ONE),
    *(Outer.Point(1), Point(1, 2), Pair(1, Point(2)), Tags({"a"}), deque([1, 2], maxlen=3)),
    *({(1, (2, 3)), (4,)}, frozenset({Point(1), Colour.RED})),
    {Colour.RED: 1, Word.YES: {date(2026, 1, 2): Point(1)}, (Level.HIGH, 2): 3, (4, 5): 6, 7: [{Point(1): 8}]},
    Zoo(animals=[Dog(name="rex", tricks=2)], anything=[Point(1), Pair(1), Dog(name="bo", tricks=1), Colour.RED]),
    *(Renamed(X=5, why=6), Numbers([1, 2]), Exact(place=(1, 2)), Open(more=Point(3)), Dumped(day=date(2026, 1, 2))),  # type: ignore[call-arg]
    *(Box[int](content=1), Box[Animal](content=Dog(name="rex", tricks=2)), Validated(X=4)),
]


if sys.version_info < (3, 14):  # where Pydantic's first version does not run
    from pydantic import v1

    class Old(v1.BaseModel):
        """A model of Pydantic's first version."""

        x: int = v1.Field(alias="X")
        held: Any = None

    VALUES.append(Old(X=1, held=Point(2)))


def counted() -> Counted:
    """One of which a field was counted on, and another never set."""
    made = Counted(["a", "b"])
    made.count = 7
    return made
