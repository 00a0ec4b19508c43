"""Civil status simulated: takes forms as XML or JSON in a text, registers them when it is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from schemas.errors import InvalidRequest
from schemas.vietnam import VIETNAM
from schemas.xml import parse

Ask = dict[str, Any]

UNITS = frozenset({"1", "00001", "00004"})
_TEXTS = {
    1: "Đã tiếp nhận hồ sơ, chờ xử lý",
    2: "Hồ sơ cần bổ sung thông tin: giấy tờ tùy thân",
    3: "Hồ sơ đủ điều kiện giải quyết",
    4: "Đã hoàn thành đăng ký",
}


@dataclass(slots=True)
class Filed:
    unit: str
    module: str
    dossier: str
    combined: str
    form: dict[str, Any]
    status: int = 1
    number: int = 0


class CivilStatusDesk:
    """`advance` takes a dossier a step further: 1 → 3 → 4, or to 2."""

    name, guarded = "civil-status", True

    def __init__(self) -> None:
        self.filed: dict[str, Filed] = {}
        self._numbers = itertools.count(1)
        self._served: dict[str, Callable[[Ask], web.Response]] = {
            "dangKyHoTich": self._file,
            "traTrangThaiHoSo": self._state,
            "ketQuaDangKyHS": self._result,
            "dsHoSoDangKy": self._changes,
            "traHoSo": self._one,
            "traDanhSachHoSo": self._many,
            "danhMuc": lambda _: _values([{"ma": "VN", "ten": "Việt Nam"}]),
        }

    def advance(self, dossier: str, status: int) -> None:
        filed = self.filed[dossier]
        filed.status = status
        if status == 4:
            filed.number = next(self._numbers)

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:
        if request.method != "POST" or not request.content_type.endswith("json"):
            return web.Response(status=404, text="<html/>", content_type="text/html")
        try:
            ask = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _failed(302, "DATA_TYPE_INVALID")
        serve = self._served.get(path)
        if serve is None:
            return web.Response(status=404, text="<html/>", content_type="text/html")
        return serve(ask)

    def _state(self, ask: Ask) -> web.Response:
        filed = self._find(ask)
        return _said(filed.status, _TEXTS[filed.status]) if filed else _missing()

    def _result(self, ask: Ask) -> web.Response:
        filed = self._find(ask)
        if filed is None:
            return _missing()
        return _values([_record(filed)]) if filed.status == 4 else _failed(200, "")

    def _one(self, ask: Ask) -> web.Response:
        found = [each for each in self.filed.values() if str(each.number) == ask["maHoSo"]]
        return _values([_record(each) for each in found]) if found else _missing()

    def _many(self, ask: Ask) -> web.Response:
        return _values(
            [_outcome(self.filed[each]) for each in ask["dsMaHoSo"] if each in self.filed]
        )

    def _file(self, ask: Ask) -> web.Response:
        try:
            filed = _read_2025(ask) if "maHoSoMCDT" in ask else _read_older(ask)
        except (InvalidRequest, ValueError, KeyError) as error:
            return web.json_response(
                {"title": "Có lỗi xảy ra.", "errors": f"Sai định dạng: {error}", "status": 500},
                status=500,
            )
        if filed.unit not in UNITS:
            return _failed(106, "Mã đơn vị không đúng")
        self.filed[filed.dossier] = filed
        return _said(1, "Gửi thông tin thành công")

    def _find(self, ask: Ask) -> Filed | None:
        return self.filed.get(str(ask.get("maHoSo")))

    def _changes(self, ask: Ask) -> web.Response:
        datetime.strptime(ask["ngayCapNhat"], "%d/%m/%Y").replace(tzinfo=VIETNAM)
        found = [each for each in self.filed.values() if each.module == ask["module"]]
        done = [each for each in found if each.status == 4]
        return _values([{"id": str(each.number), "maDonVi": each.unit} for each in done])


def _read_2025(ask: Ask) -> Filed:
    datetime.strptime(ask["ngayTiepNhan"].strip(), "%d/%m/%Y").replace(tzinfo=VIETNAM)
    form = orjson.loads(ask["data"])
    return Filed(ask["maDonVi"], ask["module"], ask["maHoSoMCDT"], ask["maHoSoLT"], form)


def _read_older(ask: Ask) -> Filed:
    datetime.strptime(ask["ngayTiepNhan"], "%Y-%m-%d").replace(tzinfo=VIETNAM)
    root = parse(ask["data"].encode())
    record = root.find("hoso")
    if root.tag != "hotich" or record is None:
        msg = "hotich/hoso"
        raise ValueError(msg)
    form = {str(each.tag): each.text for each in record}
    return Filed(str(ask["maDonVi"]), ask["module"], ask["maHoSo"], "", form)


def _record(filed: Filed) -> dict[str, str]:
    return {"id": str(filed.number), "so": str(filed.number), "quyenSo": "01/2026", "trangSo": "1"}


def _outcome(filed: Filed) -> dict[str, object]:
    return {
        "maHoSoLT": filed.combined,
        "maHoSoMCDT": filed.dossier,
        "trangThai": filed.status,
        "ketQuaXuLy": _record(filed) if filed.status == 4 else None,
    }


def _said(status: int, text: str) -> web.Response:
    return web.json_response(
        {
            "status": status,
            "statusDescription": text,
            "errorCode": None,
            "errorDescription": None,
        }
    )


def _values(rows: list[Any]) -> web.Response:
    return web.json_response({"status": 1, "statusDescription": "", "value": rows})


def _failed(code: int, text: str) -> web.Response:
    return web.json_response(
        {"status": 0, "statusDescription": "Lỗi", "errorCode": code, "errorDescription": text}
    )


def _missing() -> web.Response:
    return _failed(201, "RECORD_NOT_FOUND")
