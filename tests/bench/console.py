"""`python -m tests.bench.console [--changes N] [--rounds N] [--messages N] [--json FILE]`.

fresh: from a change in the ledger to its being on the screen of a real browser, on the page of the
message and on the page of deliveries; the changes come at any moment between two readings.

cost: the flow of `tests.bench` without a console, and with one that five browser sessions look at
(overview, deliveries twice, endpoints, a message), in turn, round after round.  Browsers have the
lowest priority, since they stand on others' desks; the console is a process like any other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console as RichConsole
from rich.table import Table

from bus.ledger.ledger import Ledger
from bus.ops.wording import BRIEF
from deploy.services import Chromium, PostgreSQL, RabbitMQ
from deploy.stage import free_port
from schemas.delivery import DeliveryState
from tests.bench.load import Result as Flow
from tests.bench.load import cpu_seconds, run
from tests.bench.variants import Bus
from tests.console.harness import PASSWORD, SECONDS, People, enrol, served
from tests.integration.cli_harness import HEALTH, Cli, Traffic
from tests.waiting import wait_until

PAGES = ("message", "deliveries")
SESSIONS = ("/", "/deliveries?state=all", "/deliveries", "/endpoints")  # and a message
WITHOUT, WITH = "no console", "console, 5 sessions"
IN_FLIGHT = 64
START_SECONDS = 300.0
SETTLE_SECONDS = 6.0  # every page has read again once
STALE_SECONDS = 60.0  # a page that shows nothing new for so long is broken
UNTIL = """([place, text]) => new Promise(seen => {
  const look = () => {
    if ([...document.querySelectorAll(place)].some(e => e.innerText.includes(text)))
      { watching.disconnect(); seen(Date.now()); return true; }
  };
  const watching = new MutationObserver(look);
  watching.observe(document.body, {subtree: true, childList: true, characterData: true});
  look();
})"""


# --- fresh ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where the state of a delivery stands on a page, and how it is called there."""

    path: str
    selector: str
    dead: str
    queued: str


def place_of(page: str, message: str) -> Place:
    if page == "message":
        return Place(f"/message/{message}", ".where", "xử lý nguyên nhân", "sắp gửi")
    path = "/deliveries?state=all&endpoint=so-y-te"
    row = f".deliveries tr:has(a[href$='{message}'])"
    return Place(path, row, BRIEF[DeliveryState.DEAD].vi, BRIEF[DeliveryState.QUEUED].vi)


async def fresh(postgres: PostgreSQL, folder: Path, changes: int) -> dict[str, list[float]]:
    """Milliseconds of each change, by page."""
    folder.mkdir()
    cli = Cli(postgres.create_database("bench_console"), folder)
    cli.set_up()
    traffic = await Traffic.open(cli)
    await enrol(traffic.ledger)
    for number in range(200):  # a table that is full
        await traffic.send(HEALTH, document=f"others-{number}")
    found: dict[str, list[float]] = {}
    with served(cli, People(), "console") as console:
        async with browsing() as browser:
            for page in PAGES:
                message = await traffic.send(HEALTH, document=f"watched-{page}")
                number = await traffic.dead(message)
                place = place_of(page, message)
                window = await open_window(browser, console.url, place.path)
                found[page] = await _changes(traffic, message, number, window, place, changes)
                await window.context.close()
    await traffic.ledger.close()
    return found


async def _changes(
    traffic: Traffic, message: str, number: int, window: Page, place: Place, count: int
) -> list[float]:
    """Replayed, dead again, replayed …"""
    dice = random.Random(7)
    took = []
    for turn in range(count):
        word = place.dead if turn % 2 else place.queued
        seen = asyncio.create_task(window.evaluate(UNTIL, [place.selector, word]))
        await asyncio.sleep(dice.uniform(0.2, 1.3))
        if turn % 2:
            at = await _dies(traffic, message)
        else:
            await traffic.ledger.replay([number], actor="bench", reason="bench")
            at = time.time()
        took.append(await asyncio.wait_for(seen, STALE_SECONDS) - at * 1000)
    return took


async def _dies(traffic: Traffic, message: str) -> float:
    """When its last attempt was written down, in seconds since 1970."""
    await traffic.dead(message)
    return time.time()


# --- cost ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one round: messages a second; CPU µs a message of the bus and its database, and broker."""

    rate: float
    bus: float
    console: float

    @classmethod
    def of(cls, flow: Flow, console: float) -> Cost:
        return cls(flow.end_to_end, flow.app_cpu + flow.broker_cpu + flow.database_cpu, console)


