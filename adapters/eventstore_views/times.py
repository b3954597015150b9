"""Times as a person writes and reads them: in the zone of the machine, unless they say another one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from eventstore import BadInputError
from projections.diffing import plain

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,6})\s*([smhdw])")
_AGO = re.compile(r"(.+?)[\s-]*ago")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?")

FORMS = "use 2026-11-21, 2026-11-21T17:55 (local, or with Z or +01:00), 17:55 (today), or '10m ago' (s, m, h, d, w)"


def duration(text: str) -> timedelta:
    """Return a duration such as `90s`, `10m`, `2h`, `3d` or `1w`.

    Raises:
        BadInputError: The text is not a duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BadInputError(f"{text!r} is not a duration: use 90s, 10m, 2h, 3d or 1w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def moment(text: str) -> datetime:
    """Return a time, with its zone.

    Raises:
        BadInputError: The text is not a time.
    """
    given = text.strip()
    if ago := _AGO.fullmatch(given):
        return datetime.now(UTC) - duration(ago[1])
    if _CLOCK.fullmatch(given):
        given = f"{datetime.now().astimezone():%Y-%m-%d}T{given.zfill(len(given) + (given.index(':') == 1))}"
    try:
        # Without a zone it is the machine's.
        return datetime.fromisoformat(given).astimezone()
    except (ValueError, OverflowError) as error:
        raise BadInputError(f"{text!r} is no time: {FORMS}") from error


def is_moment(text: str) -> bool:
    """Return whether a text is meant as a time. An id is not: a LangGraph checkpoint's has no colon, nor begins so."""
    return bool(
        re.match(r"\d{4}-\d\d-\d\d($|[T ])", text) or _CLOCK.fullmatch(text.strip()) or _AGO.fullmatch(text.strip())
    )


def shown(time: datetime, *, utc: bool) -> str:
    """A time to read: `2026-11-21 17:55:03`; in UTC, ISO 8601 to the millisecond."""
    if utc:
        return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def iso(time: datetime | None) -> str | None:
    """A time as JSON has it: ISO 8601, UTC, to the microsecond."""
    return None if time is None else plain.iso(time)


def past(text: str) -> datetime:
    """A time, or a duration, which means so long ago.

    Raises:
        BadInputError: It is neither.
    """
    return datetime.now(UTC) - duration(text) if _DURATION.fullmatch(text.strip()) else moment(text)


def end_of_past(text: str) -> datetime:
    """`end_of` a time, or a duration, which means so long ago."""
    return past(text) if _DURATION.fullmatch(text.strip()) else end_of(text)


def end_of(text: str) -> datetime:
    """The end of the minute, or second, that a time names: so that a time as it is shown names what stands beside it.

    Raises:
        BadInputError: It is no time.
    """
    found = moment(text)
    clock = re.search(r"(\d\d?:\d\d)(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?$", text.strip())
    if clock is None or clock[3]:
        return found
    return found + timedelta(seconds=1 if clock[2] else 60) - timedelta(microseconds=1)


def past_if_given(text: str | None) -> datetime | None:
    """`past`, of an option that may be left out."""
    return None if text is None else past(text)
