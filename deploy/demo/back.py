"""What comes back from the national portal (luồng ngược): a submission, a question, a rating.

A citizen of the commune submits online, another asks the department something; the department
answers, and is rated.  The one-stop system must have the submission, once, and the portal must hear
so; the portal must have the answer, once; the live totals must count the rating.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from adapters.http import open_session
from adapters.onestop.stories import SERVICES
from deploy.demo.dossiers import COMMUNE, DEPARTMENT, NATIONAL, Dossiers
from deploy.demo.registers import authorized
from deploy.stage import Agency
from schemas.vietnam import VIETNAM

ONLINE, QUESTION = "G22.99.99-260803-0001", "CH-1"
ANSWER = "Đơn đề nghị và bản vẽ thiết kế, theo danh mục trên Cổng Dịch vụ công"
PAUSE = 0.2


@dataclass
class Back:
    """`dossiers` has the portal and the one-stop system."""

    dossiers: Dossiers
    rated: int = 0
    number: str = ""  # the portal's own of the submission
    problems: list[str] = field(
        default_factory=lambda: ["portal: no submission and no question came back"]
    )

    @staticmethod
    def declared() -> dict[str, list[Any]]:
        """Questions wait apart from documents, submissions go where dossiers are fetched."""
        return {
            "endpoints": [{"name": "hoi-dap", "kind": "mailbox", "title": "Hộp thư hỏi đáp"}],
            "routes": [
                {"name": "hoi-dap", "kinds": ["question"], "endpoint": "hoi-dap"},
                {
                    "name": "truc-tuyen",
                    "kinds": ["submission"],
                    "receiver": COMMUNE.code,
                    "endpoint": "mot-cua-xa",
                },
            ],
        }

    async def play(self, client: Agency, deadline: float) -> None:
        """`client` is the department's system. Returns when everything is there, or at the end."""
        give_up = time.monotonic() + deadline
        async with open_session() as partners, aiohttp.ClientSession(client.bus) as bus:
            await self._begin(partners)
            headers = await authorized(bus, client)
            await self._rate(bus, headers)
            answered = False
            while time.monotonic() < give_up:
                answered = answered or await self._answer(bus, headers)
                self.problems = await self._missing(partners)
                if not self.problems:
                    return
                await asyncio.sleep(PAUSE)

    async def _begin(self, http: aiohttp.ClientSession) -> None:
        """What the citizens do at the portal."""
        service = SERVICES[0]
        profile = {
            "MaHoSo": ONLINE,
            "MaDonVi": COMMUNE.code,
            "MaTTHC": service.national,
            "TenTTHC": service.name,
            "LoaiDoiTuong": 1,
            "ChuHoSo": "Nguyễn Văn Ví Dụ",
            "TrichYeuHoSo": service.name,
            "DonViXuLy": COMMUNE.name,
        }
        question = {
            "MaCauHoi": QUESTION,
            "MaDonVi": DEPARTMENT.code,
            "TieuDe": "Cấp phép",
            "NoiDung": "Cần giấy tờ gì?",
            "NguoiHoi": "Lê Thị Ví Dụ",
            "NgayHoi": datetime.now(VIETNAM).strftime("%d/%m/%Y"),
        }
        portal = self.dossiers.url("cong-dvcqg")
        async with http.post(f"{portal}/_sandbox/submissions", json=profile) as answer:
            self.number = (await answer.json())["profileId"]
        async with http.post(f"{portal}/_sandbox/questions", json=question) as answer:
            answer.raise_for_status()

    async def _rate(self, bus: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        rating = {
            "id": "DG-1",
            "code": self.dossiers.pushed[0].code,
            "agency": DEPARTMENT.code,
            "score": 1,
            "at": datetime.now(VIETNAM).isoformat(),
        }
        async with bus.post("/api/v1/flows/rating", json=rating, headers=headers) as answer:
            answer.raise_for_status()
        self.rated += 1

    async def _answer(self, bus: aiohttp.ClientSession, headers: dict[str, str]) -> bool:
        """Whether the question was there, and is answered now."""
        async with bus.get(
            "/api/v1/mailbox", params={"kind": "question"}, headers=headers
        ) as answer:
            answer.raise_for_status()
            items = (await answer.json())["items"]
        if not items:
            return False
        reply = {
            "question": QUESTION,
            "agency": DEPARTMENT.code,
            "agencyName": DEPARTMENT.name,
            "content": ANSWER,
            "answeredAt": datetime.now(VIETNAM).isoformat(),
            "to": NATIONAL,
        }
        async with bus.post("/api/v1/flows/answer", json=reply, headers=headers) as answer:
            answer.raise_for_status()
        path = f"/api/v1/mailbox/{items[0]['deliveryId']}/ack"
        async with bus.post(path, json={"result": "delivered"}, headers=headers) as answer:
            answer.raise_for_status()
        return True

    async def _missing(self, http: aiohttp.ClientSession) -> list[str]:
        """By what portal and one-stop system have; knows nothing of the bus."""
        async with http.get(f"{self.dossiers.url('cong-dvcqg')}/_sandbox/back") as answer:
            there = await answer.json()
        async with http.get(f"{self.dossiers.url('mot-cua-xa')}/_sandbox/submissions") as answer:
            came = [each["MaHoSo"] for each in await answer.json()]
        found = []
        if came != [ONLINE]:
            found.append(f"one-stop system: it has {len(came)} online submissions instead of one")
        if set(there["acks"].get(self.number, ())) != {"done"}:
            found.append("portal: the submission is not acknowledged")
        if [each["NoiDungTraLoi"] for each in there["answers"]] != [ANSWER]:
            found.append(f"portal: {len(there['answers'])} answers to the one question")
        return found

    def judge(self, totals: dict[str, Any]) -> list[str]:
        """What is wrong, with the live totals of the province."""
        counted = totals["verySatisfied"]
        wrong = [] if counted == self.rated else [f"totals: {counted} of {self.rated} ratings"]
        return self.problems + wrong
