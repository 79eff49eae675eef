"""What the keys of privacy do (RFC 3826). Loaded only where a user has privacy: the library takes long to load."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms


class AesCfb:
    """AES in CFB128, the initial vector made of the engine's clock and the salt (RFC 3826 section 3.1.2.1)."""

    def __init__(self, key: bytes) -> None:
        self._algorithm = algorithms.AES(key)

    def encrypt(self, plain: bytes, boots: int, time: int, salt: bytes) -> bytes:
        """Cipher text, as long as the plain text."""
        return Cipher(self._algorithm, CFB(_vector(boots, time, salt))).encryptor().update(plain)

    def decrypt(self, secret: bytes, boots: int, time: int, salt: bytes) -> bytes:
        """Plain text, as long as the cipher text; garbage when the key is wrong."""
        return Cipher(self._algorithm, CFB(_vector(boots, time, salt))).decryptor().update(secret)


def _vector(boots: int, time: int, salt: bytes) -> bytes:
    return boots.to_bytes(4, "big") + time.to_bytes(4, "big") + salt
