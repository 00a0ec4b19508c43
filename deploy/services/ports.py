"""Free loopback ports."""

from __future__ import annotations

import functools
import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below the range the kernel hands to outgoing connections (32768 up), so that a port stays ours
# while its service is down for a restart.
CANDIDATES: Final = range(20_000, 32_000)
STRIDE: Final = 4_801  # ports between processes started one after the other


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
    """A free port for each name. Those chosen before are not chosen again: what they are for may
    not listen yet.
    """
    walk = _walk(os.getpid())
    return {name: next(walk) for name in names}


@functools.cache
def _walk(process: int) -> Iterator[int]:
    """Every process, a forked one too, begins far from its neighbours: they do not meet."""
    first = process * STRIDE % len(CANDIDATES)
    order = itertools.cycle([*CANDIDATES[first:], *CANDIDATES[:first]])
    return (port for port in order if is_free(port))
