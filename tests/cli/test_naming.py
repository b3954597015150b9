"""How a checkpoint is named: by what only it has, and back again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import BadInputError, NotFoundError
from eventstore_views import times
from eventstore_views.naming import SHORTEST, Name, Short, find, parse
from tests.support.histories import id_of

IDS = st.sets(st.text("0123456789abcdef-", min_size=1, max_size=40), min_size=1, max_size=40)


@given(IDS)
def test_a_short_name_leads_back_to_its_id(ids: set[str]) -> None:
    short = Short(ids)
    for id_ in ids:
        name = short(id_)
        assert id_.endswith(name)
        assert find(name, ids, "t") == id_


def test_a_short_name_is_as_long_as_it_must_be() -> None:
    short = Short(["aaa111111", "bbb111111", "ccc222222"])
    assert [short("aaa111111"), short("bbb111111"), short("ccc222222")] == ["a111111", "b111111", "222222"]
    assert short(id_of(9)) == id_of(9)[-SHORTEST:]


def test_an_id_that_is_the_end_of_another_is_named_by_itself() -> None:
    assert Short(["1", "11"])("1") == "1"
    assert find("1", ["1", "11"], "t") == "1"


def test_an_ambiguous_name_lists_the_candidates() -> None:
    with pytest.raises(BadInputError, match=r"ambiguous in thread 't'.*a1, b1"):
        find("1", ["a1", "b1", "c2"], "t")
    with pytest.raises(BadInputError, match="and 2 more"):
        find("1", [f"{n}1" for n in range(2, 9)], "t")


def test_a_name_that_nothing_has_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="begins or ends with 'x'"):
        find("x", ["a1"], "t")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@", Name()),
        ("HEAD", Name()),
        ("~", Name(back=1)),
        ("~3", Name(back=3)),
        ("@~2", Name(back=2)),
        ("HEAD~2", Name(back=2)),
        ("a3f9c1", Name(id="a3f9c1")),
        ("a3f9c1~2", Name(id="a3f9c1", back=2)),
        ("step:5", Name(step=5)),
        ("step:-1", Name(step=-1)),
        ("step:5~1", Name(step=5, back=1)),
        ("2026-11-21T17:55Z", Name(time=datetime(2026, 11, 21, 17, 55, 59, 999999, tzinfo=UTC))),
        ("2026-11-21 17:55+01:00", Name(time=datetime(2026, 11, 21, 16, 55, 59, 999999, tzinfo=UTC))),
    ],
)
def test_a_name_is_taken_apart(text: str, name: Name) -> None:
    assert parse(text) == name


@pytest.mark.parametrize("text", ["step:x", "step:", "2026-13-01", "25:00"])
def test_a_name_that_means_nothing_says_what_to_use(text: str) -> None:
    with pytest.raises(BadInputError, match="use "):
        parse(text)


def test_a_time_without_a_zone_is_local() -> None:
    assert times.moment("2026-11-21") == datetime(2026, 11, 21).astimezone()
    assert times.moment("9:05").astimezone().hour == 9


def test_a_duration_is_so_long_ago() -> None:
    before = datetime.now(UTC)
    for text in ("90s ago", "90s", "90s-ago"):
        assert before - timedelta(seconds=90) <= times.past(text) <= datetime.now(UTC) - timedelta(seconds=90)
    with pytest.raises(BadInputError, match="no duration"):
        times.duration("10 parsecs")


def test_times_are_shown_locally_or_in_iso() -> None:
    moment = datetime(2026, 11, 21, 17, 55, 3, 123456, tzinfo=UTC)
    assert times.shown(moment, utc=True) == "2026-11-21T17:55:03.123Z"
    assert times.shown(moment, utc=False) == f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 (in the machine's zone, as people write)
def test_a_time_as_it_is_shown_names_what_was_saved_at_it(saved: datetime) -> None:
    moment = saved.astimezone()
    for shown in (times.shown(moment, utc=False), times.iso(moment) or "", f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"):
        assert moment <= times.end_of(shown) < moment + timedelta(minutes=1)
