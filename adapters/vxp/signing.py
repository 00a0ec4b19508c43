"""The header signature of the national document axis, made and checked; no I/O.

Source: the vendor's client 2.0.1 as observed on the wire.  What is signed is a JSON object of
headers, sent as a header itself; a receiver checks the HMAC over that text as it arrived, and then
believes nothing but what stands in it.
"""

from __future__ import annotations

import hmac
import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
PREFIX = "XroadVnpt-"
SIGN_HEADER = PREFIX + "sign-header"
SIGN_HEADER_KEY = PREFIX + "sign-header-key"
HASH_HEADER = PREFIX + "hash-header"
VERSION_HEADER = PREFIX + "version"
VERSION = "3.0.201608"
USER_AGENT = "JAVASDKAgent/1.0.0 XRoad/VPCP"

WINDOW = 300.0
"""Seconds that a timestamp may differ from the receiver's clock."""

_FORMAT = "%d%m%YT%H%M%S"


class SignatureRefused(Exception):
    """The request is not from who it says, or not from now. The text says why, without values."""


class Signed(NamedTuple):
    """The headers of a request that its signature covers, by their names without prefix in small
    letters; and the signature itself, which is different for every request.
    """

    fields: Mapping[str, str]
    hash_header: str
    at: datetime

    def get(self, name: str) -> str:
        """Empty when it was not signed, whatever the request says outside of its signature."""
        return self.fields.get(name.lower(), "")


def timestamp(now: datetime) -> str:
    """`ddMMyyyy'T'HHmmss+SSSS` in Vietnam's time; after the plus stand milliseconds, not a zone."""
    local = now.astimezone(VIETNAM)
    return f"{local:{_FORMAT}}+{local.microsecond // 1000:04d}"


def parse_timestamp(text: str) -> datetime:
    """Raises ValueError."""
    moment, plus, milliseconds = text.partition("+")
    if not plus or not (milliseconds.isascii() and milliseconds.isdigit()):
        msg = "a timestamp is ddMMyyyyTHHmmss+SSSS"
        raise ValueError(msg)
    local = datetime.strptime(moment, _FORMAT).replace(tzinfo=VIETNAM)
    return local + timedelta(milliseconds=int(milliseconds))


def sign(fields: Mapping[str, str], secret: bytes) -> dict[str, str]:
    """The headers of a request whose logical headers are `fields`, in that order.

    `secret` is used as it is written: it looks like base64 and is not decoded.
    """
    prefixed = {PREFIX + name: value for name, value in fields.items()}
    text = json.dumps(prefixed, separators=(",", ":"))
    return {
        **prefixed,
        SIGN_HEADER_KEY: ";".join(fields),
        SIGN_HEADER: text,
        HASH_HEADER: _hash(text, secret),
        VERSION_HEADER: VERSION,
        "User-Agent": USER_AGENT,
    }


def claimed_system(headers: Mapping[str, str]) -> str:
    """The systemid a request gives, by which its secret is looked up; proves nothing."""
    return headers.get((PREFIX + "systemid").lower(), "")


def verify(headers: Mapping[str, str], secret: bytes, now: datetime) -> Signed:
    """What the sender signed. `headers` by name in small letters.

    Raises SignatureRefused.
    """
    text = headers.get(SIGN_HEADER.lower(), "")
    given = headers.get(HASH_HEADER.lower(), "").strip().lower()
    if not text or not hmac.compare_digest(_hash(text, secret).encode(), given.encode()):
        raise SignatureRefused("hash-header is not the HMAC of sign-header")
    fields = _fields(text)
    for name, value in fields.items():
        if headers.get(PREFIX.lower() + name) != value:
            raise SignatureRefused("a signed value differs from the header of that name")
    if not fields.get("systemid"):
        raise SignatureRefused("systemid is not signed")
    return Signed(fields, given, _fresh(fields.get("timestamp", ""), now))


def _hash(text: str, secret: bytes) -> str:
    return hmac.digest(secret, text.encode("latin-1", "replace"), "sha256").hex()


def _fields(text: str) -> dict[str, str]:
    try:
        signed = json.loads(text)
    except (ValueError, RecursionError):
        raise SignatureRefused("sign-header is not JSON") from None
    if not isinstance(signed, dict):
        raise SignatureRefused("sign-header is not a JSON object")
    prefix = PREFIX.lower()
    if not all(name.lower().startswith(prefix) for name in signed):
        raise SignatureRefused("sign-header names a header without the prefix")
    return {name.lower().removeprefix(prefix): str(value) for name, value in signed.items()}


def _fresh(text: str, now: datetime) -> datetime:
    try:
        at = parse_timestamp(text)
    except (ValueError, OverflowError):  # so many milliseconds that no date holds them
        raise SignatureRefused("timestamp is not signed or not ddMMyyyyTHHmmss+SSSS") from None
    if abs((now - at).total_seconds()) > WINDOW:
        raise SignatureRefused(f"timestamp is more than {WINDOW:g} s away from this clock")
    return at


class Replays:
    """Signatures seen within the window: a recorded request is not served twice.

    Remembered in this process only; what matters across processes is that every operation of the
    axis may be repeated without a second effect.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._order: deque[tuple[datetime, str]] = deque()

    def check(self, signed: Signed, now: datetime | None = None) -> None:
        """Raises SignatureRefused for a signature that was served before."""
        present = now or datetime.now(UTC)
        while self._order and (present - self._order[0][0]).total_seconds() > 2 * WINDOW:
            self._seen.discard(self._order.popleft()[1])
        if signed.hash_header in self._seen:
            raise SignatureRefused("the same signed request was served before")
        self._seen.add(signed.hash_header)
        self._order.append((present, signed.hash_header))


def hash_file(digest: bytes) -> str:
    """SHA-256 as the vendor's client writes it: hex without a leading zero in each byte."""
    return "".join(f"{byte:x}" for byte in digest)


def is_hash_of(text: str, digest: bytes) -> bool:
    """Whether `hash-file` means this digest, in the client's form or in proper hex."""
    given = text.strip().lower().encode("ascii", "replace")
    return hmac.compare_digest(given, digest.hex().encode()) or hmac.compare_digest(
        given, hash_file(digest).encode()
    )
