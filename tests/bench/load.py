"""The load and the measuring, the same for every variant: closed loop, so many in flight."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from tests.bench.variants import Variant

TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE = 180.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and whose CPU counts, by part."""

    url: str
    headers: Mapping[str, str]
    pids: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Result:
    """Rates in messages a second, times in milliseconds, CPU in µs a message.

    `receipt_…` is from request to receipt; `arrival_…` from request to the receiver having it.
    What does not apply is 0.
    """

    accepted: float
    end_to_end: float
    receipt_p50: float
    receipt_p99: float
    arrival_p50: float
    arrival_p99: float
    app_cpu: float
    broker_cpu: float
    database_cpu: float

    @property
    def per_core(self) -> float:
        """Messages a second that one core bears, everything but sender and receiver counted."""
        return 1e6 / max(self.app_cpu + self.broker_cpu + self.database_cpu, 1e-9)

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
    variant: Variant, packets: Sequence[bytes], in_flight: int, *, deliver: bool = True
) -> Result:
    """Send every packet; with `deliver`, wait until all have arrived."""
    target = variant.target
    before = {name: cpu_seconds(roots) for name, roots in target.pids.items()}
    at_first = await variant.arrived()
    sent: dict[str, float] = {}
    receipts: list[float] = []
    began = time.perf_counter()
    await _send(target, packets, in_flight, sent, receipts)
    accepted = time.perf_counter() - began
    if deliver:
        await all_arrived(variant, at_first + len(packets))
    delivered = time.perf_counter() - began
    used = {name: cpu_seconds(roots) - before[name] for name, roots in target.pids.items()}
    each = 1e6 / len(packets)
    travelled = [at - sent[d] for d, at in await variant.arrivals() if d in sent] if deliver else []
    return Result(
        len(packets) / accepted,
        len(packets) / delivered if deliver else 0.0,
        *_percentiles(receipts),
        *_percentiles(travelled),
        used["app"] * each,
        used["broker"] * each,
        used["database"] * each,
    )


async def _send(
    target: Target,
    packets: Sequence[bytes],
    in_flight: int,
    sent: dict[str, float],
    receipts: list[float],
) -> None:
    left = iter(packets)
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector, headers=target.headers) as http:

        async def sender() -> None:
            for packet in left:
                sent[hashlib.sha256(packet).hexdigest()] = time.time()
                began = time.perf_counter()
                async with http.post(target.url, data=packet) as answer:
                    assert answer.status == 202, await answer.text()
                    await answer.read()
                receipts.append(time.perf_counter() - began)

        await asyncio.gather(*(sender() for _ in range(in_flight)))


async def all_arrived(variant: Variant, wanted: int) -> None:
    until = time.perf_counter() + DEADLINE
    while (count := await variant.arrived()) < wanted:
        assert time.perf_counter() < until, f"{variant.name}: {wanted - count} did not arrive"
        await asyncio.sleep(LOOK_SECONDS)


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds."""
    if not seconds:
        return 0.0, 0.0
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 99 // 100] * 1000
