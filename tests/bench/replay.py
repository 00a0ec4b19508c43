"""`python -m tests.bench.replay --dead 100000`: an operator replays a mountain beside live traffic.

A receiving system fails for so long that every delivery to it is dead: each document goes through
the bus to a receiver that refuses, or that takes the document and breaks the line before its
receipt (one in ten), which the bus cannot tell from the other.  The receiver heals, and `lgsp
delivery replay` sends all of them again, while another agency gets its documents at a steady rate.
What arrived is judged at the receivers' books, by digest of the bytes.  Prints figures and a
verdict; exit status 0 means that nothing is missing, doubled or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.services import PostgreSQL, RabbitMQ
from deploy.stage import Agency, Stage
from tests.proof.packets import document
from tests.waiting import wait_until

SENDER, SICK, WELL = "so-y-te", "so-xay-dung", "huyen-nam-khao"
ROLES = ("gateway", "dispatcher", "worker")
OPTIONS = {  # dead after one attempt; a breaker would let them wait instead, and nothing would die
    "concurrency": 64,
    "retry": {"max_attempts": 1},
    "breaker": {"failures": 10_000_000},
}
TAKEN = 10  # one in so many was taken by the receiver that seemed to fail
FOLLOWED = 20  # one in so many has updates behind it, which wait for it
UPDATES = 2
LOOK_SECONDS = 0.25
STUCK_SECONDS = 180.0


@dataclass(frozen=True)
class Plan:
    dead: int
    in_flight: int = 64
    live_rate: float = 30.0  # documents a second to the well receiver
    calm_seconds: float = 30.0  # of live traffic alone, before
    settle_seconds: float = 5.0  # after the last arrival: nothing comes late


@dataclass
class Figures:
    """Times in seconds, latencies in milliseconds from sending to the receiver's book."""

    dead: int = 0
    waiting_behind: int = 0
    dying_seconds: float = 0.0
    act_seconds: float = 0.0  # of the command
    seconds: float = 0.0  # from the command to the last arrival
    replayed: float = 0.0  # a second
    live_before: tuple[float, float] = (0.0, 0.0)  # p50, p99
    live_during: tuple[float, float] = (0.0, 0.0)
    live_documents: int = 0


@dataclass
class Verdict:
    missing: int = 0
    doubled: int = 0  # arrivals beyond the first of the same bytes
    strange: int = 0
    out_of_order: int = 0  # order keys
    left: dict[str, int] = field(default_factory=dict)  # unfinished in the ledger, by state

    @property
    def holds(self) -> bool:
        return not (self.missing or self.doubled or self.strange or self.out_of_order or self.left)


class Scene:
    """The bus with its receivers, and everything that was sent to them."""

    def __init__(self, folder: Path, broker_url: str, database_url: str) -> None:
        self.stage = Stage(
            folder,
            broker_url=broker_url,
            database_url=database_url,
            roles=ROLES,
            settings={"LGSP_LOG_LEVEL": "WARNING"},
            endpoint_options=OPTIONS,
        )
        self.keys: dict[str, list[str]] = {}  # digests in the order sent, by document id
        self.sent: dict[str, float] = {}  # live ones: when, by digest

    def open(self) -> None:
        self.stage.open()
        self._by_name = {agency.endpoint: agency for agency in self.stage.agencies}

    def agency(self, name: str) -> Agency:
        return self._by_name[name]

    def book(self, name: str) -> Iterator[dict[str, Any]]:
        with self.agency(name).receipts.open("rb") as lines:
            yield from (line for line in map(json.loads, lines) if line["kind"] == "document")

    def backlog(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for row in self.stage.lgsp("endpoint", "list", "--json")["items"]:
            if row["name"] in {SICK, WELL}:
                found.update({state: int(count) for state, count in row["backlog"].items()})
        return {state: count for state, count in found.items() if count}

    def token(self) -> str:
        sender = self.agency(SENDER)
        form = {
            "grant_type": "client_credentials",
            "client_id": sender.client,
            "client_secret": sender.client_secret,
        }
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.stage.url}/api/v1/token", data) as answer:
            return str(json.load(answer)["access_token"])

    async def fault(self, http: aiohttp.ClientSession, mode: str) -> None:
        url = f"{self.agency(SICK).sandbox_url}/_sandbox/fault"
        async with http.post(url, json={"mode": mode}, headers={"Authorization": ""}) as answer:
            answer.raise_for_status()

    async def send(self, http: aiohttp.ClientSession, packet: bytes) -> None:
        """Until there is a receipt, as every sender does."""
        url = f"{self.stage.url}/api/v1/documents"
        key = {"Idempotency-Key": hashlib.sha256(packet).hexdigest()}
        while True:
            with suppress(aiohttp.ClientConnectionError):
                async with http.post(url, data=packet, headers=key) as answer:
                    assert answer.status == 202, await answer.text()
                    return
            await asyncio.sleep(LOOK_SECONDS)

    def packet(self, to: str, key: str, number: int) -> bytes:
        return document(
            sender=self.agency(SENDER).code,
            receivers=[self.agency(to).code],
            document_id=key,
            subject=f"{key} số {number}: " + "V/v báo cáo tình hình. " * 20,
            update=number > 0,
        )


