"""A web application that saves: its module opens the store, as the modules of applications do.

    STORE_URL=… uvicorn tests.support.application:app --workers 3
    STORE_URL=… gunicorn tests.support.application:wsgi --workers 3 --preload

POST /thread/5 saves the checkpoint 5 of a thread; what comes back are the numbers of two processes: the one that opened
the store, and the one that saved.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import at, checkpoint

Message = MutableMapping[str, Any]

saver = EventStoreSaver(EventStore.open(os.environ["STORE_URL"]))
opened_by = os.getpid()


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """See the module."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await saver.store.aclose()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await saver.aput(*_asked(scope["path"]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": _answer()})


def wsgi(environ: Message, start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """See the module."""
    saver.put(*_asked(environ["PATH_INFO"]))
    start_response("200 OK", [("Content-Length", str(len(_answer())))])
    return [_answer()]


def _asked(path: str) -> tuple[Any, Any, Any, Any]:
    """Return the arguments of `put`."""
    _, thread, text = path.split("/")
    number = int(text)
    new = checkpoint(number, {"count": number})
    return at(thread, number - 1 or None), new, {"source": "loop", "step": number}, new["channel_versions"]


def _answer() -> bytes:
    return f"{opened_by} {os.getpid()}".encode()
