"""`python -m tests.bench.quarter --dossiers 34000`: a province's quarter to a portal that fails.

One-stop software (the portal's own protocol, as it is written against the real one) sends through
the façade; RabbitMQ and PostgreSQL of its own; processes of the bus are killed, and the simulated
portal loses sessions, answers and connections, is slow, busy, and down.  At the end its timelines
must be what was told, line by line.  Prints a verdict as JSON; exit status 0 means that it holds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.services import PostgreSQL, RabbitMQ
from deploy.stage import Process, Stage, bare_environment, free_port
from tests.bench.quarter_told import LOCAL, NATIONAL, UNIT, Checker, Verdict, dossier
from tests.waiting import wait_until

ACCOUNT, KEY, PASSWORD = "000.00.00.H38", "khoa-cua-mot-cua-2026", "mat-khau-cua-tinh"
DSTCODE = "VN:GOV:000.00.00.G22:vpcpdvcprovider"
FORWARD = "/XrdAdapter/RestService/forward/mapi"
STEPS_A_CALL = 3
LOOK_SECONDS = 0.25
LOOK_AGAIN_SECONDS, STUCK_SECONDS = 10.0, 120.0  # without a new line at the portal
BACK_SECONDS = 30.0  # that a portal may need to listen again after its last fault
UNDER_WAY = ("queued", "sending", "waiting")
FAULTS: tuple[dict[str, Any], ...] = (
    {"mode": "cut", "probability": 0.1},
    {"mode": "500", "probability": 0.2},
    {"mode": "half", "probability": 0.1},
    {"mode": "garbage", "probability": 0.2},
    {"mode": "503", "probability": 0.3, "retry_after": 0},
    {"mode": "slow", "probability": 0.1},
    {"mode": "hang", "probability": 0.02},
    {"mode": "refuse"},
    {"mode": "ok"},
)
"""All ways in which the sandbox fails, but for the final refusal of good content: nothing could
make up for that.  Sessions lapse all the time.
"""

PROVINCE = f"""
endpoints:
  - name: cong-dvcqg
    kind: dvcqg
    concurrency: 32
    config:
      url: {{portal}}/tichhop
      login_url: {{portal}}/login
      username: {ACCOUNT}
      password: cong-dvcqg
      madonvi: {ACCOUNT}
      dstcode: {DSTCODE}
      connect_seconds: 2
      answer_seconds: 3
      lookup_shows_steps: true
    retry: {{{{first: 0.2, soft_cap: 2, cap: 5, max_attempts: 1000}}}}
    breaker: {{{{failures: 20, distinct: 10, probe_every: 0.5}}}}
agencies:
  - {{{{code: H38, name: Tỉnh Mẫu}}}}
  - {{{{code: {UNIT}, name: UBND xã Suối Mẫu, parent: H38}}}}
  - {{{{code: 000.00.00.G22, name: Cổng DVCQG, endpoint: cong-dvcqg}}}}
subscriptions:
  - {{{{name: cong, sender: 'H38*', receivers: [000.00.00.G22]}}}}
mappings:
  - {{{{table: procedure, local: {LOCAL}, national: '{NATIONAL}'}}}}
clients:
  - id: mot-cua
    agencies: [H38]
    descendants: true
    rate: 100000
    burst: 100000
    system_id: {ACCOUNT}
    secret: mot-cua
