"""A partner's machine that is gone from one moment to the next, as after a power cut.

In a network namespace of its own (`unshare --net`), `python -m tests.integration.vanishing WAY`
asks a server on loopback once, takes the loopback device down, asks again, and prints what the
kernel said. `WAY`: pooled (aiohttp), plain (PlainPost), or waiting: the machine goes
after it has taken the question.
"""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import uvloop
from yarl import URL

from adapters import http as outbound
from adapters.plain_post import PlainPost

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SILENT = 60.0  # seconds that each attempt may take

Ask = Callable[[], Awaitable[object]]


class Partner:
    """Answers the first question of a connection and no other."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()  # a second time

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # at the end
            await reader.readuntil(b"\r\n\r\nx")
            writer.write(ANSWER)
            await reader.readuntil(b"\r\n\r\nx")
            self.asked.set()


def _link(state: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


async def _outcome(ask: Ask) -> str:
    """Name of the kernel's error; empty when the attempt ended by its own clock, or well."""
    try:
        await ask()
    except outbound.FAILURES as problem:
        number = getattr(problem, "errno", None)
        return errno.errorcode[number] if number else ""
    return ""


async def vanish(way: str) -> str:
    _link("up")
    partner = Partner()
    server = await asyncio.start_server(partner.serve, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    plain = PlainPost(url, tls=True, connect_seconds=5)
    async with outbound.open_session() as session:

        async def ask_pooled() -> None:
            timeout = aiohttp.ClientTimeout(total=SILENT)
            await outbound.exchange(session, "POST", url, headers={}, data=b"x", timeout=timeout)

        async def ask_plain() -> None:
            await plain.post({}, b"x", seconds=SILENT)

        ask = ask_pooled if way == "pooled" else ask_plain
        await ask()
        if way != "waiting":
            _link("down")
            return await _outcome(ask)
        asking = asyncio.create_task(_outcome(ask))
        await partner.asked.wait()
        _link("down")
        return await asking


if __name__ == "__main__":
    outbound.LOST_SECONDS, outbound.PROBE_SECONDS = 3, 1
    print(uvloop.run(vanish(sys.argv[1])))
