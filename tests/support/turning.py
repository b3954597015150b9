"""A cipher for tests: no cipher worth the name."""

from __future__ import annotations

from langgraph.checkpoint.serde.base import CipherProtocol


class Turning(CipherProtocol):
    """Turns each bit."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Turn each bit."""
        return "turning", bytes(255 - each for each in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Turn each bit back."""
        assert ciphername == "turning"
        return bytes(255 - each for each in ciphertext)
