from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from adapters.http import open_session
from adapters.national.sandbox import all_desks
from adapters.national.sandbox_gateway import NationalSandbox


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
async def sandbox() -> AsyncIterator[NationalSandbox]:
    async with NationalSandbox(all_desks()) as running:
        yield running
