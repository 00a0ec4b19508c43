"""Catalogues of the simulated portal: a few invented entries of each, in the portal's columns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Row = Mapping[str, Any]

_PROCEDURES = (
    ("1.000656", "Đăng ký khai tử", "G15-HT01", "Hộ tịch", 1, 8_000),
    ("1.001193", "Đăng ký khai sinh", "G15-HT01", "Hộ tịch", 1, 0),
    ("1.004884", "Đăng ký lại khai sinh", "G15-HT01", "Hộ tịch", 5, 8_000),
    ("1.003003", "Đăng ký và cấp Giấy chứng nhận quyền sử dụng đất", "G17-DD01", "Đất đai", 30, 0),
    ("2.001610", "Đăng ký thành lập doanh nghiệp tư nhân", "G08-DN01", "Doanh nghiệp", 3, 50_000),
    ("1.009994", "Cấp giấy phép xây dựng mới", "G18-XD01", "Hoạt động xây dựng", 20, 150_000),
)


def _named(suffix: str, *names: str) -> tuple[Row, ...]:
    return tuple(
        {f"MA{suffix}": str(number), f"TEN{suffix}": name}
        for number, name in enumerate(names, start=1)
    )


CATALOGUES: Mapping[str, tuple[Row, ...]] = MappingProxyType(
    {
        "LayDanhMucGioiTinh": _named("GIOITINH", "Nam", "Nữ", "Khác"),
        "LayDanhMucTinhThanh": _named("TINHTHANH", "Tỉnh Mẫu"),
        "LayDanhMucQuanHuyen": (),
        "LayDanhMucPhuongXa": _named("PHUONGXA", "Phường Mẫu", "Xã Suối Mẫu"),
        "LayDanhMucCoQuan": (
            {"MADONVI": "000.00.00.H99", "TENDONVI": "UBND tỉnh Mẫu", "CAPDONVI": "2"},
            {"MADONVI": "000.00.19.H99", "TENDONVI": "Sở Tư pháp", "CAPDONVI": "3"},
        ),
        "LayDanhMucQuocGia": _named("QUOCGIA", "Việt Nam"),
        "LayDanhMucDanToc": _named("DANTOC", "Kinh", "Tày", "Thái"),
        "LayDanhMucTonGiao": _named("TONGIAO", "Không", "Phật giáo", "Công giáo"),
        "LayDanhMucTinhTrangHonNhan": _named("TINHTRANG", "Chưa kết hôn", "Đã kết hôn"),
        "LayDanhMucDoiTuong": _named("DOITUONG", "Công dân Việt Nam", "Doanh nghiệp"),
        "LayDanhMucLinhVuc": tuple(
            {"MALINHVUC": code, "TENLINHVUC": name, "MANGANH": code.split("-", 1)[0]}
            for code, name in sorted({(row[2], row[3]) for row in _PROCEDURES})
        ),
        "LayDanhMucCapThucHien": _named("CAPTHUCHIEN", "Cấp Bộ", "Cấp tỉnh", "Cấp xã"),
        "LayDanhMucCanCuPhapLy": ({"SOVANBAN": "60/2014/QH13", "TENVANBAN": "Luật Hộ tịch"},),
        "LayDanhMucLePhi": ({"MAPHILEPHI": "1", "TENPHILEPHI": "Lệ phí"},),
        "LayDanhSachTTHC": tuple({"MATTHC": row[0], "TENTTHC": row[1]} for row in _PROCEDURES),
    }
)


def procedure(code: str) -> Row | None:
    """result[0] of LayThuTuc."""
    for matthc, name, sector, sector_name, days, fee in _PROCEDURES:
        if matthc == code:
            return {
                "TENTTHC": name,
                "MATTHC": matthc,
                "MACOQUANCONGBO": sector.split("-", 1)[0],
                "LINHVUCTHUCHIEN": [{"MALINHVUC": sector, "TENLINHVUC": sector_name}],
                "TRINHTUTHUCHIEN": [
                    {"TRUONGHOP": "", "TRINHTU": [{"TENTRINHTU": "Nộp hồ sơ; nhận kết quả"}]}
                ],
                "CACHTHUCTHUCHIEN": [_way(channel, days, fee) for channel in (1, 2, 3)],
                "YEUCAU": "",
                "DOITUONGTHUCHIEN": [{"TENDOITUONG": "Công dân Việt Nam"}],
                "KETQUATHUCHIEN": [{"MAKETQUA": "KQ.G15.000034", "TENKETQUA": "Kết quả"}],
                "CANCUPHAPLY": [{"SOVANBAN": "60/2014/QH13", "TENVANBAN": "Luật Hộ tịch"}],
                "TRANGTHAI": 1,
                "COQUANTHUCHIEN": [{"TENDONVI": "UBND tỉnh Mẫu", "MADONVI": "000.00.00.H99"}],
                "THANHPHANHOSO": [
                    {"GIAYTO": [{"MAGIAYTO": "1", "TENMAUDON": "", "URL": "", "TENGIAYTO": "Đơn"}]}
                ],
            }
    return None


def _way(channel: int, days: int, fee: int) -> Row:
    fees = [{"MAPHILEPHI": "1", "SOTIEN": str(fee), "DONVI": "Đồng", "MOTA": ""}] if fee else []
    time = {"THOIGIANGIAIQUYET": days, "DONVITINH": "Ngày làm việc", "MOTA": "", "PHILEPHI": fees}
    return {"KENH": channel, "THOIGIAN": [time]}


def services() -> list[Row]:
    """`result.data[]` of LayDVC."""
    return [
        {
            "MADVC": f"{row[0]}.000.00.00.H99",
            "TENDVC": row[1],
            "MATTHC": row[0],
            "TENTTHC": row[1],
            "TENCOQUANBANHANH": "UBND tỉnh Mẫu",
            "TENLINHVUC": row[3],
            "APDUNGDVC": [],
        }
        for row in _PROCEDURES
    ]
