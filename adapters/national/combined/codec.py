"""The combined service: statuses told in one order, answers that are sentences.

Sources: public clients of a one-stop product and of Gia Lai's operators.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal

import orjson
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from adapters.national.model import Part, says
from adapters.national.port import CallContext, Json
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    garbage,
    good,
    object_of,
    parse_json,
    post,
    refusal,
    words,
)
from schemas.errors import PartnerUnavailable
from schemas.vietnam import VIETNAM

RECEIVED, SUPPLEMENT, IN_ORDER, RESULT, RETURNED, REFUSED, HANDED_OVER = range(1, 8)
"""1 tiếp nhận, 2 yêu cầu bổ sung, 3 đủ điều kiện, 4 có kết quả, 5 trả kết quả, 6 từ chối,
7 đã chuyển cán bộ tư pháp."""

ORDER = (RECEIVED, IN_ORDER, HANDED_OVER, RESULT, RETURNED)
"""A status counts only after all before it: without 1, 3 and 7 the result never arrives."""


class Meaning(Enum):
    DONE = "told"
    IGNORED = "ignored"  # nothing more can be done, and nothing needs to
    RETRY = "retry"  # certainly not taken
    UNKNOWN = "unknown"  # perhaps taken
    FAILED = "failed"


SENTENCES: tuple[tuple[str, Meaning], ...] = (
    ("logic xử lý không hợp lệ", Meaning.FAILED),
    ("không thành công", Meaning.FAILED),
    ("chưa cập nhật trạng thái", Meaning.RETRY),
    ("chưa được gửi không thể cập nhật trạng thái", Meaning.RETRY),
    ("có lỗi trong quá trình thêm mới", Meaning.UNKNOWN),
    ("client received soap fault", Meaning.UNKNOWN),
    ("server error", Meaning.UNKNOWN),
    ("đã trả kết quả, không được cập nhật trạng thái", Meaning.IGNORED),
    ("đã có kết quả xử lý", Meaning.IGNORED),
    ("đã hoàn thành đăng ký", Meaning.IGNORED),
    ("bị từ chối. không thể cập nhật trạng thái", Meaning.IGNORED),
    ("đã tồn tại trong một cửa điện tử", Meaning.IGNORED),
    ("không tồn tại", Meaning.IGNORED),
    ("thành công", Meaning.DONE),
)
"""The protocol: what a sentence contains says what it means, the first that fits."""

MODULES = {"2.000986": "LTKS", "2.001023": "LTKS", "1.011733": "LTKT"}
"""By procedure (mã TTHC): births, deaths."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,60}$")]
Line = Annotated[str, StringConstraints(max_length=1000)]


class CombinedConfig(NationalConfig):
    service: Literal["combined"] = "combined"
    update_path: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]+$")] = Field(
        "api/lienthongdvclt/capNhatTrangThai", description="where statuses are told"
    )


class DossierQuestion(Part):
    dossier: Code  # soHoSoLT


class StatusUpdate(Part):
    procedure: Code  # maTTHC
    combined_dossier: Code  # soHoSoLT: the national number
    dossier: Code  # maHoSo: the local one
    agency: int  # coQuanXuLy
    status: int = Field(ge=1, le=7)
    told: tuple[int, ...] | None = None
    """Statuses that were told before, to be checked for what is missing; none: not checked."""
    at: AwareDatetime  # thoiGianThucHien
    note: Line = ""
    content: Line = ""  # noiDungXuLy
    handler: Line = ""
    position: Line = ""
    department: Line = ""
    started: AwareDatetime | None = None
    due: AwareDatetime | None = None
    promised_before: AwareDatetime | None = None
    promised_now: AwareDatetime | None = None
    supplement_due: AwareDatetime | None = None
    result: dict[str, Any] | None = None  # ketQuaXuLy, with status 4

    @model_validator(mode="after")
    def _in_order(self) -> StatusUpdate:
        if (self.result is not None) != (self.status == RESULT):
            msg = "a result belongs to status 4, and to no other"
            raise ValueError(msg)
        if self.told is not None and (lacking := missing(self.told, self.status)):
            msg = f"statuses {', '.join(map(str, lacking))} must be told first"
            raise ValueError(msg)
        return self


class Dossier(Part):
    module: str | None  # LTKS, LTKT, where the procedure is known
    dossier: Json
    """As the service writes it."""


