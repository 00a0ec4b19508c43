"""What the simulated portal refuses, field by field; shares no table with the adapter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

_CODE = re.compile(r"(\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2}|[A-Z]\d{2}(\.\d{1,3}){0,3})-\d{6}-\d{4,5}")

_RECORD_REQUIRED = (
    "MaHoSo",
    "MaTTHC",
    "TenTTHC",
    "LoaiDoiTuong",
    "TrichYeuHoSo",
    "TrangThaiHoSo",
    "DonViXuLy",
)
_RECORD_LIMITS = {"TrichYeuHoSo": 1000, "GhiChu": 2000}
_RECORD_TIMES = (
    "NgayTiepNhan",
    "NgayHenTra",
    "NgayTra",
    "NgayKetThucXuLy",
    "NgayTuChoi",
    "NgayNopHoSo",
)
_RECORD_VALUES: Mapping[str, frozenset[str]] = {
    "TrangThaiHoSo": frozenset(map(str, range(1, 11))),
    "LoaiDoiTuong": frozenset("1234"),
    "KenhThucHien": frozenset("123"),
    "HinhThuc": frozenset("01"),
    "NoiNopHoSo": frozenset("12"),
    "HoSoCoThanhPhanSoHoa": frozenset("01"),
    "TaiKhoanDuocXacThucVoiVNeID": frozenset("01"),
    "DuocThanhToanTrucTuyen": frozenset("0123"),
}
_ROW_LIMITS = {
    "TaiLieuNop": ("TenTepDinhKem", 4000),
    "DanhSachGiayToKetQua": ("TenGiayTo", 2000),
}
_ROW_VALUES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "TaiLieuNop": {
        "IsDeleted": frozenset({"True", "False"}),
        "DuocSoHoa": frozenset("01"),
        "DuocTaiSuDung": frozenset("012"),
        "DuocLayTuKhoDMQG": frozenset("01"),
    },
    "DanhSachLePhi": {"HinhThucThu": frozenset("124"), "LoaiPhiLePhi": frozenset("123")},
    "DinhDanhCHS": {"LoaiDinhDanh": frozenset("12")},
}
_NO_TEXTS = frozenset(
    {
        *("TaiLieuNop", "DanhSachLePhi", "DanhSachTepDinhKemKhac", "DanhSachHoSoBoSung"),
        *("DanhSachGiayToKetQua", "DinhDanhCHS", "DSKetNoiCSDL"),
    }
)

_STEP_REQUIRED = ("MaHoSo", "NguoiXuLy", "ThoiDiemXuLy", "NoiDungXuLy", "TrangThai")
_STEP_LIMITS = {"NguoiXuLy": 50}
_STEP_TIMES = ("ThoiDiemXuLy", "NgayBatDau", "NgayKetThucTheoQuyDinh")
MOST_STEPS = 10


def record_fault(item: Any) -> str | None:
    """Why the portal refuses a dossier; None: it does not."""
    if not isinstance(item, dict):
        return "Dữ liệu hồ sơ không hợp lệ"
    return (
        _required(item, _RECORD_REQUIRED)
        or _texts(item)
        or _limits(item, _RECORD_LIMITS)
        or _times(item, _RECORD_TIMES)
        or _values(item, _RECORD_VALUES)
        or _code(item)
        or _row_faults(item)
    )


def step_fault(item: Any) -> str | None:
    """Why the portal refuses a step."""
    if not isinstance(item, dict):
        return "Dữ liệu tiến trình không hợp lệ"
    status = {"TrangThai": _RECORD_VALUES["TrangThaiHoSo"]}
    return (
        _required(item, _STEP_REQUIRED)
        or _texts(item)
        or _limits(item, _STEP_LIMITS)
        or _times(item, _STEP_TIMES)
        or _values(item, status)
        or _code(item)
    )


def _required(item: Mapping[str, Any], names: Iterable[str]) -> str | None:
    for name in names:
        if item.get(name) is None or item[name] == "":
            return f"Trường {name} bắt buộc, không được để trống"
    return None


def _texts(item: Mapping[str, Any]) -> str | None:
    """Every value is a text, but for lists."""
    for name, value in item.items():
        if name not in _NO_TEXTS and value is not None and not isinstance(value, str):
            return f"Trường {name} không đúng kiểu dữ liệu"
    return None


def _limits(item: Mapping[str, Any], limits: Mapping[str, int]) -> str | None:
    for name, most in limits.items():
        if len(item.get(name) or "") > most:
            return f"Trường {name} vượt quá {most} ký tự"
    return None


def _times(item: Mapping[str, Any], names: Iterable[str]) -> str | None:
    for name in names:
        text = item.get(name) or ""
        if text and not _is_time(text):
            return f"Trường {name} sai định dạng yyyyMMddHHmmss"
    return None


def _is_time(text: str) -> bool:
    if not re.fullmatch(r"\d{14}", text, re.ASCII):
        return False
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - only whether it is one
    except ValueError:
        return False
    return True


def _values(item: Mapping[str, Any], allowed: Mapping[str, frozenset[str]]) -> str | None:
    for name, known in allowed.items():
        value = item.get(name)
        if value not in {None, ""} and value not in known:
            return f"Trường {name} không hợp lệ"
    return None


def _code(item: Mapping[str, Any]) -> str | None:
    known = _CODE.fullmatch(item["MaHoSo"])
    return None if known else "Trường MaHoSo không hợp lệ"


def _row_faults(item: Mapping[str, Any]) -> str | None:
    for name in _NO_TEXTS:
        rows = item.get(name) or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return f"Trường {name} không hợp lệ"
        limited, most = _ROW_LIMITS.get(name, ("", 0))
        for row in rows:
            if limited and len(str(row.get(limited) or "")) > most:
                return f"Trường {limited} vượt quá {most} ký tự"
            fault = _values(row, _ROW_VALUES.get(name, {}))
            if fault:
                return fault
    return None
