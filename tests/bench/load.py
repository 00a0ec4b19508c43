"""The load and the measuring, the same for every variant: closed loop, so many in flight."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE = 90.0


@dataclass(frozen=True, slots=True)
class Result:
    """Rates in messages a second, times in milliseconds, CPU in µs a message."""

    accepted: float
    end_to_end: float
    p50: float
    p99: float
    app_cpu: float
    broker_cpu: float
    database_cpu: float

    @property
    def per_core(self) -> float:
        """Messages a second that one core bears, everything but sender and receiver counted."""
        return 1e6 / (self.app_cpu + self.broker_cpu + self.database_cpu)

    def to_json(self) -> dict[str, float]:
        return {**asdict(self), "per_core": self.per_core}


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these processes and all below them."""
    parents: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            used = sum(int(fields[n]) for n in (11, 12)) / TICKS
            parents[int(entry.name)] = (int(fields[1]), used)
    wanted = set(roots)
    grown = True
    while grown:
        below = {pid for pid, (parent, _) in parents.items() if parent in wanted} - wanted
        wanted |= below
        grown = bool(below)
    return sum(parents[pid][1] for pid in wanted if pid in parents)


async def run(
    url: str,
    headers: dict[str, str],
    packets: list[bytes],
    in_flight: int,
    arrived: Callable[[], Awaitable[int]],
    pids: dict[str, list[int]],
) -> Result:
    """Send every packet, wait until all have arrived; what did not is an error."""
    before = {name: cpu_seconds(roots) for name, roots in pids.items()}
    at_first = await arrived()
    times: list[float] = []
    left = iter(packets)
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def sender() -> None:
            for packet in left:
                began = time.perf_counter()
                async with http.post(url, data=packet) as answer:
                    assert answer.status == 202, await answer.text()
                    await answer.read()
                times.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(in_flight)))
        accepted = time.perf_counter() - began
        while (count := await arrived() - at_first) < len(packets):
            assert time.perf_counter() - began < DEADLINE, f"only {count} arrived"
            await asyncio.sleep(0.01)
        delivered = time.perf_counter() - began
    times.sort()
    used = {name: cpu_seconds(roots) - before[name] for name, roots in pids.items()}
    each = 1e6 / len(packets)
    return Result(
        len(packets) / accepted,
        len(packets) / delivered,
        times[len(times) // 2] * 1000,
        times[len(times) * 99 // 100] * 1000,
        used["app"] * each,
        used["broker"] * each,
        used["database"] * each,
    )
