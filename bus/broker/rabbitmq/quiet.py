"""Samples what the client library logs: an outage must not flood the log.

The library reports every failed attempt to connect at ERROR.  The link logs each change of state
once, so a kind of library record is let through once in PERIOD, with the number held back.
"""

from __future__ import annotations

import logging
import time

LOGGERS = (
    "aio_pika.channel",
    "aio_pika.connection",
    "aiormq.base",
    "aiormq.channel",
    "aiormq.connection",
)
PERIOD = 60.0  # seconds


class Sample(logging.Filter):
    """Lets one record of each kind (its unformatted text) through in PERIOD seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, tuple[float, int]] = {}  # when last shown, how many held back since

    def filter(self, record: logging.LogRecord) -> bool:
        kind = str(record.msg)
        now = time.monotonic()
        shown, held = self._kinds.get(kind, (float("-inf"), 0))
        if now - shown < PERIOD:
            self._kinds[kind] = (shown, held + 1)
            return False
        self._kinds[kind] = (now, 0)
        if held:
            record.msg = f"{record.msg} ({held} more like this were held back)"
        return True


def quieten() -> None:
    """Put the sampling on the library's loggers; doing it again changes nothing."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(f, Sample) for f in logger.filters):
            logger.addFilter(Sample())
