"""Business registration simulated: everything in HTTP 200, errors in Status and Message."""

from __future__ import annotations

import itertools
import re
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web

from schemas.vietnam import VIETNAM

ENTERPRISES = {
    "0100000001": ("CÔNG TY TNHH MẪU", "Nguyễn Thị Mẫu", "5000000000.10"),
    "0100000002": ("CÔNG TY CỔ PHẦN VÍ DỤ", "Trần Văn Thử; Lò Văn Ví Dụ", "123456789012345.67"),
    "0100000002-001": ("CHI NHÁNH CÔNG TY CỔ PHẦN VÍ DỤ", "Lò Văn Ví Dụ", "0"),
}


class BusinessDesk:
    """Answers every other question of an enterprise as NGSP does, with `Data` around it."""

    name, guarded = "business", True

    def __init__(self) -> None:
        self._turn = itertools.count()

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:  # noqa: ARG002 - the port's
        query = request.query
        match path if request.method == "GET" else "":
            case "chiTietDoanhNghiep":
                return self._enterprise(query.get("msdn", ""))
            case "danhSachHoSoTrongNgay":
                times = (query.get("from_ts", ""), query.get("to_ts", ""))
                if not all(re.fullmatch(r"\d\d:\d\d", each) for each in times):
                    return _failed("Sai định dạng HH:mm")
                return _listed(_dossiers(datetime.now(VIETNAM).date(), 1), query)
            case "danhSachHoSo":
                return _period(query)
            case "tinhTrangHoSo":
                number = query.get("in_journal_no", "")
                found = [each for each in _dossiers(_FIRST, 30) if each["IN_JOURNAL_NO"] == number]
                return _listed(found, {}) if found else _failed("Không tồn tại hồ sơ")
            case _:
                return web.Response(status=404, text="<html>404</html>", content_type="text/html")

    def _enterprise(self, code: str) -> web.Response:
        if not re.fullmatch(r"\d{10}(-\d{3})?", code):
            return _failed("Mã số doanh nghiệp không hợp lệ")
        if code not in ENTERPRISES:
            return _failed("Không tìm thấy doanh nghiệp")
        told = _written(code, *ENTERPRISES[code])
        if next(self._turn) % 2:
            told = {"Data": told, "Status": 1, "Message": "success"}
        # the amounts are written as numbers, to the last digit
        text = orjson.dumps(told).decode()
        return web.Response(
            text=re.sub(r'"#([\d.]+)"', r"\1", text), content_type="application/json"
        )


_FIRST = date(2026, 11, 1)


def _dossiers(first: date, days: int) -> list[dict[str, str]]:
    """One dossier a day."""
    return [
        {
            "IN_JOURNAL_NO": f"{day:%y%m%d}0001",
            "NAME": "CÔNG TY TNHH MẪU",
            "PROCESS_STATUS": "Đã cấp đăng ký",
            "RECEIVED_DATE": f"{day:%d/%m/%Y}",
        }
        for day in (first + timedelta(days=number) for number in range(days))
    ]


def _period(query: Any) -> web.Response:
    try:
        first, last = (
            datetime.strptime(query.get(name, ""), "%d/%m/%Y").replace(tzinfo=VIETNAM).date()
            for name in ("from_date", "to_date")
        )
    except ValueError:
        return _failed("Sai định dạng dd/MM/yyyy")
    if (last - first).days > 5:
        return _failed("Khoảng thời gian tối đa 05 ngày")
    return _listed(_dossiers(first, (last - first).days + 1), query)


def _listed(rows: list[dict[str, str]], query: Any) -> web.Response:
    start = int(query.get("offset", 0))
    part = rows[start : start + int(query.get("limit", 100))]
    return web.json_response(
        {"Data": part, "DataCount": len(rows), "Status": "1", "Message": "success"}
    )


def _failed(message: str) -> web.Response:
    return web.json_response({"DataCount": 0, "Status": "0", "Message": message})


def _written(code: str, name: str, legal: str, capital: str) -> dict[str, Any]:
    return {
        "MainInformation": {
            "ENTERPRISE_ID": int(code[:10]),
            "ENTERPRISE_GDT_CODE": code,
            "IMP_BUSINESS_CODE": "",
            "ENTERPRISE_TYPE_ID": "02",
            "ENTERPRISE_TYPE_NAME": "Công ty TNHH",
            "NAME": name,
            "SHORT_NAME": None,
            "NAME_F": "",
            "FOUNDING_DATE": "31/01/2020",
            "LAST_AMEND_DATE": "",
            "NUMBER_CHANGES": 0,
            "ENTERPRISE_STATUS": "Đang hoạt động",
            "LEGAL_NAMES": legal,
            "CAPITAL_AMOUNT": f"#{capital}",
        },
        "HOAdress": {
            "CityID": 1,
            "CityName": "Tỉnh Mẫu",
            "DistrictID": 0,
            "DistrictName": "",
            "WardID": 1,
            "WardName": "Xã Mẫu",
            "StreetNumber": "Số 1",
            "AddressFullText": "Số 1, Xã Mẫu, Tỉnh Mẫu",
        },
        "BusinessActivity": [
            {"CODE": "6201", "NAME": "Lập trình máy vi tính", "IS_MAIN": "Y"},
            {"CODE": "6202", "NAME": "Tư vấn máy vi tính", "IS_MAIN": "N"},
        ],
        "Member": [
            {
                "MEMBER_NAME": "Nguyễn Thị Mẫu",
                "AMOUNT": f"#{capital}",
                "RATIO_PERCENT": "#100.0",
                "COUNTRY": "Việt Nam",
            }
        ],
        "DataCount": 1,
        "Status": "1",
        "Message": "success",
    }
