"""Social insurance simulated; every other answer comes in the envelope of an LGSP."""

from __future__ import annotations

import itertools

import orjson
from aiohttp import web

PEOPLE = (
    {
        "maSo": "0100000001",
        "hoTen": "Nguyễn Thị Mẫu",
        "soSoCu": "",
        "ngaySinh": "19990131",
        "loaiNgaySinh": "0",
        "gioiTinh": "2",
        "maHo": "H0001",
        "diaChi": "Xã Mẫu, Tỉnh Mẫu",
        "maTinhKs": "01",
        "maHuyenKs": "",
        "maXaKs": "00001",
        "trangThai": "1",
    },
    {
        "maSo": "0100000003",
        "hoTen": "Lò Văn Ví Dụ",
        "soSoCu": "S-9",
        "ngaySinh": "1950",
        "loaiNgaySinh": "1",
        "gioiTinh": "1",
        "maHo": "H0002",
        "diaChi": "",
        "maTinhKs": "01",
        "maHuyenKs": "",
        "maXaKs": "00007",
        "trangThai": "0",
    },
)


class InsuranceDesk:
    name, guarded = "insurance", True

    def __init__(self) -> None:
        self._turn = itertools.count()

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:  # noqa: ARG002 - the port's
        try:
            ask = orjson.loads(body)
        except orjson.JSONDecodeError:
            return web.json_response({"errorCode": "400"})
        match path:
            case "getTraCuuTtHgdByMaSoBhxh":
                found = _first({"maSo": ask.get("maSoBhxh")})
                return self._told("TST_GetTraCuuTtHgdByMaSoBhxhResponse", _without_number(found))
            case "getMaSoBhxhTheoTieuChi":
                found = _first(_criteria(ask))
                told = {"maSoBhxh": found["maSo"], "trangThai": found["trangThai"]} if found else {}
                return self._told(
                    "TST_GetMaSoBhxhTheoTieuChiResponse",
                    told or {"maSoBhxh": "", "trangThai": ""},
                )
            case "getTraCuuThongTinHgd":
                found = _first(_criteria(ask))
                return self._told("TST_GetTraCuuThongTinHgdResponse", found or _nobody())
            case _:
                return web.Response(status=404, text="<html/>", content_type="text/html")

    def _told(self, name: str, row: dict[str, str]) -> web.Response:
        if next(self._turn) % 2 == 0:
            return web.json_response({**row, "errorCode": ""})
        inside = {"dataThongTinHgd": row, "errorCode": "00"}
        return web.json_response(
            {
                "code": 200,
                "status": "success",
                "correlationId": "0f6a",
                "response": {name: {"successful": inside}},
            }
        )


def _criteria(ask: dict[str, str]) -> dict[str, str | None]:
    return {name: ask.get(name) for name in ("hoTen", "ngaySinh", "loaiNgaySinh", "gioiTinh")}


def _first(wanted: dict[str, str | None]) -> dict[str, str] | None:
    for person in PEOPLE:
        if all(person[name] == value for name, value in wanted.items()):
            return person
    return None


def _without_number(found: dict[str, str] | None) -> dict[str, str]:
    row = dict(found or _nobody())
    row.pop("maSo")
    return row


def _nobody() -> dict[str, str]:
    return dict.fromkeys(PEOPLE[0], "")
