"""Dossiers and steps as the portal writes them: one table of fields, read and written; no I/O.

Services DongBoHoSoMC and CapNhatTienDoHoSoMC. Values are texts, but for the counts and the one
boolean that the portal types otherwise; times `yyyyMMddHHmmss` of Vietnam, "" where there is none.
Reading puts up with numbers, booleans and null; what is no field of the portal is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from functools import reduce
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from schemas.dossier import DossierRecord, Form, Step
from schemas.dossier.life import STATUS_NUMBERS
from schemas.errors import InvalidRequest


class As(Enum):
    """How a value is written."""

    TEXT = auto()
    TIME = auto()  # yyyyMMddHHmmss
    NUMBER = auto()  # "4"
    STATUS = auto()  # "4", or whatever the sender's own status is
    FLAG = auto()  # "0" or "1"
    TRUTH = auto()  # "True" or "False"
    COUNT = auto()  # a JSON number
    BOOLEAN = auto()  # a JSON boolean


class Field(NamedTuple):
    name: str  # the portal's
    path: str  # canonical attribute, dotted
    form: As = As.TEXT
    absent: str = ""  # what its absence means


class Rows(NamedTuple):
    """A list of parts."""

    name: str
    path: str
    columns: tuple[Field | Rows, ...]


Columns = tuple[Field | Rows, ...]

_PAPER: Columns = (
    Field("TepDinhKemId", "id"),
    Field("TenTepDinhKem", "name"),
    Field("IsDeleted", "deleted", As.TRUTH),
    Field("MaThanhPhanHoSo", "component"),
    Field("DuongDanTaiTepTin", "url"),
    Field("DuocSoHoa", "digitised", As.FLAG),
    Field("DuocTaiSuDung", "reuse", As.NUMBER),
    Field("DuocLayTuKhoDMQG", "from_national_store", As.FLAG),
    Field("MaKetQuaThayThe", "replacing_result"),
)
_FEE: Columns = (
    Field("TenPhiLePhi", "name"),
    Field("MaPhiLePhi", "code"),
    Field("HinhThucThu", "collected_at", As.NUMBER),
    Field("Gia", "amount", As.NUMBER),
    Field("LoaiPhiLePhi", "kind", As.NUMBER),
)
_SUPPLEMENT: Columns = (
    Field("HoSoBoSungId", "id"),
    Field("NguoiYeuCauBoSung", "asked_by"),
    Field("NoiDungBoSung", "request"),
    Field("NgayBoSung", "asked_at", As.TIME),
    Field("NguoiTiepNhanBoSung", "received_by"),
    Field("ThongTinTiepNhan", "received_note"),
    Field("NgayTiepNhanBoSung", "received_at", As.TIME),
    Field("TrangThaiBoSung", "complete", As.BOOLEAN),
    Rows("DanhSachGiayToBoSung", "papers", _PAPER),
    Rows("DanhSachLePhiBoSung", "fees", _FEE),
    Field("NgayHenTraTruoc", "due_before", As.TIME),
    Field("NgayHenTraMoi", "due_after", As.TIME),
)
RECORD: Columns = (
    Field("MaHoSo", "code"),
    Field("MaTTHC", "procedure"),
    Field("TenTTHC", "procedure_name"),
    Field("MaLinhVuc", "sector"),
    Field("TenLinhVuc", "sector_name"),
    Field("SoBienNhan", "receipt_number"),
    Field("KenhThucHien", "channel", As.NUMBER, absent="1"),
    Field("SoGiayToChuHoSo", "applicant.paper_number"),
    Field("ChuHoSo", "applicant.name"),
    Field("LoaiDoiTuong", "applicant.kind", As.NUMBER),
    Field("MaDoiTuong", "applicant.account"),
    Field("ThongTinKhac", "other_information"),
    Field("Email", "applicant.email"),
    Field("Fax", "applicant.fax"),
    Field("SoDienThoai", "applicant.phone"),
    Field("TrichYeuHoSo", "summary"),
    Field("NgayTiepNhan", "received", As.TIME),
    Field("NgayHenTra", "due", As.TIME),
    Field("TrangThaiHoSo", "status", As.STATUS),
    Field("NgayTra", "returned", As.TIME),
    Field("ThongTinTra", "return_note"),
    Field("HinhThuc", "by_post", As.FLAG),
    Field("NgayKetThucXuLy", "finished", As.TIME),
    Field("DonViXuLy", "agency_name"),
    Field("GhiChu", "note"),
    Rows("TaiLieuNop", "submitted_papers", _PAPER),
    Rows("DanhSachLePhi", "fees", _FEE),
    Rows(
        "DanhSachTepDinhKemKhac",
        "listed_papers",
        (
            Field("TenGiayTo", "name"),
            Field("SoLuong", "count", As.COUNT),
            Field("LoaiGiayTo", "kind", As.COUNT),
        ),
    ),
    Rows("DanhSachHoSoBoSung", "supplements", _SUPPLEMENT),
    Rows(
        "DanhSachGiayToKetQua",
        "result_papers",
        (
            Field("TenGiayTo", "name"),
            Field("MaThanhPhanHoSo", "component"),
            Field("GiayToId", "id"),
            Field("DuongDanTepTinKetQua", "url"),
            Field("MaGiayToKetQua", "result_code"),
        ),
    ),
    Field("NoiNopHoSo", "origin", As.NUMBER),
    Field("HoSoCoThanhPhanSoHoa", "has_digitised", As.FLAG),
    Field("TaiKhoanDuocXacThucVoiVNeID", "verified_account", As.FLAG),
    Field("DuocThanhToanTrucTuyen", "online_payment", As.NUMBER),
    Field("NgayTuChoi", "refused", As.TIME),
    Rows(
        "DinhDanhCHS",
        "applicant.identities",
        (Field("LoaiDinhDanh", "kind", As.NUMBER), Field("SoDinhDanh", "number")),
    ),
    Field("NgayNopHoSo", "submitted", As.TIME),
    Rows("DSKetNoiCSDL", "databases", (Field("MaCSDL", ""),)),
)
STEP: Columns = (
    Field("MaHoSo", "code"),
    Field("NguoiXuLy", "by"),
    Field("ChucDanh", "title"),
    Field("ThoiDiemXuLy", "at", As.TIME),
    Field("PhongBanXuLy", "department"),
    Field("NoiDungXuLy", "content"),
    Field("TrangThai", "status", As.STATUS),
    Field("NgayBatDau", "started", As.TIME),
    Field("NgayKetThucTheoQuyDinh", "due", As.TIME),
)


# ---- writing


def write_record(record: DossierRecord) -> dict[str, Any]:
    """One element of `data` of DongBoHoSoMC.

    The portal has no field for the agency's code, the national number and the applicant's commune.
    """
    return _write(record, RECORD)


def write_step(step: Step) -> dict[str, Any]:
    """One element of `data` of CapNhatTienDoHoSoMC; the step's own id has no field there."""
    return _write(step, STEP)


