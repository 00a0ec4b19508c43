"""The combined service simulated: keeps the order of statuses, and says so in sentences."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from adapters.national.combined.codec import HANDED_OVER, ORDER, REFUSED, RESULT, RETURNED
from schemas.vietnam import VIETNAM


class CombinedDesk:
    """Answers in plain text every third time, as it does in front of a broken relay."""

    name, guarded = "combined", True

    def __init__(self) -> None:
        self.told: dict[str, list[int]] = {
            "G22.99.99-261124-0001": [],
            "G22.99.99-261124-0002": [],
        }
        self.results: dict[str, Any] = {}
        self._turn = itertools.count(1)

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:
        start = "api/lienthongdvclt/hosolienthong/"
        if request.method == "GET" and path.startswith(start):
            return self._dossier(path.removeprefix(start))
        if request.method == "POST" and path == "api/lienthongdvclt/capNhatTrangThai":
            return self._update(orjson.loads(body))
        return web.Response(status=404, text="<html/>", content_type="text/html")

    def _dossier(self, number: str) -> web.Response:
        if number not in self.told:
            return self._said(400, "Hồ sơ không tồn tại")
        return web.json_response(
            {"data": {"soHoSoLT": number, "maTTHC": "2.001023", "duLieu": {"hoTen": "MẪU"}}}
        )

    def _update(self, ask: dict[str, Any]) -> web.Response:
        number, status = ask["soHoSoLT"], ask["trangThai"]
        if number not in self.told:
            return self._said(400, f"Hồ sơ {number} không tồn tại")
        try:
            datetime.strptime(ask["thoiGianThucHien"], "%d/%m/%Y %H:%M:%S").replace(tzinfo=VIETNAM)
        except ValueError:
            return self._said(400, "Logic xử lý không hợp lệ: thoiGianThucHien")
        refused = self._refusal(self.told[number], status)
        if refused:
            return self._said(400, refused)
        if status == RESULT:
            self.results[number] = orjson.loads(ask["ketQuaXuLy"])
        self.told[number].append(status)
        return self._said(200, "Cập nhật trạng thái thành công")

    def _refusal(self, told: list[int], status: int) -> str:
        if RETURNED in told:
            return "Hồ sơ đã trả kết quả, không được cập nhật trạng thái"
        if REFUSED in told:
            return "Hồ sơ bị từ chối. Không thể cập nhật trạng thái"
        if RESULT in told and status in {RESULT, HANDED_OVER}:
            return "Hồ sơ đã có kết quả xử lý của cơ quan hộ tịch"
        before = ORDER[: ORDER.index(status)] if status in ORDER else ORDER[:1]
        lacking = [each for each in before if each not in told]
        return f"Hồ sơ chưa cập nhật trạng thái {lacking[0]}" if lacking else ""

    def _said(self, status: int, text: str) -> web.Response:
        if next(self._turn) % 3 == 0:
            return web.Response(status=status, text=text)
        if status == 200:
            return web.json_response({"status": 200, "title": text, "traceId": "00-1"})
        return web.json_response(
            {
                "errors": {"soHoSoLT": [text]},
                "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
                "title": "One or more validation errors occurred.",
                "status": status,
                "traceId": "00-2",
            },
            status=status,
        )
