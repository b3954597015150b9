"""A web application that saves: its module opens the store, as the modules of applications do.

    STORE_URL=… uvicorn tests.support.application:app --workers 3

POST /thread/5 saves the checkpoint 5 of a thread; what comes back is the number of the process.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import at, checkpoint

Message = MutableMapping[str, Any]

saver = EventStoreSaver(EventStore.open(os.environ["STORE_URL"]))


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
    _, thread, text = scope["path"].split("/")
    number = int(text)
    new = checkpoint(number, {"count": number})
    described: Any = {"source": "loop", "step": number}
    await saver.aput(at(thread, number - 1 or None), new, described, new["channel_versions"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
