"""What the browser tests share: the console's process, its people, and a walk through it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from bus.console import passwords
from bus.ledger.ledger import Ledger
from schemas import instant
from tests.integration.cli_harness import HEALTH, HOME_AFFAIRS, ROOT, WARD, Cli, Traffic
from tests.waiting import wait_until_sync

PASSWORD = "mot-cau-de-nho-2026"
SECONDS = 60_000.0  # milliseconds the browser waits for anything: a loaded machine is slow
ROLES = ("operator", "agency", "auditor", "administrator")


@dataclass(frozen=True)
class People:
    """An account for each role, named like it, all with the same password; and what was sent."""

    messages: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)


async def prepare(cli: Cli) -> People:
    """Accounts, and a few messages in different states, which stay: no worker runs."""
    traffic = await Traffic.open(cli)
    people = People()
    try:
        await enrol(traffic.ledger)
        await _traffic(traffic, people)
    finally:
        await traffic.ledger.close()
    return people


async def enrol(ledger: Ledger) -> None:
    """An account for each role."""
    stored = passwords.hashed(PASSWORD)
    for role in ROLES:
        await ledger.accounts.add(
            role,
            title=f"Người {role}",
            role=role,
            agencies=(HEALTH,) if role == "agency" else (),
            password=stored,
            now=instant.now(),
        )
        await ledger.accounts.change(role, must_change=False)


async def _traffic(traffic: Traffic, people: People) -> None:
    delivered = await traffic.send(HEALTH, document="vb-da-nhan")
    await traffic.delivered(delivered)
    dead = await traffic.send(HEALTH, document="vb-hong")
    people.deliveries["dead"] = await traffic.dead(dead)
    held = await traffic.send(WARD, document="vb-giu")
    other = await traffic.send(HOME_AFFAIRS, document="vb-noi-vu")
    people.messages.update(delivered=delivered, dead=dead, held=held, other=other)
    for number in range(8):
        await traffic.send(HEALTH, document=f"vb-cho-{number}")


@dataclass(frozen=True)
class Served:
    url: str
    cli: Cli
    people: People
    log: Path


@contextmanager
def served(cli: Cli, people: People, *command: str, **settings: str) -> Iterator[Served]:
    """`lgsp console` (or another command) as a process, once it listens."""
    log = cli.folder / f"{'-'.join(command)}.log"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    } | {
        "PYTHONPATH": str(ROOT),
        "LGSP_DATABASE_URL": cli.database_url,
        "LGSP_DATA_DIR": str(cli.folder / "data"),
        "LGSP_CONSOLE_PORT": "0",
        "LGSP_SECRET_CONSOLE_TOTP": "for-the-tests-only",
        "LGSP_DRAIN_SECONDS": "1",
        **settings,
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "bus.cli", *command],
            cwd=cli.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Served(_address(process, log), cli, people, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    def started() -> str:
        assert process.poll() is None, log.read_text()
        found = ""
        for line in log.read_bytes().splitlines():
            if b"console.started" in line:
                found = str(orjson.loads(line)["address"])
            if b"bus.started" in line:
                return found
        return ""

    return wait_until_sync(started, deadline=300, what=log.read_text)


class Walk:
    """One browser window; whatever it meets that it should not is remembered."""

    def __init__(
        self, context: BrowserContext, page: Page, console: Served, pictures: Path
    ) -> None:
        self.context = context
        self.page = page
        self.console = console
        self._pictures = pictures
        self.problems: list[str] = []
        self.hosts = {urlsplit(console.url).netloc}  # a test may allow the identity provider

    @classmethod
    async def begin(cls, browser: Browser, console: Served, pictures: Path) -> Walk:
        context = await browser.new_context(
            base_url=console.url, locale="vi-VN", viewport={"width": 1440, "height": 900}
        )
        context.set_default_timeout(SECONDS)
        context.set_default_navigation_timeout(SECONDS)
        walk = cls(context, await context.new_page(), console, pictures)
        context.on("request", walk._requested)
        context.on("console", walk._said)
        context.on("weberror", lambda error: walk.problems.append(f"script: {error.error}"))
        return walk

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc not in self.hosts:
            self.problems.append(f"request to {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    async def log_in(self, role: str, password: str = PASSWORD, *, path: str = "/") -> None:
        await self.page.goto(path)
        await self.page.fill("input[name=name]", role)
        await self.page.fill("input[name=password]", password)
        await self.page.click("main button[type=submit]")

    async def open(self, path: str) -> None:
        """The page, once its live connection stands."""
        await self.page.goto(path)
        await self.page.wait_for_selector("main#main h1")

    async def picture(self, name: str) -> None:
        await self.page.evaluate("scrollTo(0, 0)")  # the header stands where one looks
        await self.page.screenshot(path=self._pictures / f"{name}.png", full_page=True)

    def expect(self, *parts: str) -> None:
        """Takes problems away that a test has provoked; each must be there."""
        for part in parts:
            found = [problem for problem in self.problems if part in problem]
            assert found, f"{part!r} not among {self.problems}"
            self.problems = [problem for problem in self.problems if part not in problem]

    async def end(self) -> None:
        await self.context.close()
        assert not self.problems, self.problems
