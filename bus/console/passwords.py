"""Passwords of local accounts: argon2id (RFC 9106), a few at a time, off the event loop."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas.errors import InvalidRequest

LEAST = 12  # characters
MOST = 200
AT_ONCE = 2  # each takes 64 MiB while it is computed

_hasher = PasswordHasher()
_slots = asyncio.Semaphore(AT_ONCE)
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))
"""Compared with for a name that does not exist, so that it takes as long as for one that does."""

_EASY = ("password", "matkhau", "lgsp", "qwerty", "123456", "abcdef")


def first_password() -> str:
    """For a new account; typed once, so without characters that look alike."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def hashed(password: str) -> str:
    return _hasher.hash(password)


async def hash_apart(password: str) -> str:
    """As `hashed`, without stopping everybody else for its fifty milliseconds."""
    async with _slots:
        return await asyncio.to_thread(_hasher.hash, password)


async def fits(password: str, stored: str | None) -> bool:
    """Whether it is the password; for an account without one never, and no sooner."""
    async with _slots:
        good = await asyncio.to_thread(_verify, stored or _NOBODY, password[:MOST])
    return good and stored is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def check_new(password: str, *, name: str, old: str) -> None:
    """Raises InvalidRequest when it is too easy. Length counts, not kinds of characters.

    NIST SP 800-63B, section 3.1.1: at least so long, no composition rules, none that is known.
    """
    low = password.lower()
    if not LEAST <= len(password) <= MOST or len(set(low)) < 5:
        raise InvalidRequest(
            f"a password has {LEAST} to {MOST} characters, at least 5 different ones",
            vi=f"mật khẩu có từ {LEAST} đến {MOST} ký tự, ít nhất 5 ký tự khác nhau",
        )
    if name.lower() in low or any(easy in low for easy in _EASY):
        raise InvalidRequest(
            "the password holds the account's name or a word everybody tries first",
            vi="mật khẩu chứa tên tài khoản hoặc từ ai cũng đoán được",
        )
    if password == old:
        raise InvalidRequest("this is the old password", vi="đây là mật khẩu cũ")
