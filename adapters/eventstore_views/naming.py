"""Short names for checkpoints, and the checkpoints that such names mean.

LangGraph's ids begin with the time, so those of a thread share their beginnings; the end tells them apart. An id is
shown by as much of its end as no other of the thread has, and found again by any beginning or end that only it has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from eventstore import BadInputError, NotFoundError
from eventstore_views import times

SHORTEST = 6
"""The least characters that an id is shown by, so that it stays unique for a while."""
_CANDIDATES = 5

_BACK = re.compile(r"(?P<of>.*?)~(?P<back>\d{0,9})")
_STEP = re.compile(r"step:(?P<step>-?\d{1,18})")
_HEAD = ("", "@", "HEAD", "head")

FORMS = """A checkpoint is named by

  @, HEAD          the latest (~ alone counts from there)
  ~2, a3f9c1~2     so many before it, on the way that led to it
  step:5           the one of that step, on the way that led to the latest
  a3f9c1           the end, or the beginning, of its id: as much as only it has
  2026-11-21T17:55, 17:55, '10m ago'
                   the latest that was saved by then, or in that minute or second"""


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a person gave for a checkpoint, parsed.

    Attributes:
        id: The beginning or end of an id; `None` means the latest, unless one of the others is given.
        step: The step that it was saved after.
        time: The time by which it was saved.
        back: The number of checkpoints to count back from there.
    """

    id: str | None = None
    step: int | None = None
    time: datetime | None = None
    back: int = 0


def parse(text: str) -> Name:
    """Parse a name; see `FORMS`.

    Raises:
        BadInputError: The text is not a name of a checkpoint.
    """
    back = 0
    of = text.strip()
    if found := _BACK.fullmatch(of):
        of, back = found["of"], int(found["back"] or 1)
    if of in _HEAD:
        return Name(back=back)
    if of.startswith("step:"):
        step = _STEP.fullmatch(of)
        if step is None:
            raise BadInputError(f"{text!r} is no step: use step:5")
        return Name(step=int(step["step"]), back=back)
    if times.is_moment(of):
        return Name(time=times.end_of(of), back=back)
    return Name(id=of, back=back)


def find(part: str, ids: Collection[str], thread: str) -> str:
    """The one id that ends so, or else begins so.

    Raises:
        NotFoundError: None does.
        BadInputError: Several do.
    """
    if part in ids:
        return part
    # The ends first: they are what is shown.
    found = sorted(id_ for id_ in ids if id_.endswith(part)) or sorted(id_ for id_ in ids if id_.startswith(part))
    if not found:
        raise NotFoundError(
            f"thread {thread!r} has no checkpoint that begins or ends with {part!r}: see eventstore log"
        )
    if len(found) > 1:
        more = f", and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else ""
        candidates = ", ".join(found[:_CANDIDATES]) + more
        raise BadInputError(f"{part!r} is ambiguous in thread {thread!r}: say more of one of {candidates}")
    return found[0]


class Short:
    """Short names for the ids of one thread.

    Args:
        ids: All of them.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._lengths = dict(_unique_ends(sorted({id_[::-1] for id_ in ids})))

    def __call__(self, id_: str) -> str:
        """The end of an id that no other has; of one that is not known, its usual end."""
        return id_[-self._lengths.get(id_, SHORTEST) :]


def _unique_ends(turned: Sequence[str]) -> Iterable[tuple[str, int]]:
    """Each id with the length of its unique end, from all of them turned around and sorted."""
    # The id that shares the longest end with another stands right beside it.
    shared = [0, *(_common(*pair) for pair in pairwise(turned)), 0]
    for place, id_ in enumerate(turned):
        yield id_[::-1], max(SHORTEST, 1 + max(shared[place], shared[place + 1]))


def _common(left: str, right: str) -> int:
    """How many characters two texts begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
