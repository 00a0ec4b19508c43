"""What must be read again but never from the database alone: sealed with a key of the settings."""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # bytes


class Sealer:
    """AES-256-GCM. `purpose` keeps keys of one secret apart."""

    def __init__(self, purpose: str, secret: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(purpose.encode() + b"\0" + secret).digest())

    def seal(self, text: bytes, name: bytes) -> bytes:
        """Only good under this name: a sealed text cannot be put in another's place."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text, name)

    def unseal(self, sealed: bytes, name: bytes) -> bytes | None:
        """None: it was sealed with another secret, under another name, or was changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name)
        except InvalidTag:
            return None