class Player:
    def __init__(self, scene: Scene, plan: Plan, http: aiohttp.ClientSession) -> None:
        self._scene, self._plan, self._http = scene, plan, http
        self.figures = Figures()

    async def make_dead(self, advance: Callable[[int], None]) -> None:
        began = time.monotonic()
        healthy = self._plan.dead // TAKEN
        for mode, numbers in (
            ("500", range(healthy, self._plan.dead)),
            ("cut", range(healthy)),
        ):
            await self._scene.fault(self._http, mode)
            await self._send_all(iter(numbers), advance)
            await self._dead(self._plan.dead - healthy if mode == "500" else self._plan.dead)
        self.figures.dying_seconds = time.monotonic() - began
        backlog = await asyncio.to_thread(self._scene.backlog)
        self.figures.dead = backlog["dead"]
        self.figures.waiting_behind = backlog.get("queued", 0)

    async def _send_all(self, numbers: Iterator[int], advance: Callable[[int], None]) -> None:
        async def sender() -> None:
            for number in numbers:
                key = f"chet-{number}"
                packets = [
                    self._scene.packet(SICK, key, n)
                    for n in range(1 + UPDATES * (number % FOLLOWED == 0))
                ]
                self._scene.keys[key] = [hashlib.sha256(each).hexdigest() for each in packets]
                for packet in packets:
                    await self._scene.send(self._http, packet)
                advance(1)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.in_flight):
                group.create_task(sender())

    async def _dead(self, count: int) -> None:
        """Waits for so many; raises AssertionError when nothing dies any more."""
        last, progressed = -1, time.monotonic()
        while last < count:
            dead = (await asyncio.to_thread(self._scene.backlog)).get("dead", 0)
            if dead > last:
                last, progressed = dead, time.monotonic()
            assert time.monotonic() - progressed < STUCK_SECONDS, f"{dead} of {count} are dead"

    async def replay(self, advance: Callable[[int], None]) -> None:
        await self._scene.fault(self._http, "ok")
        before = await self._messages()
        wanted = sum(map(len, self._scene.keys.values()))
        began = time.monotonic()
        command = [sys.executable, "-m", "bus.cli", "delivery", "replay", "--endpoint", SICK]
        command += ["--state", "dead", "--reason", "hệ thống nhận đã khôi phục", "--yes", "--json"]
        operator = await asyncio.create_subprocess_exec(
            *command, env=self._scene.stage.env, stdout=subprocess.PIPE
        )
        said = asyncio.create_task(operator.communicate())
        last, progressed = before, time.monotonic()
        while last < wanted:
            await asyncio.sleep(LOOK_SECONDS)
            if said.done() and not self.figures.act_seconds:
                self.figures.act_seconds = time.monotonic() - began
            now = await self._messages()
            if now > last:
                advance(now - last)
                last, progressed = now, time.monotonic()
            if time.monotonic() - progressed > STUCK_SECONDS:
                break  # the verdict says what is missing
        self.figures.seconds = time.monotonic() - began
        output, _ = await said
        assert operator.returncode == 0, output
        assert len(json.loads(output)["done"]) == self._plan.dead, "not all of them were replayed"
        self.figures.act_seconds = self.figures.act_seconds or self.figures.seconds
        self.figures.replayed = self._plan.dead / self.figures.seconds

    async def _messages(self) -> int:
        """Messages that have taken effect at the receiver that was sick."""
        url = f"{self._scene.agency(SICK).sandbox_url}/_sandbox/received?since=1000000000"
        async with self._http.get(url) as answer:
            return int((await answer.json())["messages"])

    @asynccontextmanager
    async def live(self, name: str) -> AsyncIterator[None]:
        """Steady traffic meanwhile; an answer that is late does not hold the next document."""
        stop = asyncio.Event()

        async def stream() -> None:
            number, began = 0, time.monotonic()
            async with asyncio.TaskGroup() as group:
                while not stop.is_set():
                    packet = self._scene.packet(WELL, f"{name}-{number}", 0)
                    self._scene.sent[hashlib.sha256(packet).hexdigest()] = time.time()
                    group.create_task(self._scene.send(self._http, packet))
                    number += 1
                    due = began + number / self._plan.live_rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))

        task = asyncio.create_task(stream())
        try:
            yield
        finally:
            stop.set()
            await task

    async def arrived(self) -> None:
        """All live documents; what does not come is the verdict's."""

        def all_here() -> bool:
            return sum(1 for _ in self._scene.book(WELL)) >= len(self._scene.sent)

        try:
            await wait_until(all_here, STUCK_SECONDS)
        except AssertionError:
            return

    def latencies(self) -> tuple[float, float]:
        """p50 and p99 of what was sent since this was asked last."""
        at = {line["sha256"]: line["time"] for line in self._scene.book(WELL)}
        new = list(self._scene.sent.items())[self.figures.live_documents :]
        self.figures.live_documents += len(new)
        taken = [1000 * (at[digest] - sent) for digest, sent in new if digest in at]
        return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


