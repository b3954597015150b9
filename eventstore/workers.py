"""The threads that carry out async calls: as many as there are connections, shared by all event loops."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakMethod

from eventstore.arguments import checks_itself
from eventstore.errors import StoreClosedError
from eventstore.forking import ForkAware

if TYPE_CHECKING:
    import asyncio

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound="HasWorkers")
W = TypeVar("W")

# How many items of an iteration are fetched per visit to a worker, if nothing else is said.
_AT_ONCE = 500


class Workers(ForkAware):
    """A bounded pool of threads, started when first needed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._closed = False
        self._at_close: list[WeakMethod[Callable[[], None]]] = []
        self.follow_forks()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on one of the threads, from any event loop.

        Cancelling the waiting task does not interrupt a function that has begun: what it writes is stored whole. One
        that has not begun is not carried out.
        """
        import asyncio  # noqa: PLC0415 (whoever calls nothing async starts sooner)

        context = contextvars.copy_context()
        return await asyncio.wrap_future(self._pool().submit(lambda: context.run(function, *args, **kwargs)))

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        with self._lock:
            self._closed = True
            executor = self._executor
        if executor:
            executor.shutdown()
        while self._at_close:
            if call := self._at_close.pop()():
                call()

    def at_close(self, call: Callable[[], None]) -> None:
        """Let a method be called once by `close`, when nothing is under way: what else the work has held open.

        Its object is not kept alive by this: a store may outlive many savers.
        """
        self._at_close = [each for each in self._at_close if each()]
        self._at_close.append(WeakMethod(call))

    def after_fork_in_child(self) -> None:
        """See `ForkAware`: a child starts threads of its own."""
        self._lock = threading.Lock()
        self._executor = None

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise StoreClosedError
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="eventstore")
            return self._executor


class HasWorkers(Protocol):
    """An object whose methods can be carried out by workers."""

    @property
    def workers(self) -> Workers:
        """Its threads."""
        ...


def twin(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The same method for async code: with the same arguments, on one of the object's own threads.

    A task that is cancelled leaves all or nothing of what the method writes.
    """

    @wraps(method)
    async def on_a_worker(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # By its name: so that a subclass's method, and the checks of `checked`, are what is called.
        return await self.workers.run(getattr(self, method.__name__), *args, **kwargs)

    return _like(on_a_worker, method)


def twin_apart(method: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], Coroutine[Any, Any, T]]:
    """The same method for async code, on a thread of its own: for what has to answer while all workers wait."""

    @wraps(method)
    async def apart(self: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
        import asyncio  # noqa: PLC0415 (see `Workers.run`)

        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # from now on only the thread settles it

        def run() -> None:
            try:
                answer.set_result(getattr(self, method.__name__)(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 (it is for whoever waits)
                answer.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return await asyncio.wrap_future(answer)

    return _like(apart, method)


def twin_iterator(
    method: Callable[Concatenate[S, P], Iterator[T]], *, at_once: int = _AT_ONCE
) -> Callable[Concatenate[S, P], AsyncIterator[T]]:
    """The same iteration for async code: each part of it is fetched on one of the object's own threads.

    The method itself is called at once, so that it can refuse its arguments: it reads nothing before the iterator is
    used. The first item is fetched alone, so that a caller who stops there does not wait for more.

    Args:
        method: Returns an iterator.
        at_once: How many items are fetched per visit to a thread, and held in memory.
    """

    @wraps(method)
    def from_workers(self: S, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return _fetched(self.workers, getattr(self, method.__name__)(*args, **kwargs), at_once)

    return _like(from_workers, method)


def stands_for(opener: Any) -> Callable[[F], F]:
    """Let a class method for async code have the words and the signature of the one that it stands for."""

    def standing(function: F) -> F:
        wraps(opener.__func__)(function)
        function.__doc__ = f"`{opener.__name__}`, for async code: the event loop goes on.\n\n{opener.__doc__}"
        return function

    return standing


async def on_another_thread(function: Callable[[], T]) -> T:
    """Run a function on a thread that is none of the store's."""
    import asyncio  # noqa: PLC0415 (see `Workers.run`)

    return await asyncio.to_thread(function)


async def opened(open_: Callable[[], T], close: Callable[[T], object]) -> T:
    """Open something on another thread; if nobody waits for it any more, it is closed as soon as it is open."""
    import asyncio  # noqa: PLC0415 (see `Workers.run`)

    opening = asyncio.ensure_future(on_another_thread(open_))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:

        def closing(done: asyncio.Future[T]) -> None:
            if not done.cancelled() and done.exception() is None:
                threading.Thread(target=close, args=(done.result(),)).start()

        opening.add_done_callback(closing)
        raise


async def _fetched(workers: Workers, found: Iterator[T], at_once: int) -> AsyncIterator[T]:
    size = 1
    while batch := await workers.run(lambda size: [*islice(found, size)], size):
        for item in batch:
            yield item
        size = at_once


def _like(function: F, method: Callable[..., Any]) -> F:
    function.__doc__ = f"`{method.__name__}`, for async code.\n\n{method.__doc__}"
    # The arguments are checked by the method.
    return checks_itself(function)
