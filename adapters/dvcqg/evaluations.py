"""Evaluations (DongBoDanhGia) as the portal writes them; no I/O."""

from __future__ import annotations

from typing import Any

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
