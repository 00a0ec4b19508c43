"""A console as a process of its own, a ledger with a small province's traffic, and a browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from deploy.services import Chromium
from tests.console.harness import People, Served, Walk, prepare, served
from tests.console.provider import CLIENT, SECRET, Provider, running
from tests.integration.cli_harness import Cli


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("console")
    made = Cli(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", folder)
    made.set_up()
    return made


@pytest.fixture(scope="session")
def people(cli: Cli) -> People:
    return asyncio.run(prepare(cli))


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def console(cli: Cli, people: People, provider: Provider) -> Iterator[Served]:
    settings = {
        "LGSP_OIDC_ISSUER": provider.url,
        "LGSP_OIDC_CLIENT_ID": CLIENT,
        "LGSP_SECRET_OIDC_CLIENT": SECRET,
    }
    with served(cli, people, "console", **settings) as started:
        yield started


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go; SCREENSHOTS names a folder for whoever wants to look at them."""
    named = os.environ.get("SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium, args=list(Chromium.ARGUMENTS), timeout=90_000
        )
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def walk(browser: Browser, console: Served, pictures: Path) -> AsyncIterator[Walk]:
    """A new browser window; at its end it must not have seen an error or another host."""
    walking = await Walk.begin(browser, console, pictures)
    yield walking
    await walking.end()
