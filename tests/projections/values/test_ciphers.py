"""With a serializer that enciphers nothing of a value is on disk as it is, however little of it changed."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from eventstore import UnreadableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.sameness import same
from tests.support.saving import at, save
from tests.support.tables import content_of

STEPS = 40


def secret(number: int) -> str:
    return f"secret {number:02}!"


def values(number: int) -> dict[str, object]:
    secrets = [secret(n) for n in range(1, number + 1)]
    return {"list": secrets, "dict": dict.fromkeys(secrets, secrets[-1]), "text": "".join(secrets)}


def test_what_changed_under_a_cipher_is_enciphered_and_what_changed_without_one_is_not(
    saver: EventStoreSaver, url: str
) -> None:
    plain, key = saver.serde, b"0123456789abcdef"
    ciphered = range(11, STEPS + 1)
    for number in range(1, STEPS + 1):
        if number == ciphered[0]:
            saver.serde = EncryptedSerializer.from_pycryptodome_aes(plain, key=key)
        save(saver, number, values(number), parent=number - 1 or None)
    stored = content_of(url)
    assert all(secret(number).encode() in stored for number in range(1, ciphered[0]))
    assert not any(secret(number).encode() in stored for number in ciphered)

    for number in range(1, STEPS + 1):
        read = saver.get_tuple(at(number=number))
        assert read is not None
        assert all(same(read.checkpoint["channel_values"][channel], value) for channel, value in values(number).items())
    for wrong in (plain, EncryptedSerializer.from_pycryptodome_aes(plain, key=b"another key, too")):
        reader = EventStoreSaver(saver.store, serde=wrong)
        assert reader.get_tuple(at(number=ciphered[0] - 1)) is not None
        for number in ciphered:
            with pytest.raises(UnreadableError):
                reader.get_tuple(at(number=number))
