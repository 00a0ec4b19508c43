"""Evaluations (DongBoDanhGia) as the portal writes them, written and read; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import ValidationError

from adapters.portal_fields import wrong_field
from adapters.profiles import text_of
from schemas.flows import Evaluation, Shares

_SHARES = {
    "RatHaiLong": "very_satisfied",
    "HaiLong": "satisfied",
    "ChuaHaiLong": "unsatisfied",
}


def write_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """One element of `data`: the month as M-yyyy, percentages as texts, "" where nobody rated."""
    year, month = evaluation.month.split("-")
    return {
        "NgayTongHop": f"{int(month)}-{year}",
        "TongSoNguoiDanhGia": evaluation.total,
        **_shares("PhanTramDanhGia", evaluation.overall),
        "DanhSachNoiDungYKien": evaluation.comments,
        "MaThuTuc": evaluation.procedure,
        "NoiDung": evaluation.subject,
        **_shares("PhanTramDanhGiaDichVu", evaluation.service),
        "Madonvi": evaluation.agency,
        "TenDonVi": evaluation.agency_name,
    }


def _shares(prefix: str, shares: Shares | None) -> dict[str, str]:
    return {
        f"{prefix}{name}": "" if shares is None else f"{getattr(shares, attribute)}%"
        for name, attribute in _SHARES.items()
    }


def read_evaluation(item: object, *, until: date) -> Evaluation:
    """What a one-stop system has summed up itself, as of the day `until`, when it says so.

    Raises InvalidRequest that names the portal's field.
    """
    if not isinstance(item, Mapping):
        raise wrong_field("data", "phải là danh sách các đối tượng", "must be a list of objects")
    month, _, year = text_of(item.get("NgayTongHop")).partition("-")
    values = {name: text_of(item.get(field)) for name, field in _TEXTS.items()} | {
        "month": f"{year}-{month.zfill(2)}",
        "until": until.isoformat(),
        "total": text_of(item.get("TongSoNguoiDanhGia")),
        "overall": _read_shares(item, "PhanTramDanhGia"),
        "service": _read_shares(item, "PhanTramDanhGiaDichVu"),
    }
    try:
        return Evaluation.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = _NAMES.get(str(fault["loc"][0]), "data")
        raise wrong_field(name, "giá trị không hợp lệ", str(fault["msg"])) from None


_TEXTS = {
    "agency": "Madonvi",
    "agency_name": "TenDonVi",
    "procedure": "MaThuTuc",
    "subject": "NoiDung",
    "comments": "DanhSachNoiDungYKien",
}
_NAMES = {
    **_TEXTS,
    "agencyName": "TenDonVi",
    "month": "NgayTongHop",
    "total": "TongSoNguoiDanhGia",
    "overall": "PhanTramDanhGiaRatHaiLong",
    "service": "PhanTramDanhGiaDichVuRatHaiLong",
}


def _read_shares(item: Mapping[str, Any], prefix: str) -> dict[str, str] | None:
    """None where nothing is said; "60%" and "60" are one."""
    read = {
        attribute: text_of(item.get(f"{prefix}{name}")).removesuffix("%").strip()
        for name, attribute in _SHARES.items()
    }
    return read if any(read.values()) else None
