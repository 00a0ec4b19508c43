"""Free loopback ports."""

from __future__ import annotations

import random
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below the range the kernel hands to outgoing connections (32768 up), so that a port stays ours
# while its service is down for a restart.
CANDIDATES: Final = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether nobody listens there; connections that linger after a close do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name, at random so that two copies started together do not meet."""
    order = random.SystemRandom().sample(CANDIDATES, len(CANDIDATES))
    free = (port for port in order if is_free(port))
    return {name: next(free) for name in names}
