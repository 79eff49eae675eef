"""User-based security of SNMPv3: users, key localisation, authentication, privacy.

RFC 3414 (MD5, SHA-1, DES), RFC 7860 (SHA-2), RFC 3826 (AES-128), draft-blumenthal-aes-usm-04 (AES-192, AES-256).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
    from cryptography.hazmat.primitives.ciphers import Cipher, modes


class Auth(StrEnum):
    """Authentication protocols."""

    MD5 = "MD5"
    SHA1 = "SHA1"
    SHA224 = "SHA224"
    SHA256 = "SHA256"
    SHA384 = "SHA384"
    SHA512 = "SHA512"


class Priv(StrEnum):
    """Privacy protocols."""

    DES = "DES"
    AES128 = "AES128"
    AES192 = "AES192"
    AES256 = "AES256"


MAC_OCTETS = {Auth.MD5: 12, Auth.SHA1: 12, Auth.SHA224: 16, Auth.SHA256: 24, Auth.SHA384: 32, Auth.SHA512: 48}
KEY_OCTETS = {Priv.DES: 16, Priv.AES128: 16, Priv.AES192: 24, Priv.AES256: 32}


@dataclass(frozen=True)
class UsmUser:
    """A user that the agent knows. The security level it was given is the least it may ask with.

    ValueError for a passphrase under 8 characters (RFC 3414 section 11.2) and for privacy without authentication.
    """

    name: str
    auth: Auth | str | None = None
    auth_key: str = field(default="", repr=False)
    priv: Priv | str | None = None
    priv_key: str = field(default="", repr=False)
    may_write: bool = True

    def __post_init__(self) -> None:
        if self.auth is not None:
            object.__setattr__(self, "auth", Auth(self.auth))
        if self.priv is not None:
            object.__setattr__(self, "priv", Priv(self.priv))
        if not 1 <= len(self.name.encode()) <= 32:
            raise ValueError("expected a user name of 1 to 32 octets")
        if self.priv and not self.auth:
            raise ValueError(f"user {self.name}: privacy needs an authentication protocol")
        if (self.auth and len(self.auth_key) < 8) or (self.priv and len(self.priv_key) < 8):
            raise ValueError(f"user {self.name}: expected passphrases of at least 8 characters")

    @property
    def level(self) -> int:
        """Flags of the level this user has: 0 noAuthNoPriv, 1 authNoPriv, 3 authPriv."""
        return (1 if self.auth else 0) | (2 if self.priv else 0)


Users = Sequence[UsmUser]


@lru_cache(maxsize=256)
def _password_key(auth: Auth, passphrase: str) -> bytes:
    """Ku: the digest of a mebibyte of the repeated passphrase (RFC 3414 appendix A.2)."""
    secret = passphrase.encode()
    stretched = secret * (1_048_576 // len(secret) + 1)
    return hashlib.new(auth.lower(), stretched[:1_048_576], usedforsecurity=False).digest()


@lru_cache(maxsize=8192)
def localised_key(auth: Auth, passphrase: str, engine_id: bytes, octets: int = 0) -> bytes:
    """Kul: the key of one engine, stretched (Blumenthal) or cut to `octets` when given."""
    user_key = _password_key(auth, passphrase)

    def digest(data: bytes) -> bytes:
        return hashlib.new(auth.lower(), data, usedforsecurity=False).digest()

    key = digest(user_key + engine_id + user_key)
    while octets and len(key) < octets:
        key += digest(key)
    return key[:octets] if octets else key


class LocalUser:
    """A user with the keys of one engine: signs, checks, encrypts, decrypts."""

    __slots__ = ("auth", "auth_key", "digest_name", "mac_octets", "priv", "priv_key", "user")

    def __init__(self, user: UsmUser, engine_id: bytes) -> None:
        self.user = user
        self.auth = Auth(user.auth) if user.auth else None
        self.priv = Priv(user.priv) if user.priv else None
        self.auth_key = self.priv_key = b""
        self.mac_octets = 0
        self.digest_name = ""
        if self.auth:
            self.auth_key = localised_key(self.auth, user.auth_key, engine_id)
            self.mac_octets = MAC_OCTETS[self.auth]
            self.digest_name = self.auth.lower()
            if self.priv:
                self.priv_key = localised_key(self.auth, user.priv_key, engine_id, KEY_OCTETS[self.priv])

    def mac(self, message: bytes) -> bytes:
        """The truncated HMAC of a message whose authentication parameters are zero."""
        return hmac.digest(self.auth_key, message, self.digest_name)[: self.mac_octets]

    def encrypt(self, plain: bytes, boots: int, time: int, salt: int) -> tuple[bytes, bytes]:
        """Ciphertext and privacy parameters. `salt` must not repeat within a boot; it counts, so runs reproduce."""
        if self.priv is Priv.DES:
            parameters = (boots & 0xFFFFFFFF).to_bytes(4, "big") + (salt & 0xFFFFFFFF).to_bytes(4, "big")
            padded = plain + bytes(-len(plain) % 8)
            return self._cipher(boots, time, parameters).encryptor().update(padded), parameters
        parameters = (salt & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")
        return self._cipher(boots, time, parameters).encryptor().update(plain), parameters

    def decrypt(self, secret: bytes, boots: int, time: int, parameters: bytes) -> bytes:
        """Plaintext; ValueError when the lengths cannot be right (decryptionErrors)."""
        if len(parameters) != 8 or (self.priv is Priv.DES and len(secret) % 8):
            raise ValueError("expected 8 octets of privacy parameters and whole blocks")
        return self._cipher(boots, time, parameters).decryptor().update(secret)

    def _cipher(self, boots: int, time: int, parameters: bytes) -> Cipher[CFB] | Cipher[modes.CBC]:
        # loaded here: most agents have no privacy, and the library takes its time
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
        from cryptography.hazmat.decrepit.ciphers.modes import CFB
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        if self.priv is Priv.DES:
            # Single DES is triple DES with one key thrice (the only form the library still offers).
            vector = bytes(a ^ b for a, b in zip(self.priv_key[8:16], parameters, strict=True))
            return Cipher(TripleDES(self.priv_key[:8] * 3), modes.CBC(vector))
        vector = boots.to_bytes(4, "big") + time.to_bytes(4, "big") + parameters
        return Cipher(algorithms.AES(self.priv_key), CFB(vector))
