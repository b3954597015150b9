"""A process that forks: what must not be under way meanwhile, and what the child makes anew.

A copy of a process has its memory, but none of its threads, and shares its connections. Locks that another thread held
are held for ever, and what a child says on a connection, its parent would have said. So whatever has locks, threads or
connections follows forks: see `ForkAware`.

The rules of SQLite go further: a connection may not be open while its process forks, since the child's copy of the
library would take the parent's locks for its own. https://www.sqlite.org/howtocorrupt.html
"""

from __future__ import annotations

import os
import threading
import weakref
from itertools import count

# By their numbers, in the order in which they were made. (A dict of its own, since its values are listed in one step:
# other threads go on while a fork begins.)
_followers: dict[int, weakref.ref[ForkAware]] = {}
_numbers = count()
# Held from before a fork until it is over: of two threads that fork, one waits.
_forking = threading.Lock()


class ForkAware:
    """A base class for objects with locks, threads or connections, which have to act when the process forks.

    The other methods are called around each fork, once `follow_forks` was called.
    """

    def follow_forks(self) -> None:
        """Register for forks, from now on and for as long as this object lives."""
        number = next(_numbers)
        _followers[number] = weakref.ref(self, lambda _: _followers.pop(number, None))

    def before_fork(self) -> None:
        """Stop everything that a child must not inherit, until the fork is over."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Replace what a child cannot use: all locks, threads and connections."""


def _present() -> list[ForkAware]:
    return [follower for each in [*_followers.values()] if (follower := each()) is not None]


def _before() -> None:
    _forking.acquire()
    for follower in _present():
        follower.before_fork()


def _after_in_parent() -> None:
    try:
        for follower in _present():
            follower.after_fork_in_parent()
    finally:
        _forking.release()


def _after_in_child() -> None:
    try:
        for follower in _present():
            follower.after_fork_in_child()
    finally:
        _forking.release()


if hasattr(os, "register_at_fork"):  # where processes do not fork, there is nothing to do
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
