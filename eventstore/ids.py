"""The names and ids that can be stored: the same on every backend, so that a store can move between them."""

from __future__ import annotations

from eventstore.errors import InvalidIdError

# PostgreSQL refuses index rows of more than 2,704 bytes; a checkpoint's key holds a namespace and a checkpoint id.
MAX_STREAM_BYTES = 1024
MAX_TOPIC_BYTES = 255
MAX_KEY_BYTES = 255


def check_id(kind: str, text: object, *, longest: int, empty: bool = False) -> str:
    """`text`, if it can be stored as an id.

    Args:
        kind: What it is called in the error.
        text: The id.
        longest: The most bytes of UTF-8 that it may have.
        empty: Whether it may be empty.

    Raises:
        InvalidIdError: It is not a string, is empty, too long, or holds a NUL or a lone surrogate.
    """
    if not isinstance(text, str):
        raise InvalidIdError(kind, f"must be a string, not {type(text).__name__}")
    if not text and not empty:
        raise InvalidIdError(kind, "must not be empty")
    if "\0" in text:
        raise InvalidIdError(kind, "holds a NUL character, which databases cannot store: remove it")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidIdError(kind, "holds a lone surrogate, which is not text: remove it") from error
    if size > longest:
        raise InvalidIdError(kind, f"is {size:,} bytes long, at most {longest:,} can be stored: use a shorter one")
    return text


def check_stream(name: object) -> str:
    """`name`, if a stream can have it (1 to 1,024 bytes)."""
    return check_id("stream name", name, longest=MAX_STREAM_BYTES)


def check_topic(topic: object) -> str:
    """`topic`, if an event can have it (1 to 255 bytes)."""
    return check_id("topic", topic, longest=MAX_TOPIC_BYTES)
