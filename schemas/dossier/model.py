"""The canonical dossier (hồ sơ TTHC): what one-stop systems send and portals get.

Comments name the field of the national portal (service DongBoHoSoMC, CapNhatTienDoHoSoMC).
Limits are the portal's: what it would cut or refuse is refused here, with the field's name, and
nothing is ever filled in to please it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from schemas.agency import AgencyCode
from schemas.dossier.code import DossierCode
from schemas.dossier.life import BEFORE_RECEPTION, DossierStatus
from schemas.dossier.moments import Moment

MAX_ITEMS = 500  # of each list of a record


_PRINTABLE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$"
Text50 = Annotated[str, StringConstraints(max_length=50, pattern=_PRINTABLE)]
Text200 = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTABLE)]
Text500 = Annotated[str, StringConstraints(max_length=500, pattern=_PRINTABLE)]
Text1000 = Annotated[str, StringConstraints(max_length=1000, pattern=_PRINTABLE)]
Text2000 = Annotated[str, StringConstraints(max_length=2000, pattern=_PRINTABLE)]
Text4000 = Annotated[str, StringConstraints(max_length=4000, pattern=_PRINTABLE)]
Code = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f]*$", max_length=100)]
"""A code of a catalogue; local until a mapping has replaced it."""
LocalStatus = Annotated[str, StringConstraints(pattern=r"^(\S+( \S+)*)?$", max_length=100)]
"""Mã trạng thái nội bộ: a status in the sender's own words or numbers."""
RequiredCode = Annotated[Code, StringConstraints(min_length=1)]
Link = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s]+)?$", max_length=2000)]
"""Where a portal fetches a file; empty when there is none."""


class Part(BaseModel):
    """camelCase on the wire, unknown names refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        hide_input_in_errors=True,  # personal data
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Names of what is set, never the values: dossiers hold personal data."""
        return ((None, name) for name in sorted(self.model_fields_set))


class Channel(IntEnum):
    """Kênh thực hiện (KenhThucHien)."""

    COUNTER = 1  # trực tiếp
    ONLINE = 2  # trực tuyến
    POST = 3  # bưu chính công ích


class ApplicantKind(IntEnum):
    """Loại đối tượng (LoaiDoiTuong)."""

    CITIZEN = 1
    BUSINESS = 2
    STATE_AGENCY = 3
    OTHER = 4


class Origin(IntEnum):
    """Nơi nộp hồ sơ (NoiNopHoSo)."""

    NATIONAL_PORTAL = 1
    PROVINCIAL_SYSTEM = 2


class OnlinePayment(IntEnum):
    """Thanh toán trực tuyến (DuocThanhToanTrucTuyen)."""

    NO = 0
    NATIONAL_PORTAL = 1
    PROVINCIAL_PORTAL = 2
    NOT_YET_PAID = 3


class IdentityKind(IntEnum):
    """Loại định danh (LoaiDinhDanh)."""

    CITIZEN_CARD = 1  # CCCD, 12 digits
    OLD_CARD = 2  # CMND, 9 digits


class Reuse(IntEnum):
    """Tái sử dụng (DuocTaiSuDung)."""

    NO = 0
    YES = 1
    REPLACED = 2  # by a result, named in `replacing_result`


class CollectedAt(IntEnum):
    """Hình thức thu (HinhThucThu): the moment a fee is collected."""

    RECEPTION = 1
    SUPPLEMENT = 2
    RETURN = 4


class FeeKind(IntEnum):
    """Loại phí, lệ phí (LoaiPhiLePhi)."""

    ORDINARY = 1
    APPRAISAL = 2  # thẩm định, cấp phép
    RENEWAL = 3  # gia hạn