async def cost(bus: Bus, rounds: int, messages: int) -> dict[str, list[Cost]]:
    """Rounds without and with a console, in turn, after a warm-up."""
    ledger = await Ledger.open(bus.stage.env["LGSP_DATABASE_URL"], bus.stage.folder / "blobs")
    await enrol(ledger)
    found: dict[str, list[Cost]] = {WITHOUT: [], WITH: []}
    sent = 0

    async def play(count: int) -> Flow:
        nonlocal sent
        packets = [bus.packet(f"console-{sent + number}") for number in range(count)]
        sent += count
        return await run(bus, packets, IN_FLIGHT)

    try:
        await play(max(50, messages // 4))
        for turn in range(rounds):
            order = (WITHOUT, WITH) if turn % 2 == 0 else (WITH, WITHOUT)
            for name in order:
                if name == WITHOUT:
                    found[name].append(Cost.of(await play(messages), 0.0))
                else:
                    async with looked_at(bus, ledger) as console:
                        before = cpu_seconds([console])
                        flow = await play(messages)
                        used = (cpu_seconds([console]) - before) * 1e6 / messages
                    found[name].append(Cost.of(flow, used))
                print(f"round {turn + 1}, {name}: {found[name][-1]}", file=sys.stderr)
            await bus.settle(sent)
    finally:
        await ledger.close()
    bus.verify(sent)
    return found


@asynccontextmanager
async def looked_at(bus: Bus, ledger: Ledger) -> AsyncIterator[int]:
    """A console process with five windows open; its process id."""
    (newest,) = await ledger.queries.deliveries(limit=1)
    paths = (*SESSIONS, f"/message/{newest.message_id}")
    port = free_port()
    environment = bus.stage.env | {
        "LGSP_CONSOLE_PORT": str(port),
        "LGSP_SECRET_CONSOLE_TOTP": "bench",
        "LGSP_BROKER_PREFIX": bus.stage.env["LGSP_BROKER_PREFIX"],
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bus.cli", "console"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        listening: Callable[[], bool | Awaitable[bool]] = partial(_listens, port)
        await wait_until(listening, START_SECONDS, "the console")
        async with browsing(lowest=True) as browser:
            for path in paths:
                await open_window(browser, f"http://127.0.0.1:{port}", path)
            await asyncio.sleep(SETTLE_SECONDS)
            yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


# --- the browser ---------------------------------------------------------------------------------


@asynccontextmanager
async def browsing(*, lowest: bool = False) -> AsyncIterator[Browser]:
    """`lowest`: with the lowest priority."""
    path = Chromium.path()
    if path is None:
        raise SystemExit(f"Chromium is missing: an administrator installs {Chromium.package}")
    before = _children()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=list(Chromium.ARGUMENTS), timeout=SECONDS
        )
        if lowest:
            _lowest(_children() - before)
        yield browser
        await browser.close()


async def open_window(browser: Browser, url: str, path: str) -> Page:
    """Of a session of its own, logged in."""
    context = await browser.new_context(base_url=url, locale="vi-VN")
    context.set_default_timeout(SECONDS)
    page = await context.new_page()
    await page.goto(path)
    await page.fill("input[name=name]", "operator")
    await page.fill("input[name=password]", PASSWORD)
    await page.click("main button[type=submit]")
    await page.wait_for_selector("main#main h1")
    return page


def _children() -> set[int]:
    """Every process below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(entry.name)] = int(fields[1])
    found, grown = {os.getpid()}, True
    while grown:
        below = {pid for pid, parent in parents.items() if parent in found} - found
        found |= below
        grown = bool(below)
    return found


def _lowest(pids: set[int]) -> None:
    """What they start later inherits it."""
    for pid in pids:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, 19)


# --- the figures ---------------------------------------------------------------------------------


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def shares(found: Mapping[str, Sequence[Cost]]) -> dict[str, float]:
    """By how many per cent the console changes the rate and the CPU of bus and database: medians
    of the ratios of rounds that stood side by side.
    """
    pairs = list(zip(found[WITHOUT], found[WITH], strict=True))
    return {
        name: 100 * (statistics.median(getattr(w, name) / getattr(o, name) for o, w in pairs) - 1)
        for name in ("rate", "bus")
    }


def show_fresh(found: Mapping[str, Sequence[float]]) -> None:
    table = Table(title="a change of state is on the screen after, ms")
    for column in ("page", "changes", "p50", "p99", "longest"):
        table.add_column(column)
    for page, took in found.items():
        p50, p99 = percentiles(took)
        table.add_row(page, str(len(took)), f"{p50:.0f}", f"{p99:.0f}", f"{max(took):.0f}")
    RichConsole(width=120).print(table)


def show_cost(found: Mapping[str, Sequence[Cost]]) -> None:
    table = Table(title="flow, median (least-most)")
    for column in ("variant", "messages/s", "bus + broker + db µs", "console µs"):
        table.add_column(column)
    for name, rounds in found.items():
        figures = ([getattr(each, what) for each in rounds] for what in ("rate", "bus", "console"))
        table.add_row(name, *map(_spread, figures))
    changed = shares(found)
    print_ = RichConsole(width=120).print
    print_(table)
    print_(f"with the console: rate {changed['rate']:+.1f} %, CPU {changed['bus']:+.1f} %")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = {}
    with ExitStack() as stack:
        postgres = PostgreSQL(folder / "postgres")
        stack.callback(postgres.stop)
        postgres.start()
        if options.changes:
            report["fresh"] = await fresh(postgres, folder / "fresh", options.changes)
            show_fresh(report["fresh"])
        if options.rounds:
            rabbit = RabbitMQ(folder / "rabbitmq")
            stack.callback(rabbit.stop)
            rabbit.start()
            bus = Bus("bus: RabbitMQ + PostgreSQL", folder / "bus", rabbit, postgres)
            stack.callback(bus.close)
            found = await cost(bus, options.rounds, options.messages)
            show_cost(found)
            report["shares"] = shares(found)
            report["cost"] = {name: [asdict(o) for o in rounds] for name, rounds in found.items()}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.console",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--changes", type=int, default=60, help="on each page (60; 0: none)")
    parser.add_argument("--rounds", type=int, default=6, help="with and without (6; 0: none)")
    parser.add_argument("--messages", type=int, default=3000, help="in each round (3000)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL of root runs as another user
        report = asyncio.run(measure(options, Path(folder)))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