async def play(scene: Scene, plan: Plan) -> tuple[Verdict, Figures]:
    headers = {
        "Authorization": f"Bearer {await asyncio.to_thread(scene.token)}",
        "Content-Type": "application/xml",
    }
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        player = Player(scene, plan, http)
        with _progress() as bars:
            dying = bars.add_task("becoming dead", total=plan.dead)
            await player.make_dead(lambda n: bars.advance(dying, n))
            bars.add_task("live traffic alone", total=None)
            async with player.live("yen"):
                await asyncio.sleep(plan.calm_seconds)
            await player.arrived()
            player.figures.live_before = player.latencies()
            going = bars.add_task("replaying", total=plan.dead)
            async with player.live("dong"):
                await player.replay(lambda n: bars.advance(going, n))
            await player.arrived()
            player.figures.live_during = player.latencies()
            await asyncio.sleep(plan.settle_seconds)
    return await asyncio.to_thread(judge, scene), player.figures


def judge(scene: Scene) -> Verdict:
    """From the books of the receivers; only `left` asks the bus."""
    verdict = Verdict(left=scene.backlog())
    wanted = [digest for digests in scene.keys.values() for digest in digests]
    for name, expected in ((SICK, wanted), (WELL, list(scene.sent))):
        arrived = [line["sha256"] for line in scene.book(name)]
        times = Counter(arrived)
        verdict.missing += sum(digest not in times for digest in expected)
        verdict.strange += len(times.keys() - set(expected))
        verdict.doubled += sum(count - 1 for count in times.values())
        place = {digest: number for number, digest in enumerate(arrived)}
        for digests in scene.keys.values() if name == SICK else ():
            places = [place[each] for each in digests if each in place]
            verdict.out_of_order += places != sorted(places)
    return verdict


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def report(verdict: Verdict, figures: Figures) -> dict[str, Any]:
    return {"holds": verdict.holds, "verdict": asdict(verdict), "figures": asdict(figures)}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dead", type=int, default=100_000, help="deliveries (100000)")
    parser.add_argument("--live", type=float, default=30.0, help="documents a second beside (30)")
    parser.add_argument("--json", type=Path, help="write figures and verdict to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL of root runs as another user
        rabbit, postgres = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
        scene: Scene | None = None
        try:
            for service in (rabbit, postgres):
                service.start()
            scene = Scene(folder / "stage", rabbit.url, postgres.create_database("replay"))
            scene.open()
            plan = Plan(options.dead, live_rate=options.live)
            verdict, figures = uvloop.run(play(scene, plan))
        finally:
            if scene is not None:
                scene.stage.close()
            for service in (rabbit, postgres):
                service.stop()
    text = json.dumps(report(verdict, figures), indent=1, ensure_ascii=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    sys.exit(not verdict.holds)


if __name__ == "__main__":
    main()
