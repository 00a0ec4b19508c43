"""One-time codes of authenticator apps: TOTP (RFC 6238) with SHA-1, 6 digits, 30 seconds.

The shared secret must be known in the clear to check a code, so it is stored sealed (AES-256-GCM)
with a key made of the secret `console-totp`, which is not in the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote

from bus.ledger.sealing import Sealer
from schemas.errors import ConfigurationError
from schemas.instant import SECOND, Instant

KEY_NAME = "console-totp"
_PURPOSE = "totp"
PERIOD = 30  # seconds
DIGITS = 6
SLACK = 1  # steps a clock may be off, in either direction
ISSUER = "LGSP"


def new_secret() -> bytes:
    """160 random bits, as RFC 4226, section 4 advises."""
    return secrets.token_bytes(20)


def as_text(secret: bytes) -> str:
    """As people type it into an authenticator."""
    return base64.b32encode(secret).decode()


def address(secret: bytes, name: str) -> str:
    """What the QR code says (Key URI Format of Google Authenticator, which all apps read)."""
    return f"otpauth://totp/{ISSUER}:{quote(name)}?secret={as_text(secret)}&issuer={ISSUER}"


def code_at(secret: bytes, step: int) -> str:
    """RFC 4226, section 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(secret: bytes, code: str, now: Instant) -> int | None:
    """The step whose code it is, if it is one of now's: whoever accepts it marks it as used."""
    current = now // (PERIOD * SECOND)
    offered = "".join(code.split())
    good = [
        step
        for step in range(current - SLACK, current + SLACK + 1)
        if hmac.compare_digest(code_at(secret, step).encode(), offered.encode())
    ]
    return good[0] if good else None


def seal(secret: bytes, key: bytes, name: str) -> bytes:
    return Sealer(_PURPOSE, key).seal(secret, name.encode())


def unseal(sealed: bytes, key: bytes, name: str, *, previous: bytes | None = None) -> bytes:
    """Raises ConfigurationError when the key is another than the one it was sealed with, and the
    one before it, too.
    """
    secret = Sealer(_PURPOSE, key).unseal(sealed, name.encode())
    if secret is None:
        if previous is not None:
            return unseal(sealed, previous, name)
        raise ConfigurationError(
            f"secret {KEY_NAME} is not the one with which authenticators were registered; put the "
            "old one back, or reset the account: lgsp account reset",
            vi=f"bí mật {KEY_NAME} không phải bí mật khi đăng ký ứng dụng xác thực; đặt lại bí mật "
            "cũ, hoặc đặt lại tài khoản: lgsp account reset",
        )
    return secret
