"""The portal's procedure services simulated: sessions in the body, error_code in three types."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

import orjson
from aiohttp import web

from adapters.national.sandbox_gateway import SECRET, USER

Json = dict[str, Any]

UNIT = "000.00.00.H99"


class ProceduresDesk:
    """`procedures` may be changed by a test; `sessions` forgotten."""

    name, guarded = "procedures", False

    def __init__(self) -> None:
        self.procedures = {
            "1.000656": "Thủ tục đăng ký khai tử",
            "1.001193": "Thủ tục đăng ký khai sinh",
            "2.000635": "Thủ tục cấp bản sao trích lục hộ tịch",
        }
        self.sessions: set[str] = set()
        self.logins = 0
        self._codes = itertools.cycle((0, "0", "00"))

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:  # noqa: ARG002 - the port's
        ask = orjson.loads(body)
        if path == "login":
            return self._log_in(ask)
        if ask.get("session") not in self.sessions:
            return _failed("Session không tồn tại hoặc đã hết hạn")
        if ask.get("madonvi") != UNIT:
            return _failed("Mã đơn vị không đúng với tài khoản")
        return self._serve(str(ask.get("service")), str(ask.get("maTTHC")))

    def _serve(self, service: str, code: str) -> web.Response:
        if service == "LayDanhSachTTHC":
            rows = self.procedures.items()
            return self._told([{"MATTHC": each, "TENTTHC": name} for each, name in rows])
        if service != "LayThuTuc":
            return _failed("Dịch vụ không hợp lệ")
        if code not in self.procedures:
            return _failed("Không tìm thấy thủ tục")
        return self._told([_written(code, self.procedures[code])])

    def _log_in(self, ask: Json) -> web.Response:
        if (ask.get("username"), ask.get("password")) != (USER, SECRET):
            return _failed("Tài khoản hoặc mật khẩu không đúng")
        self.logins += 1
        session = secrets.token_hex(16)
        self.sessions.add(session)
        return web.json_response(
            {"error_code": next(self._codes), "message": "Thành công", "session": session}
        )

    def _told(self, result: list[Json]) -> web.Response:
        return web.json_response(
            {"error_code": next(self._codes), "message": "Thành công", "result": result}
        )


def _failed(text: str) -> web.Response:
    return web.json_response({"error_code": -1, "message": text, "result": None})


def _written(code: str, name: str) -> Json:
    fee = {"MAPHILEPHI": "LP1", "SOTIEN": "8000", "DONVI": "Đồng", "MOTA": ""}
    time = {"THOIGIANGIAIQUYET": 1, "DONVITINH": "Ngày làm việc", "MOTA": "", "PHILEPHI": [fee]}
    paper = {
        "MAGIAYTO": "GT1",
        "TENMAUDON": "Tờ khai",
        "URL": "https://portal.example/to-khai.docx",
        "TENGIAYTO": "Tờ khai theo mẫu",
    }
    return {
        "TENTTHC": name,
        "MATTHC": code,
        "MACOQUANCONGBO": "000.00.00.G15",
        "LINHVUCTHUCHIEN": [{"MALINHVUC": "G15-HT", "TENLINHVUC": "Hộ tịch"}],
        "TRINHTUTHUCHIEN": [
            {"TRUONGHOP": "", "TRINHTU": [{"TENTRINHTU": "Nộp"}, {"TENTRINHTU": "Nhận"}]}
        ],
        "CACHTHUCTHUCHIEN": [{"KENH": 1, "THOIGIAN": [time]}, {"KENH": 2, "THOIGIAN": [time]}],
        "YEUCAU": None,
        "DOITUONGTHUCHIEN": [{"TENDOITUONG": "Công dân Việt Nam"}],
        "KETQUATHUCHIEN": [{"MAKETQUA": "KQ.G15.000034", "TENKETQUA": "Trích lục khai tử"}],
        "CANCUPHAPLY": [{"SOVANBAN": "60/2014/QH13", "TENVANBAN": "Luật Hộ tịch"}],
        "TRANGTHAI": 1,
        "COQUANTHUCHIEN": [{"TENDONVI": "UBND cấp xã", "MADONVI": "H99.132"}],
        "THANHPHANHOSO": [{"GIAYTO": [paper]}],
    }