"""


@dataclass(frozen=True)
class Plan:
    dossiers: int
    seed: int = 1
    in_flight: int = 128  # dossiers told at once
    fault_seconds: float = 4.0
    kills: int = 4  # of each process of the bus but the gateway, spread over the run

    @property
    def lines(self) -> int:
        """Steps told in all."""
        return sum(len(dossier(number, self.seed).lines) for number in range(self.dossiers))


@dataclass
class Figures:
    """What it took. Rates are a second, over the time from the first call to the last line."""

    told_seconds: float = 0.0
    seconds: float = 0.0
    repeats: int = 0  # calls of the one-stop software beyond the first
    killed: int = 0
    faults: dict[str, int] = field(default_factory=dict)  # how often each was switched on
    portal_calls: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)  # unfinished deliveries by state

    def to_json(self) -> dict[str, Any]:
        return {
            name: round(v, 1) if isinstance(v, float) else v for name, v in asdict(self).items()
        }


class Scene:
    """The bus and the portal, each in processes of its own."""

    def __init__(
        self, folder: Path, broker_url: str, database_url: str, roles: Sequence[str]
    ) -> None:
        settings = {"LGSP_FACADES": '{"dvcqg": "/dvcqg"}', "LGSP_LOG_LEVEL": "WARNING"}
        self.stage = Stage(
            folder, broker_url=broker_url, database_url=database_url, settings=settings
        )
        self._roles = roles
        self._portal_port = free_port()
        self.portal = self._portal_process()

    @property
    def portal_url(self) -> str:
        return f"http://127.0.0.1:{self._portal_port}"

    def _portal_process(self) -> Process:
        folder = self.stage.folder
        accounts = folder / "accounts.json"
        account = {"username": ACCOUNT, "madonvi": ACCOUNT, "password": PASSWORD}
        accounts.write_text(json.dumps([account]))
        command = [sys.executable, "-m", "adapters.dvcqg.sandbox"]
        command += ["--port", str(self._portal_port), "--accounts", str(accounts)]
        command += ["--store", str(folder / "portal.db"), "--lapse", "0.005"]
        command += ["--lookup-shows-steps"]
        return Process("portal", command, bare_environment(), folder / "portal.log")

    def open(self) -> None:
        stage = self.stage
        self.portal.start()
        for name, value in {"mot-cua": KEY, "cong-dvcqg": PASSWORD}.items():
            (stage.folder / "secrets" / name).write_text(value)
        (stage.folder / "bus").mkdir()
        declared = stage.folder / "province.yaml"
        declared.write_text(PROVINCE.format(portal=self.portal_url + FORWARD))
        stage.lgsp("migrate")
        stage.lgsp("apply", "-f", str(declared), "--reason", "mở trục")
        for number, role in enumerate(self._roles, start=1):
            stage.bus.append(stage._bus_process(f"{role}-{number}", role))
        for process in stage.bus:
            process.start()
        stage.wait_ready()

    def close(self) -> None:
        self.stage.close()
        self.portal.stop()

    def backlog(self) -> dict[str, int]:
        """Deliveries that are not finished, by state, as the bus tells its operators."""
        found: dict[str, int] = {}
        for row in self.stage.lgsp("endpoint", "list", "--json")["items"]:
            for state, count in row["backlog"].items():
                found[state] = found.get(state, 0) + int(count)
        return found


class OneStop:
    """One-stop software: tells dossiers side by side, and again what was not answered."""

    def __init__(self, http: aiohttp.ClientSession, url: str, figures: Figures) -> None:
        self._http, self._url, self._figures = http, f"{url}/dvcqg/mapi", figures
        self._session = ""
        self.told = 0  # dossiers

    async def tell(self, plan: Plan) -> None:
        numbers = iter(range(plan.dossiers))

        async def clerk() -> None:
            for number in numbers:
                await self._one(number, plan.seed)
                self.told += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(plan.in_flight):
                group.create_task(clerk())

    async def _one(self, number: int, seed: int) -> None:
        item = dossier(number, seed)
        await self._send("DongBoHoSoMC", [item.first], isUpdating="False")
        for start in range(0, len(item.lines), STEPS_A_CALL):
            lines = item.lines[start : start + STEPS_A_CALL]
            await self._send("CapNhatTienDoHoSoMC", list(lines))
        await self._send("DongBoHoSoMC", [item.last], isUpdating="True")

    async def _send(self, service: str, data: list[Any], **more: str) -> None:
        while not await self._taken(service, data, more):
            self._figures.repeats += 1
            await asyncio.sleep(0.2)

    async def _taken(self, service: str, data: list[Any], more: dict[str, str]) -> bool:
        try:
            if not self._session:
                login = {"username": ACCOUNT, "password": KEY}
                self._session = (await self._post("login", login))["session"]
            envelope = {"session": self._session, "madonvi": ACCOUNT, "service": service}
            answer = await self._post("tichhop", envelope | {"data": data} | more)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return False  # the bus is being killed
        if answer["error_code"] != 0 and "không" in answer["message"]:
            raise AssertionError(answer["message"])
        return bool(answer["error_code"] == 0)

    async def _post(self, path: str, body: Any) -> Any:
        limit = aiohttp.ClientTimeout(total=30)
        async with self._http.post(f"{self._url}/{path}", json=body, timeout=limit) as answer:
            return await answer.json(content_type=None)


class Trouble:
    """Faults of the portal in turn, and kills of the bus when so much has been told."""

    def __init__(
        self, http: aiohttp.ClientSession, scene: Scene, plan: Plan, figures: Figures
    ) -> None:
        self._http, self._scene, self._plan, self._figures = http, scene, plan, figures

    async def blow(self) -> None:
        for fault in itertools.cycle(FAULTS):
            await self.switch(fault | {"seconds": self._plan.fault_seconds})
            await asyncio.sleep(self._plan.fault_seconds)

    async def switch(self, fault: dict[str, Any]) -> None:
        with suppress(aiohttp.ClientError):  # `refuse` closes the connection that asks for it
            async with self._http.post(
                f"{self._scene.portal_url}/_sandbox/fault", json=fault
            ) as answer:
                assert answer.status == 200, await answer.text()
        self._figures.faults[fault["mode"]] = self._figures.faults.get(fault["mode"], 0) + 1

    async def kill(self, progress: Callable[[], float]) -> None:
        """`progress` is the share that has arrived."""
        bus = self._scene.stage.bus
        victims = [each for each in bus if not each.name.startswith("gateway")]
        for number in range(self._plan.kills):
            while progress() < (number + 1) / (self._plan.kills + 1):
                await asyncio.sleep(0.05)
            for process in victims:
                process.kill()
                process.start()
                self._figures.killed += 1


async def play(
    scene: Scene, plan: Plan, report: Callable[[int, int], None] = lambda _told, _lines: None
) -> tuple[Verdict, Figures]:
    """`report` hears of dossiers told and of lines at the portal."""
    figures = Figures()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await _sync(http, scene, plan, figures, report)
        counts: dict[str, Any] = await wait_until(
            lambda: _report(http, scene), BACK_SECONDS, "the portal's counts"
        )
        figures.portal_calls = counts["calls"]
        async with http.get(f"{scene.portal_url}/_sandbox/timelines") as answer:
            checker = Checker(plan.dossiers, plan.seed)
            async for text in answer.content:
                checker.feed(text)
    return checker.close(), figures


async def _sync(
    http: aiohttp.ClientSession,
    scene: Scene,
    plan: Plan,
    figures: Figures,
    report: Callable[[int, int], None],
) -> None:
    """Until everything is told and nothing is under way, or nothing moves any more."""
    wanted, lines, moved = plan.lines, 0, time.monotonic()
    began = moved
    one_stop = OneStop(http, scene.stage.url, figures)
    trouble = Trouble(http, scene, plan, figures)
    telling = asyncio.create_task(one_stop.tell(plan))
    async with _beside(trouble.blow(), trouble.kill(lambda: lines / wanted)):
        while True:
            now = time.monotonic()
            found = int((await _report(http, scene)).get("line", lines))
            lines, moved = found, now if found > lines else moved
            report(one_stop.told, lines)
            if telling.done() and not figures.told_seconds:
                telling.result()
                figures.told_seconds = now - began
            if telling.done() and (lines >= wanted or now - moved > LOOK_AGAIN_SECONDS):
                figures.left = await asyncio.to_thread(scene.backlog)
                under_way = sum(figures.left.get(each, 0) for each in UNDER_WAY)
                if not under_way or now - moved > STUCK_SECONDS:
                    break
            await asyncio.sleep(LOOK_SECONDS)
        figures.seconds = time.monotonic() - began
    await trouble.switch({"mode": "ok"})


async def _report(http: aiohttp.ClientSession, scene: Scene) -> dict[str, Any]:
    """Counts of the portal; none while it is down."""
    try:
        async with http.get(f"{scene.portal_url}/_sandbox/report") as answer:
            found: dict[str, Any] = await answer.json()
    except aiohttp.ClientError:
        return {}
    return found


@asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work that goes on as long as the block does; its failure is told at the end."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
    for each in done:
        if isinstance(each, Exception):
            raise each


def verdict_of(verdict: Verdict, figures: Figures) -> dict[str, Any]:
    rates = {
        "told_a_second": round(verdict.steps / max(figures.told_seconds, 1e-9), 1),
        "steps_a_second": round(verdict.steps / max(figures.seconds, 1e-9), 1),
        "dossiers_a_second": round(verdict.dossiers / max(figures.seconds, 1e-9), 2),
    }
    return {**verdict.to_json(), **rates, **figures.to_json()}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.quarter",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dossiers", type=int, default=34_000, help="about 8 steps each (34000)")
    parser.add_argument("--in-flight", type=int, default=128, help="told at once (128)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=4, help="of dispatcher and workers (4)")
    parser.add_argument(
        "--roles",
        nargs="+",
        default=["gateway", "dispatcher", "worker", "worker"],
        help="processes of the bus",
    )
    parser.add_argument("--json", type=Path, help="write the verdict to this file, too")
    parser.add_argument("--folder", type=Path, help="keep logs and databases here")
    options = parser.parse_args()
    plan = Plan(options.dossiers, options.seed, options.in_flight, kills=options.kills)
    with ExitStack() as stack:
        place = options.folder or Path(stack.enter_context(TemporaryDirectory(prefix="lgsp-")))
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)  # PostgreSQL of root runs as another user
        rabbit, postgres = RabbitMQ(place / "rabbitmq"), PostgreSQL(place / "postgres")
        for service in (rabbit, postgres):
            stack.callback(service.stop)
            service.start()
        database = postgres.create_database("quarter")
        scene = Scene(place / "stage", rabbit.url, database, options.roles)
        stack.callback(scene.close)
        scene.open()
        found = uvloop.run(_shown(scene, plan))
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    sys.exit(0 if found["holds"] else 1)


async def _shown(scene: Scene, plan: Plan) -> dict[str, Any]:
    columns = (TextColumn("{task.description:<40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        told = bar.add_task("dossiers told", total=plan.dossiers)
        arrived = bar.add_task("steps at the portal", total=plan.lines)
        began = time.monotonic()

        def report(dossiers: int, lines: int) -> None:
            rate = lines / max(time.monotonic() - began, 1e-9)
            bar.update(told, completed=dossiers)
            bar.update(
                arrived, completed=lines, description=f"steps at the portal, {rate:.0f} a second"
            )

        return verdict_of(*await play(scene, plan, report))


if __name__ == "__main__":
    main()
