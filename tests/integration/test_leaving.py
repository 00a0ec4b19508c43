"""A gateway that was told to end: it says so, goes on meanwhile, and lets connections go."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import httpx2

from bus.app import ROLES, running
from bus.settings import Settings
from tests.waiting import wait_until

LEAVE_SECONDS = 4.0


async def test_a_gateway_goes_without_cutting_anybody_off(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, http_port=0, leave_seconds=LEAVE_SECONDS)
    told, address = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def live() -> None:
        async with running(settings, ROLES) as at:
            address.set_result(at)
            await told.wait()

    living = asyncio.create_task(live())
    try:
        await _part(str(await address), told)
        await living
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


async def _part(address: str, told: asyncio.Event) -> None:
    async with httpx2.AsyncClient(base_url=address) as kept:
        first = await kept.get("/readyz")
        assert (first.status_code, first.json()["status"]) == (200, "ready")
        assert "connection" not in first.headers
        told.set()

        async def is_leaving() -> bool:
            async with httpx2.AsyncClient(base_url=address) as balancer:
                answer = await balancer.get("/readyz")
                return (answer.status_code, answer.json()["status"]) == (503, "leaving")

        _: bool = await wait_until(is_leaving, 30, "the gateway to say that it is leaving")
        last = await kept.get("/openapi.json")
        assert last.status_code == 200, "everything is still taken, on the connection of before"
        assert last.headers["connection"] == "close"
        gone: bool = await wait_until(partial(_gone, address), 60, "the end")
        assert gone


async def _gone(address: str) -> bool:
    try:
        async with httpx2.AsyncClient(base_url=address) as http:
            await http.get("/readyz")
    except httpx2.ConnectError:
        return True
    return False
