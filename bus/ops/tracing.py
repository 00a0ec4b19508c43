"""W3C Trace Context (level 1, §3.2): one id that follows a message through every process.

The trace id is also the correlation id (mã theo dõi) that callers and log lines show.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16

current: ContextVar[str] = ContextVar("traceparent", default="")
"""The traceparent of what this task is doing; empty outside any request."""


def start() -> str:
    """A traceparent of a new trace."""
    ids = secrets.token_hex(24)
    return f"00-{ids[:32]}-{ids[32:]}-01"


def follow(header: str) -> str:
    """A traceparent with a span of our own in the caller's trace; a new trace when there is none.

    A caller's flags are kept. A malformed header is ignored, as the standard asks (§4.3), and so
    is version ff (§3.2.2.1).
    """
    match = _TRACEPARENT.fullmatch(header) if header else None
    if match is None or header.startswith("ff-") or (match[4] and header.startswith("00-")):
        return start()
    if match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return start()
    return f"00-{match[1]}-{secrets.token_hex(8)}-{match[3]}"


def trace_id(traceparent: str) -> str:
    """The 32 hexadecimal digits in the middle, or an empty string."""
    return traceparent[3:35]
