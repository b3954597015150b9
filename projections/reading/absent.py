"""One rule for what is named and is not there: an error that names all of it, unless its absence was allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventstore import NotFoundError

_SHOWN = 10


def check_all_there(kind: str, missing: Sequence[str], where: str = "") -> None:
    """Hold that nothing of one kind is missing, such as `"thread"`; see `check_all_named`."""
    check_all_named({kind: missing}, where)


def check_all_named(missing: Mapping[str, Sequence[str]], where: str = "") -> None:
    """Hold that nothing is missing.

    Args:
        missing: By kind: the names of what is not there.
        where: Where it is not, in words for people.

    Raises:
        NotFoundError: Something is; its message names all.
    """
    told = [f"{kind} {_listed(names)}" for kind, names in missing.items() if names]
    if told:
        raise NotFoundError(f"there is no {', and no '.join(told)}{where and f' in {where}'}: check the name")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