class Identity(Part):
    """Định danh chủ hồ sơ (DinhDanhCHS)."""

    kind: IdentityKind
    number: Annotated[str, StringConstraints(pattern=r"^\d+$")]

    @field_validator("number")
    @classmethod
    def _digits(cls, number: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if kind is not None and len(number) != (12 if kind is IdentityKind.CITIZEN_CARD else 9):
            msg = "a citizen card has 12 digits, an old card 9"
            raise ValueError(msg)
        return number


class Applicant(Part):
    """Chủ hồ sơ."""

    kind: ApplicantKind
    name: Text500 = ""  # ChuHoSo
    paper_number: Text200 = ""  # SoGiayToChuHoSo
    account: Text200 = ""  # MaDoiTuong: TechID of the portal account
    phone: Text200 = ""  # SoDienThoai
    email: Text200 = ""
    fax: Text200 = ""
    commune: Code = ""  # mã xã, phường of residence
    identities: Annotated[tuple[Identity, ...], Field(max_length=10)] = ()


class SubmittedPaper(Part):
    """Tài liệu nộp (TaiLieuNop)."""

    id: Text200 = ""  # TepDinhKemId
    name: Annotated[Text4000, StringConstraints(min_length=1)]  # TenTepDinhKem
    component: Code = ""  # MaThanhPhanHoSo
    url: Link = ""  # DuongDanTaiTepTin
    deleted: bool = False  # IsDeleted
    digitised: bool = False  # DuocSoHoa
    reuse: Reuse = Reuse.NO
    from_national_store: bool = False  # DuocLayTuKhoDMQG
    replacing_result: Code = ""  # MaKetQuaThayThe


class ListedPaper(Part):
    """Giấy tờ khác, on paper only (DanhSachTepDinhKemKhac)."""

    name: Annotated[Text4000, StringConstraints(min_length=1)]  # TenGiayTo
    count: int = Field(1, ge=0, le=9999)  # SoLuong
    kind: int = Field(1, ge=0, le=99)  # LoaiGiayTo


class ResultPaper(Part):
    """Giấy tờ kết quả (DanhSachGiayToKetQua)."""

    name: Annotated[Text2000, StringConstraints(min_length=1)]  # TenGiayTo
    component: Code = ""  # MaThanhPhanHoSo
    id: Text200 = ""  # GiayToId
    url: Link = ""  # DuongDanTepTinKetQua
    result_code: Code = ""  # MaGiayToKetQua, KQ.G15.000031


class Fee(Part):
    """Phí, lệ phí (DanhSachLePhi)."""

    code: RequiredCode  # MaPhiLePhi
    name: Annotated[Text500, StringConstraints(min_length=1)]  # TenPhiLePhi
    amount: int = Field(ge=0, le=10**15, description="đồng")  # Gia
    collected_at: CollectedAt = CollectedAt.RECEPTION
    kind: FeeKind = FeeKind.ORDINARY


class Supplement(Part):
    """Bổ sung hồ sơ (DanhSachHoSoBoSung): papers asked for, and whether they came."""

    id: Annotated[Text200, StringConstraints(min_length=1)]  # HoSoBoSungId
    asked_by: Text200 = ""  # NguoiYeuCauBoSung
    request: Annotated[Text2000, StringConstraints(min_length=1)]  # NoiDungBoSung
    asked_at: Moment  # NgayBoSung
    received_by: Text200 = ""  # NguoiTiepNhanBoSung
    received_note: Text2000 = ""  # ThongTinTiepNhan
    received_at: Moment | None = None  # NgayTiepNhanBoSung
    complete: bool = False  # TrangThaiBoSung
    papers: Annotated[tuple[SubmittedPaper, ...], Field(max_length=MAX_ITEMS)] = ()
    fees: Annotated[tuple[Fee, ...], Field(max_length=MAX_ITEMS)] = ()
    due_before: Moment | None = None  # NgayHenTraTruoc
    due_after: Moment | None = None  # NgayHenTraMoi


class DossierRecord(Part):
    """Hồ sơ TTHC: the whole current record. Its timeline travels apart, as steps."""

    code: DossierCode  # MaHoSo
    nation_code: Code = ""  # MaHoSoQG: the national or inter-agency number beside the local one
    receipt_number: Text200 = ""  # SoBienNhan
    procedure: RequiredCode  # MaTTHC
    procedure_name: Annotated[Text2000, StringConstraints(min_length=1)]  # TenTTHC
    sector: Code = ""  # MaLinhVuc
    sector_name: Text500 = ""  # TenLinhVuc
    agency: AgencyCode  # that handles it
    agency_name: Annotated[Text500, StringConstraints(min_length=1)]  # DonViXuLy
    channel: Channel
    origin: Origin = Origin.PROVINCIAL_SYSTEM
    applicant: Applicant
    summary: Annotated[Text1000, StringConstraints(min_length=1)]  # TrichYeuHoSo
    other_information: Text2000 = ""  # ThongTinKhac
    note: Text2000 = ""  # GhiChu
    local_status: LocalStatus = ""
    # TrangThaiHoSo; unmapped until a table translates `local_status`
    status: Annotated[DossierStatus, Field(validate_default=True)] = DossierStatus.UNMAPPED
    submitted: Moment | None = None  # NgayNopHoSo
    received: Annotated[Moment | None, Field(validate_default=True)] = None  # NgayTiepNhan
    due: Moment | None = None  # NgayHenTra
    finished: Moment | None = None  # NgayKetThucXuLy
    returned: Moment | None = None  # NgayTra
    refused: Moment | None = None  # NgayTuChoi
    return_note: Text2000 = ""  # ThongTinTra
    by_post: bool = False  # HinhThuc: the result goes out by post
    has_digitised: bool = False  # HoSoCoThanhPhanSoHoa
    verified_account: bool = False  # TaiKhoanDuocXacThucVoiVNeID
    online_payment: OnlinePayment = OnlinePayment.NO
    databases: Annotated[tuple[RequiredCode, ...], Field(max_length=MAX_ITEMS)] = ()  # DSKetNoiCSDL
    submitted_papers: Annotated[tuple[SubmittedPaper, ...], Field(max_length=MAX_ITEMS)] = ()
    listed_papers: Annotated[tuple[ListedPaper, ...], Field(max_length=MAX_ITEMS)] = ()
    result_papers: Annotated[tuple[ResultPaper, ...], Field(max_length=MAX_ITEMS)] = ()
    fees: Annotated[tuple[Fee, ...], Field(max_length=MAX_ITEMS)] = ()
    supplements: Annotated[tuple[Supplement, ...], Field(max_length=MAX_ITEMS)] = ()

    @field_validator("status")
    @classmethod
    def _told(cls, status: DossierStatus, info: ValidationInfo) -> DossierStatus:
        return _status_or_local(status, info)

    @field_validator("received")
    @classmethod
    def _reception(cls, received: Moment | None, info: ValidationInfo) -> Moment | None:
        status = info.data.get("status")
        own = info.data.get("local_status")  # judged when it was accepted, if it was understood
        if received is None and not own and status is not None and lacks_reception(status):
            msg = f"a dossier in status {status:d} has been received: the moment is needed"
            raise ValueError(msg)
        return received


class Step(Part):
    """Bước xử lý: one entry of a dossier's timeline (CapNhatTienDoHoSoMC)."""

    code: DossierCode  # MaHoSo
    at: Moment  # ThoiDiemXuLy
    by: Annotated[Text50, StringConstraints(min_length=1)]  # NguoiXuLy
    title: Text200 = ""  # ChucDanh
    department: Text500 = ""  # PhongBanXuLy
    content: Annotated[Text2000, StringConstraints(min_length=1)]  # NoiDungXuLy
    local_status: LocalStatus = ""
    # TrangThai; unmapped until a table translates `local_status`
    status: Annotated[DossierStatus, Field(validate_default=True)] = DossierStatus.UNMAPPED
    started: Moment | None = None  # NgayBatDau
    due: Moment | None = None  # NgayKetThucTheoQuyDinh
    id: Annotated[Code, Field(validate_default=True)] = ""

    @field_validator("status")
    @classmethod
    def _told(cls, status: DossierStatus, info: ValidationInfo) -> DossierStatus:
        return _status_or_local(status, info)

    @field_validator("id")
    @classmethod
    def _derived(cls, sent: str, info: ValidationInfo) -> str:
        """The sender's own number of the step; without one, the same step gets the same again."""
        if sent or not {"at", "status", "content"} <= info.data.keys():
            return sent
        status = info.data.get("local_status") or f"{info.data['status']:d}"
        told = f"{info.data['at'].isoformat()}\n{status}\n{info.data['content']}"
        return f"h-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def lacks_reception(status: DossierStatus) -> bool:
    """Whether a dossier in it, of which no reception is told, is told wrongly."""
    return status is not DossierStatus.UNMAPPED and status not in BEFORE_RECEPTION


def _status_or_local(status: DossierStatus, info: ValidationInfo) -> DossierStatus:
    if status is DossierStatus.UNMAPPED and not info.data.get("local_status"):
        msg = "a status 1-10 or the sender's own localStatus is needed"
        raise ValueError(msg)
    return status


Told = TypeVar("Told", DossierRecord, Step)
"""What agencies tell of dossiers."""


def as_told(item: Told) -> Told:
    """With the status as its sender told it, whatever it was taken to mean: for comparing."""
    told = item.local_status or f"{item.status:d}"
    return item.model_copy(update={"status": DossierStatus.UNMAPPED, "local_status": told})
