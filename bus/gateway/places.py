"""How much of one kind is taken in at once, shared fairly, decided before a body is read.

Beyond what keeps the ledger busy, more at once only makes everybody wait. Whoever already holds as
many places as are left gets no more (dynamic thresholds, Choudhury and Hahne 1998): one client
alone may have half of them, two a third each, and there is always room for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import RateLimited, Unavailable

LARGE = 1024 * 1024  # bytes; beyond it, or of unknown size, a packet counts as large
PAUSE = 1.0  # seconds after which those who are refused may come again


class Places:
    """Of one gateway process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._held: dict[str, int] = {}

    @contextmanager
    def held(self, client: str) -> Iterator[None]:
        """One place while inside. Raises Unavailable (all are taken), RateLimited (by this client,
        as many as are left to the others).
        """
        mine, left = self._held.get(client, 0), self._most - self._used
        if left <= 0:
            raise Unavailable(
                "too many messages at once", vi="Quá nhiều thông điệp cùng lúc", retry_after=PAUSE
            )
        if mine >= left:
            raise RateLimited(
                f"{mine} messages of this system are being taken in at the moment",
                vi=f"Đang tiếp nhận {mine} thông điệp của hệ thống này cùng lúc",
                retry_after=PAUSE,
            )
        self._used += 1
        self._held[client] = mine + 1
        try:
            yield
        finally:
            self._used -= 1
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
