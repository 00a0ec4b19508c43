"""One-stop software → façade → bus → portal, with the bus killed and the portal failing: every
timeline at the portal is the one-stop's, line by line.

The dossiers are plain JSON written here, and the portal's report is read as plain JSON: neither
shares code with the bus.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from deploy.stage import Stage
from tests.waiting import wait_until

USER, KEY = "000.00.00.H38", "khoa-cua-mot-cua-2026"
Condition = Callable[[], bool | Awaitable[bool]]
DOSSIERS = 12
PROVINCE = """
endpoints:
  - name: cong-dvcqg
    kind: dvcqg
    config:
      url: {service}
      login_url: {login}
      username: {user}
      password: cong-dvcqg
      madonvi: {user}
      dstcode: {dstcode}
      connect_seconds: 2
      answer_seconds: 1
      lookup_shows_steps: true
    retry: {{first: 0.05, soft_cap: 0.2, cap: 0.5, max_attempts: 1000}}
    breaker: {{failures: 50, distinct: 20, probe_every: 0.2}}
agencies:
  - {{code: H38, name: Tỉnh Mẫu}}
  - {{code: H38.30, name: UBND xã Suối Mẫu, parent: H38}}
  - {{code: 000.00.00.G22, name: Cổng DVCQG, endpoint: cong-dvcqg}}
subscriptions:
  - {{name: cong, sender: 'H38*', receivers: [000.00.00.G22]}}
mappings:
  - {{table: procedure, local: HT-KHAITU, national: '1.000656'}}
clients:
  - id: mot-cua
    agencies: [H38]
    descendants: true
    rate: 10000
    burst: 10000
    system_id: {user}
    secret: mot-cua
"""


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    account = Account(USER, b"mat-khau-cua-tinh", USER)
    async with Portal([account], lapse=0.02, lookup_shows_steps=True) as running:
        yield running


@pytest.fixture
async def stage(tmp_path: Path, portal: Portal) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "stage", settings={"LGSP_FACADES": '{"dvcqg": "/dvcqg"}'})
    for name, value in {"mot-cua": KEY, "cong-dvcqg": "mat-khau-cua-tinh"}.items():
        (stage.folder / "secrets" / name).write_text(value)
    (stage.folder / "bus").mkdir()
    province = stage.folder / "province"
    province.mkdir()
    declared = PROVINCE.format(
        service=portal.service_url, login=portal.login_url, user=USER, dstcode=DSTCODE
    )
    (province / "all.yaml").write_text(declared)
    await asyncio.to_thread(stage.lgsp, "migrate")
    await asyncio.to_thread(stage.lgsp, "apply", "-f", str(province), "--reason", "mở trục")
    stage.bus.append(stage._bus_process("serve-1", "serve"))
    stage.bus[0].start()
    try:
        await asyncio.to_thread(stage.wait_ready)
        yield stage
    finally:
        await asyncio.to_thread(stage.close)


def dossier(number: int) -> dict[str, Any]:
    return {
        "MaHoSo": f"H38.30-261124-{number:04d}",
        "MaTTHC": "HT-KHAITU",
        "TenTTHC": "Đăng ký khai tử",
        "LoaiDoiTuong": "1",
        "ChuHoSo": "Lê Thị Thử",
        "TrichYeuHoSo": f"Khai tử số {number}",
        "NgayTiepNhan": "20261124081500",
        "NgayHenTra": "",
        "TrangThaiHoSo": "2",
        "DonViXuLy": "UBND xã Suối Mẫu",
    }


def lines(code: str) -> list[dict[str, str]]:
    return [
        {
            "MaHoSo": code,
            "NguoiXuLy": "Trần Thị Mẫu",
            "ThoiDiemXuLy": f"202611240900{number:02d}",
            "NoiDungXuLy": f"Bước {number}",
            "TrangThai": status,
        }
        for number, status in enumerate(["2", "4", "5", "4", "9", "10"])
    ]


class OneStop:
    """Written against the portal: logs in, sends, and sends again what was not answered."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = f"{url}/dvcqg/mapi"
        self._session = ""

    async def send(self, service: str, data: list[Any], **more: str) -> None:
        async def taken() -> bool:
            try:
                return await self._once(service, data, more)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                return False  # the bus is being killed

        condition: Condition = taken
        await wait_until(condition, deadline=60, what=f"{service} taken")

    async def _once(self, service: str, data: list[Any], more: dict[str, str]) -> bool:
        if not self._session:
            login = {"username": USER, "password": KEY}
            self._session = (await self._post("login", login))["session"]
        body = {"session": self._session, "madonvi": USER, "service": service, "data": data}
        return bool((await self._post("tichhop", body | more))["error_code"] == 0)

    async def _post(self, path: str, body: Any) -> Any:
        limit = aiohttp.ClientTimeout(total=10)
        async with self._http.post(f"{self._url}/{path}", json=body, timeout=limit) as answer:
            return await answer.json()

    async def work(self, number: int) -> None:
        item = dossier(number)
        await self.send("DongBoHoSoMC", [item], isUpdating="False")
        for line in lines(item["MaHoSo"]):
            await self.send("CapNhatTienDoHoSoMC", [line])
        closed = item | {"TrangThaiHoSo": "10", "NgayTra": "20261124100000"}
        await self.send("DongBoHoSoMC", [closed], isUpdating="True")


async def reported(http: aiohttp.ClientSession, portal: Portal) -> dict[str, Any]:
    """By code, from the portal's own report."""
    async with http.get(f"{portal.url}/_sandbox/timelines") as answer:
        found = [json.loads(line) for line in (await answer.text()).splitlines()]
    return {each["MaHoSo"]: each for each in found}


async def storm(portal: Portal) -> None:
    for fault in itertools.cycle(("cut", "500", "half", "garbage", "503", "ok")):
        await portal.set_fault(fault, probability=0.4, retry_after=0)
        await wait_until(_more_came(portal), deadline=60, what="traffic")


def _more_came(portal: Portal) -> Condition:
    seen = len(portal.arrivals)
    return lambda: len(portal.arrivals) > seen + 15


@pytest.mark.timeout(180)
async def test_timelines_of_the_portal_equal_the_one_stops(stage: Stage, portal: Portal) -> None:
    async with aiohttp.ClientSession() as http:
        one_stop = OneStop(http, stage.url)
        blowing = asyncio.create_task(storm(portal))
        async with asyncio.TaskGroup() as working:
            for number in random.Random(1).sample(range(DOSSIERS), DOSSIERS):
                working.create_task(one_stop.work(number))
            await wait_until(lambda: len(portal.arrivals) > 30, deadline=60, what="traffic")
            stage.bus[0].kill()
            stage.bus[0].start()
            await asyncio.to_thread(stage.wait_ready)

        async def finished() -> bool:
            found = await reported(http, portal)
            return len(found) == DOSSIERS and all(
                each["record"]["TrangThaiHoSo"] == "10" for each in found.values()
            )

        condition: Condition = finished
        await wait_until(condition, deadline=120, what="every dossier closed at the portal")
        blowing.cancel()
        await portal.set_fault("ok")
        found = await reported(http, portal)
    for number in range(DOSSIERS):
        item = dossier(number)
        at_portal = found[item["MaHoSo"]]
        told = [
            {name: line[name] for name in lines(item["MaHoSo"])[0]}
            for line in at_portal["timeline"]
        ]
        assert told == lines(item["MaHoSo"])
        assert at_portal["record"]["MaTTHC"] == "1.000656"
        assert at_portal["record"]["TrichYeuHoSo"] == item["TrichYeuHoSo"]
        assert at_portal["inserts"] == 1