def _write(part: object, columns: Columns) -> dict[str, Any]:
    return {column.name: _written(_at(part, column.path), column) for column in columns}


def _at(part: object, path: str) -> Any:
    """The part itself for an empty path: a row of one code."""
    return reduce(getattr, path.split("."), part) if path else part


def _written(value: Any, column: Field | Rows) -> Any:
    if isinstance(column, Rows):
        return [_write(row, column.columns) for row in value]
    match column.form:
        case As.TIME:
            return Form.COMPACT.write(value)
        case As.NUMBER | As.STATUS:
            return f"{value:d}"
        case As.FLAG:
            return "1" if value else "0"
        case As.TRUTH:
            return "True" if value else "False"
        case _:
            return value


# ---- reading


def read_record(item: object, *, agency: str) -> DossierRecord:
    """`agency` is the code of the one that handles it, which the portal's fields do not tell.

    Raises InvalidRequest that names the portal's field and never repeats a value.
    """
    return _read(item, RECORD, DossierRecord, {"agency": agency})


def read_step(item: object) -> Step:
    """Raises InvalidRequest as `read_record` does."""
    return _read(item, STEP, Step, {})


Model = TypeVar("Model", bound=BaseModel)


def _read(item: object, columns: Columns, model: type[Model], more: dict[str, Any]) -> Model:
    if not isinstance(item, Mapping):
        raise wrong_field("data", "phải là danh sách các đối tượng", "must be a list of objects")
    try:
        return model.model_validate(_values(item, columns) | more)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        loc = tuple(to_camel(each) if isinstance(each, str) else each for each in fault["loc"])
        name = _name_of(loc, columns)  # pydantic gives the attribute or its alias
        raise wrong_field(name, _reason(fault), str(fault["msg"])) from None


