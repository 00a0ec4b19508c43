"""Judicial records simulated: what is not acknowledged is told again, what is, never."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from schemas.vietnam import VIETNAM

Ask = dict[str, Any]

_NAMES = {3: "STP đã tiếp nhận", 4: "Đang xử lý", 5: "Đã có phiếu"}


class JudicialRecordsDesk:
    """`advance` takes a dossier on, `file_online` lets a citizen apply on the portal."""

    name, guarded = "judicial-records", True

    def __init__(self) -> None:
        self.dossiers: dict[str, Ask] = {}  # by one-stop number
        self.states: dict[str, int] = {}
        self.waiting: dict[str, dict[str, Any]] = {}  # states not acknowledged, by id
        self.online: dict[str, dict[str, Any]] = {}
        self.reported: dict[str, int] = {}  # VNeID
        self._ids: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._served: dict[str, Callable[[Ask], web.Response]] = {
            "nhanHoSoDangKy": self._file,
            "traTrangThaiHs": self._state,
            "traDsTrangThaiHs": lambda _: _listed(list(self.waiting.values())),
            "traHoSo": lambda ask: _listed(
                list(self.online.values()) if ask.get("infoType") == "1" else []
            ),
            "danhDauHsThanhCong": self._acknowledge,
            "traDanhMuc": lambda _: _listed([{"ID": "1", "NAME": "Kinh"}]),
            "v2/lyLichTuPhap/traKetQuaHoSoLLTP": self._report,
        }

    def advance(self, dossier: str, status: int) -> None:
        self.states[dossier] = status
        self.waiting[self._ids[dossier]] = self._row(dossier)

    def file_online(self, name: str) -> str:
        number = f"LLTP{next(self._numbers):04d}"
        self.online[number] = {"DECLARATION_ID": number, "FULL_NAME": name}
        return number

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:
        serve = self._served.get(path) if request.method == "POST" else None
        if serve is None:
            return web.Response(status=404, text="<html/>", content_type="text/html")
        return serve(orjson.loads(body))

    def _file(self, ask: Ask) -> web.Response:
        try:
            for name in ("dateReceivedDec", "datePromissoryDec"):
                datetime.strptime(ask[name], "%d/%m/%Y").replace(tzinfo=VIETNAM)
        except (KeyError, ValueError):
            return _failed("Ngày không đúng định dạng DD/MM/YYYY")
        form, number = ask.get("declarationWSForm", {}), ask["idReceivedDec"]
        missing = [each for each in ("fullName", "genderId", "identifyNo") if not form.get(each)]
        if missing:
            return _failed(f"Thiếu trường bắt buộc {missing[0]}")
        if number in self.dossiers:
            return _failed(f"Số phiếu tiếp nhận {number} đã tồn tại")
        self.dossiers[number] = ask
        self._ids[number] = f"LLTP{next(self._numbers):04d}"
        self.advance(number, 3)
        return web.json_response({"STATUS": "1", "DESCRIPTION": "", "ID": self._ids[number]})

    def _state(self, ask: Ask) -> web.Response:
        number = ask["idReceivedDec"]
        if number not in self.states or (ask["infoType"] == "1") != ("identifyNo" in ask):
            return _failed("Không tìm thấy hồ sơ")
        return web.json_response({"STATUS": "1", "DESCRIPTION": "", **self._row(number)})

    def _row(self, number: str) -> dict[str, Any]:
        status = self.states[number]
        return {
            "DECLARATION_ID": self._ids[number],
            "DEC_STATUS_ID": str(status),
            "DEC_STATUS_NAME": _NAMES[status],
            "APPROVE_DATE": "25/11/2026" if status == 5 else "",
            "ISSUE_DATE": "26/11/2026" if status == 5 else None,
            "APPOINTMENT_NO": "",
            "RECEIVE_NO": number,
        }

    def _acknowledge(self, ask: Ask) -> web.Response:
        kept = self.waiting if ask["infoType"] == "2" else self.online
        for each in ask["declarationId"].split(";"):
            kept.pop(each, None)
        return web.json_response({"STATUS": "1", "DESCRIPTION": "Thành công"})

    def _report(self, ask: Ask) -> web.Response:
        number, status = ask["maHoSoMCDT"], ask["trangThaiXuLy"]
        if status < self.reported.get(number, 0):
            said = f"Hồ sơ không thể cập nhật lên trạng thái {status}"
            return web.json_response({"statusCode": "01", "errorDetail": said, "data": None})
        self.reported[number] = status
        return web.json_response({"statusCode": "00", "errorDetail": "", "data": None})


def _listed(rows: list[dict[str, Any]]) -> web.Response:
    return web.json_response({"STATUS": "1", "DESCRIPTION": "", "LISTCONTENT": rows})


def _failed(text: str) -> web.Response:
    return web.json_response({"STATUS": "0", "DESCRIPTION": text})