class Told(Part):
    effect: Literal["told", "ignored"]
    said: str


def operations(config: CombinedConfig) -> tuple[Operation[Any, Any], ...]:
    return (
        Operation(
            "dossier",
            "Hồ sơ liên thông",
            "A combined dossier",
            DossierQuestion,
            Dossier,
            _ask_dossier,
            read_dossier,
            subjects=("dossier",),
        ),
        Operation(
            "tellStatus",
            "Cập nhật trạng thái hồ sơ liên thông",
            "Tell the status of a combined dossier",
            StatusUpdate,
            Told,
            partial(_tell, config.update_path),
            read_told,
        ),
    )


def missing(told: Collection[int], status: int) -> tuple[int, ...]:
    """What must be told before `status` counts, in order. Requests and refusals wait for 1."""
    before = ORDER[: ORDER.index(status)] if status in ORDER else ORDER[:1]
    return tuple(each for each in before if each not in told)


def _ask_dossier(ask: DossierQuestion, _: CallContext) -> Request:
    return Request("GET", f"api/lienthongdvclt/hosolienthong/{ask.dossier}")


def _tell(path: str, ask: StatusUpdate, _: CallContext) -> Request:
    return post(
        path,
        {
            "maTTHC": ask.procedure,
            "soHoSoLT": ask.combined_dossier,
            "coQuanXuLy": ask.agency,
            "maHoSo": ask.dossier,
            "trangThai": ask.status,
            "thoiGianThucHien": _time(ask.at),
            "ghiChu": ask.note,
            "ketQuaXuLy": orjson.dumps(ask.result).decode() if ask.result is not None else None,
            "nguoiXuLy": ask.handler,
            "chucDanh": ask.position,
            "phongBanXuLy": ask.department,
            "noiDungXuLy": ask.content,
            "ngayBatDau": _time(ask.started),
            "ngayKetThucTheoQuyDinh": _time(ask.due),
            "ngayHenTraTruoc": _time(ask.promised_before),
            "ngayHenTraMoi": _time(ask.promised_now),
            "hanBoSungHoSo": _time(ask.supplement_due),
        },
    )


def _time(at: datetime | date | None) -> str:
    """dd/MM/yyyy HH:mm:ss in Vietnam."""
    return f"{at.astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}" if isinstance(at, datetime) else ""


def read_dossier(answer: Answer) -> Dossier:
    """Raises PartnerError."""
    found = object_of(answer)
    inner = found.get("data")
    dossier = inner if isinstance(inner, dict) else found
    return Dossier(module=MODULES.get(str(dossier.get("maTTHC"))), dossier=dossier)


def read_told(answer: Answer) -> Told:
    """By the sentence, whatever the HTTP status. Raises PartnerError."""
    said = _sentence(answer)
    meaning = judge(said)
    match meaning:
        case Meaning.DONE | Meaning.IGNORED:
            effect: Literal["told", "ignored"] = "told" if meaning is Meaning.DONE else "ignored"
            return Told(effect=effect, said=words(said))
        case Meaning.FAILED:
            raise refusal("", said)
        case Meaning.RETRY:
            raise PartnerUnavailable(
                f"the combined service does not take it yet: {words(said)}",
                vi=f"Dịch vụ liên thông chưa nhận: {words(said)}",
            )
        case Meaning.UNKNOWN:
            raise garbage(f"an error: {words(said)}", f"lỗi: {words(said)}")
    good(answer)
    raise garbage("an unknown sentence", "một câu không rõ nghĩa")


def judge(said: str) -> Meaning | None:
    """None: a sentence that is not known."""
    return next((meaning for part, meaning in SENTENCES if says(said, part)), None)


def _sentence(answer: Answer) -> str:
    """Out of `{errors: {field: [...]}, title, message}`, or the text itself."""
    text = answer.body.decode("utf-8", "replace")
    if not text.lstrip().startswith("{"):
        return text[:2000]
    found = parse_json(answer.body)
    errors = found.get("errors")
    listed = errors.values() if isinstance(errors, dict) else [errors] if errors else []
    parts = [each for value in listed for each in (value if isinstance(value, list) else [value])]
    parts += [found.get(name) for name in ("message", "title", "detail")]
    return ". ".join(str(each) for each in parts if each)