def _values(item: Mapping[str, Any], columns: Columns, prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in columns:
        given = item.get(column.name)
        if _blank(given):
            given = column.absent if isinstance(column, Field) else ""
        if given == "":
            continue
        name = prefix + column.name
        read = _rows(given, column, name) if isinstance(column, Rows) else _one(given, column, name)
        path = column.path
        if isinstance(column, Field) and column.form is As.STATUS and isinstance(read, str):
            path = "local_status"
        head, dot, tail = path.partition(".")
        if dot:
            values.setdefault(head, {})[tail] = read
        else:
            values[head] = read
    return values


def _rows(given: object, rows: Rows, name: str) -> list[Any]:
    if not isinstance(given, list) or not all(isinstance(row, Mapping) for row in given):
        raise wrong_field(name, "phải là danh sách các đối tượng", "must be a list of objects")
    read = [
        _values(row, rows.columns, f"{name}[{number}].")
        for number, row in enumerate(given)
        if not _empty(row)
    ]
    return [row.get("", row) for row in read]


def _empty(row: Mapping[str, Any]) -> bool:
    """A line of a template, which says nothing beside its number."""
    return all(_blank(value) for name, value in row.items() if not name.endswith("Id"))


def _blank(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _one(given: object, column: Field, name: str) -> Any:
    text = str(given).strip()
    match column.form:
        case As.TIME:
            try:
                return Form.COMPACT.read(text)
            except ValueError:
                en = "must be a time yyyyMMddHHmmss"
                raise wrong_field(name, "phải là thời điểm yyyyMMddHHmmss", en) from None
        case As.NUMBER | As.COUNT:
            return int(text) if text.isascii() and text.lstrip("-").isdigit() else text
        case As.STATUS:
            return int(text) if text in STATUS_NUMBERS else text
        case As.FLAG | As.TRUTH | As.BOOLEAN:
            return _TRUTHS.get(text.lower(), text)
        case _:
            return text


_TRUTHS = {"1": True, "true": True, "0": False, "false": False}

_REASONS = {
    "missing": "bắt buộc phải có",
    "string_too_short": "bắt buộc phải có, không được để trống",
    "string_too_long": "dài quá {max_length} ký tự",
    "too_long": "quá {max_length} mục",
}


def _reason(fault: Mapping[str, Any]) -> str:
    known = _REASONS.get(fault["type"], "giá trị không hợp lệ")
    return known.format(**fault.get("ctx", {}))


def wrong_field(name: str, vi: str, en: str) -> InvalidRequest:
    return InvalidRequest(f"Field {name}: {en}", vi=f"Trường {name}: {vi}", field=name)


# ---- names of fields


def _name_of(loc: tuple[int | str, ...], columns: Columns) -> str:
    """The portal's name of where a validation failed: `DanhSachLePhi[0].Gia`."""
    for column in columns:
        path = tuple(map(to_camel, column.path.split("."))) if column.path else ()
        if loc == ("localStatus",) and path == ("status",):
            return column.name
        if loc[: len(path)] != path:
            continue
        rest = loc[len(path) :]
        if isinstance(column, Field) or len(rest) < 1:
            return column.name
        row = f"{column.name}[{rest[0]}]"
        return f"{row}.{_name_of(rest[1:], column.columns)}" if len(rest) > 1 else row
    return ".".join(map(str, loc))


def _names(columns: Columns, prefix: str = "") -> Iterator[tuple[str, str]]:
    for column in columns:
        path = prefix + ".".join(map(to_camel, column.path.split(".")))
        yield column.name, path.rstrip(".")
        if isinstance(column, Rows):
            yield from _names(column.columns, f"{path}.")


CANONICAL: Mapping[str, str] = dict(reversed([*_names(STEP), *_names(RECORD)]))
"""What the portal's field is called in the bus's API; of a name in several places, the outermost
of the record."""
