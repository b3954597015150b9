"""Named tuples and dataclasses that are cheap to define behave as those of the standard library do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from inspect import signature
from typing import Any

import pytest

from eventstore import Cause, Head, NewEvent
from eventstore.by_fields import ByFields, Immutable, OnOneLine, changeable, frozen
from eventstore.tuples import NamedTuple


class Place(NamedTuple):
    """Somewhere."""

    street: str
    number: int = 1
    floor: int | None = None

    @property
    def is_high(self) -> bool:
        return self.floor is not None and self.floor > 9


class Nothing(NamedTuple):
    """A tuple without fields."""


@frozen
class Visit(ByFields):
    """Passed around."""

    place: Place
    guests: list[str] = field(default_factory=list)
    remark: str = field(default="", compare=False, repr=False)


@frozen
class Kept(OnOneLine, Immutable):
    """Kept by somebody."""

    name: str
    visits: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")


@changeable
class Count(ByFields):
    """A thing that changes."""

    number: int = 0


def test_a_named_tuple_is_a_tuple_with_names() -> None:
    place = Place("High Street", floor=12)
    assert (place.street, place.number, place.floor, place.is_high) == ("High Street", 1, 12, True)
    assert ("High Street", 1, 12) == place  # noqa: SIM300
    assert repr(place) == "Place(street='High Street', number=1, floor=12)"
    assert {place: 1}["High Street", 1, 12] == 1
    street, *others = place
    assert (street, others, len(place)) == ("High Street", [1, 12], 3)
    assert Nothing() == ()
    match place:
        case Place(street, number=1):
            assert street == "High Street"
        case _:
            raise AssertionError


def test_a_named_tuple_has_what_others_have() -> None:
    place = Place("High Street")
    assert place._replace(number=2) == Place("High Street", 2)
    assert place._asdict() == {"street": "High Street", "number": 1, "floor": None}
    assert list(signature(Place).parameters) == ["street", "number", "floor"]
    for each in (copy.copy(place), copy.deepcopy(place), pickle.loads(pickle.dumps(place))):
        assert (type(each), each) == (Place, place)


@pytest.mark.parametrize("arguments", [(), ("a", 1, None, 2)])
def test_a_named_tuple_takes_its_fields_and_no_others(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Place(*arguments)
    with pytest.raises(TypeError):
        Place("a", colour="red")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Place("a")._replace(colour="red")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Place("a").street = "b"  # type: ignore[misc]


def test_what_is_passed_around_is_compared_and_shown_by_its_fields() -> None:
    visit = Visit(Place("a"), ["Ann"], remark="early")
    assert visit == Visit(Place("a"), ["Ann"])
    assert visit != Visit(Place("a"), ["Bob"])
    assert visit != "a visit"
    assert hash(Head(1, b"x", epoch=1)) == hash(Head(1, b"x"))
    assert repr(visit) == "Visit(place=Place(street='a', number=1, floor=None), guests=['Ann'])"
    assert Visit(Place("a")).guests is not Visit(Place("a")).guests
    assert not hasattr(visit, "__dict__")
    match visit:
        case Visit(place, ["Ann"]):
            assert place == Place("a")
        case _:
            raise AssertionError


def test_dataclasses_know_them() -> None:
    assert [each.name for each in fields(Visit)] == ["place", "guests", "remark"]
    assert replace(Kept("a"), name="b") == Kept("b")
    assert asdict(Kept("a", {"x": [1]})) == {"name": "a", "visits": {"x": [1]}}
    assert is_dataclass(Kept)
    assert list(signature(Visit).parameters) == ["place", "guests", "remark"]
    assert signature(NewEvent).parameters["cause"].default == Cause()


def test_who_keeps_one_cannot_change_it() -> None:
    kept = Kept("a", {"x": 1})
    with pytest.raises(FrozenInstanceError, match="'name'"):
        kept.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="'name'"):
        del kept.name
    for each in (copy.copy(kept), copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert each == kept
    with pytest.raises(ValueError, match="no name"):
        Kept("")
    count = Count()
    count.number += 1
    assert count == Count(1)
    assert pickle.loads(pickle.dumps(count)) == count
