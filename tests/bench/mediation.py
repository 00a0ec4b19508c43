"""`python -m tests.bench.mediation [--seconds N] [--json FILE]`: calls through the gateway.

A JSON call becomes SOAP, the partner's SOAP becomes JSON, both of 10 or of 100 KB, over HTTP on
loopback, with rights, guards and the access log as always. One gateway process, a partner that
answers the same bytes to everybody, and a closed loop of 50 callers, then of 1,000.  The partner
and the callers run on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop
from aiohttp import web
from rich.console import Console
from rich.table import Table

from bus.gateway.translate import Message, compile_wsdl
from deploy.stage import free_port
from tests.bench.load import cpu_seconds
from tests.bench.translate import ROW, WSDL
from tests.waiting import wait_until_sync

SIZES = (10, 100)  # KB
CALLERS = (50, 1000)
PATH = "/services/bench/Ask"
PROVINCE = """
agencies: [{code: H99, name: Tỉnh}]
clients: [{id: caller, agencies: [H99], rate: 1000000, burst: 1000000}]
grants: [{name: all, agency: H99, service: bench}]
services:
  - {name: bench, contract: contracts/bench.wsdl, address: 'http://127.0.0.1:%d/', timeout: 60,
     concurrency: 200, caller_rate: 1000000}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one load: calls a second, milliseconds, CPU µs of the gateway for each call."""

    kilobytes: int
    callers: int
    calls: int
    errors: int
    rate: float
    p50: float
    p99: float
    cpu: float


def message() -> Message:
    return compile_wsdl({"bench.wsdl": WSDL}, "bench.wsdl").operations["Ask"].request


def question(kilobytes: int) -> bytes:
    """JSON whose XML has so many KB."""
    found, rows = message(), 1
    while len(found.to_xml({"row": [ROW] * rows}).body) < kilobytes * 1000:
        rows += 1
    return orjson.dumps({"row": [ROW] * rows})


def partner(port: int) -> None:
    """Answers each question with itself: both messages have the same type."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="text/xml")

    app = web.Application(client_max_size=1024 * 1024)
    app.router.add_post("/", answer)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, print=None)


class Stage:
    """A gateway and its partner, as processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partner_port, port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            "LGSP_DATA_DIR": str(folder / "data"),
            "LGSP_HTTP_PORT": str(port),
            "LGSP_MAX_IN_FLIGHT": "2000",
            "PATH": "/usr/bin:/bin",
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def open(self) -> str:
        """The client's key; the gateway answers when it returns."""
        province = self._folder / "province"
        (province / "contracts").mkdir(parents=True)
        (province / "contracts" / "bench.wsdl").write_bytes(WSDL)
        (province / "all.yaml").write_text(PROVINCE % self._partner_port, "utf-8")
        self._lgsp("migrate")
        self._lgsp("apply", "-f", str(province), "--reason", "bench", "--yes")
        key = self._lgsp("client", "key", "add", "caller", "--expires-in", "1d").strip()
        module = ["-m", "tests.bench.mediation", "--partner", str(self._partner_port)]
        self._start(module)
        with (self._folder / "bus.log").open("wb") as log:
            self._start(["-m", "bus.cli", "gateway"], log)
        wait_until_sync(self._ready, 30, "the gateway answers")
        return key

    @property
    def gateway(self) -> int:
        return self._running[1].pid

    def close(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait(30)

    def _start(self, arguments: list[str], log: Any = None) -> None:
        self._running.append(
            subprocess.Popen(
                [sys.executable, *arguments], env=self._environment, stdout=log, stderr=log
            )
        )

    def _ready(self) -> bool:
        probe = ["curl", "-fsS", "-o", "/dev/null", f"{self.url}/readyz"]
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0

    def _lgsp(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "bus.cli", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, check=True)
        return done.stdout.decode()


async def load(stage: Stage, token: str, kilobytes: int, callers: int, seconds: float) -> Figures:
    body = question(kilobytes)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    times: list[float] = []
    errors = 0
    timeout = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.TCPConnector(limit=callers)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as http:
        async with http.post(stage.url + PATH, data=body) as first:
            assert await first.json() == orjson.loads(body), "the partner's answer, unchanged"
        used = cpu_seconds([stage.gateway])
        begun = time.perf_counter()

        async def caller() -> None:
            nonlocal errors
            while (sent := time.perf_counter()) - begun < seconds:
                async with http.post(stage.url + PATH, data=body) as response:
                    answer = await response.read()
                times.append(time.perf_counter() - sent)
                errors += response.status != 200 or len(answer) < len(body) // 2

        await asyncio.gather(*(caller() for _ in range(callers)))
        took = time.perf_counter() - begun
    used = cpu_seconds([stage.gateway]) - used
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [times[0]] * 99
    return Figures(
        kilobytes,
        callers,
        len(times),
        errors,
        len(times) / took,
        cuts[49] * 1000,
        cuts[98] * 1000,
        used / len(times) * 1e6,
    )


async def token_of(stage: Stage, key: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": "caller", "client_secret": key}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{stage.url}/api/v1/token", data=form) as answer,
    ):
        return str((await answer.json())["access_token"])


async def measure(seconds: float, callers: tuple[int, ...] = CALLERS) -> list[Figures]:
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as folder:
        stage = Stage(Path(folder))
        try:
            token = await token_of(stage, stage.open())
            return [
                await load(stage, token, size, many, seconds) for size in SIZES for many in callers
            ]
        finally:
            stage.close()


def show(found: list[Figures]) -> None:
    table = Table(title="JSON → SOAP → JSON through one gateway process")
    for column in ("KB", "callers", "calls", "errors", "calls/s", "p50 ms", "p99 ms", "CPU µs"):
        table.add_column(column, justify="right")
    for each in found:
        table.add_row(
            *(f"{v:,.0f}" if isinstance(v, float) else str(v) for v in asdict(each).values())
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mediation")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--partner", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.partner:
        partner(options.partner)
        return
    found = uvloop.run(measure(options.seconds))
    show(found)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")


if __name__ == "__main__":
    main()
