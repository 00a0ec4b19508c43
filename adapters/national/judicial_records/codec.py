"""Judicial records: dossiers in, states and dossiers fetched by poll and acknowledged one by one.

Sources: public clients of Quảng Bình (apiLyLichTuPhap) and of a one-stop product (v2, VNeID).
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from adapters.national.model import Part, blank_is_none, iso_day, says
from adapters.national.port import CallContext, Json
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    garbage,
    object_of,
    post,
    refusal,
)

_STALE = "không thể cập nhật lên trạng thái"
"""The record is further already: what was to be told is known."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^;\s]+$")]
Form = dict[str, Any]


class JudicialRecordsConfig(NationalConfig):
    service: Literal["judicial-records"] = "judicial-records"
    good_codes: tuple[str, ...] = Field(
        ("1", "00"), min_length=1, description="values of STATUS and statusCode that mean success"
    )


class Submission(Part):
    unit: Text  # idMinistryJustice
    dossier: Text  # idReceivedDec: số phiếu tiếp nhận, never used twice
    received: date
    promised: date
    receipt: str = ""  # số biên lai
    declaration: Annotated[Form, Field(min_length=1)]  # declarationWSForm
    residences: tuple[Form, ...] = ()  # residenceWSForm
    mandator: Form | None = None  # mandatorWSForm: người ủy quyền


class StateQuestion(Part):
    dossier: Text
    identity_number: str = ""  # asked for where the dossier did not come through a one-stop desk


class WaitingStates(Part):
    one_stop: bool = True


class WaitingDossiers(Part):
    channel: Literal["online", "counter"]


class Acknowledgement(Part):
    """Only what is safely kept is acknowledged: it is not told again."""

    kind: Literal["states", "online", "counter"]
    ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=200)]


class CatalogueQuestion(Part):
    catalogue: Literal["places", "nationalities", "ethnicities", "agencies", "units"]


class Report(Part):
    """What became of a dossier that came from VNeID."""

    province: Text
    province_name: str = ""
    dossier: Text
    status: int = Field(ge=1, le=10)  # as of dossiers
    status_name: str = ""
    reason: str = ""
    promised: date | None = None
    number: str = ""  # soPhieuLLTP
    paper: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]*$")] = ""  # base64


class Submitted(Part):
    id: str


class State(Part):
    id: str | None
    dossier: str | None
    status: int | None  # 3 received, 4 being processed, 5 the paper is there
    name: str | None
    approved: str | None  # ISO date
    issued: str | None


class States(Part):
    items: tuple[State, ...]


class Items(Part):
    items: tuple[Json, ...]
    """As the ministry writes them."""


class Done(Part):
    stale: bool = False
    """The ministry was further already."""


def operations(config: JudicialRecordsConfig) -> tuple[Operation[Any, Any], ...]:
    codes = frozenset(config.good_codes)
    return (
        Operation(
            "submit",
            "Gửi hồ sơ đề nghị cấp phiếu",
            "Apply for a record",
            Submission,
            Submitted,
            _submit,
            partial(read_submitted, codes),
            idempotent=False,
            personal=True,
        ),
        Operation(
            "state",
            "Trạng thái hồ sơ",
            "How far a dossier is",
            StateQuestion,
            State,
            _ask_state,
            partial(read_state, codes),
            subjects=("identityNumber", "dossier"),
        ),
        Operation(
            "waitingStates",
            "Danh sách trạng thái chưa nhận",
            "States not acknowledged yet",
            WaitingStates,
            States,
            _ask_states,
            partial(read_states, codes),
        ),
        Operation(
            "waitingDossiers",
            "Danh sách hồ sơ chưa nhận",
            "Dossiers not acknowledged yet",
            WaitingDossiers,
            Items,
            _ask_dossiers,
            partial(read_items, codes),
            personal=True,
        ),
        Operation(
            "acknowledge",
            "Xác nhận đã nhận",
            "Acknowledge what was fetched",
            Acknowledgement,
            Done,
            _acknowledge,
            partial(read_done, codes),
        ),
        Operation(
            "report",
            "Trả kết quả hồ sơ từ VNeID",
            "Tell what became of a dossier from VNeID",
            Report,
            Done,
            _report,
            partial(read_done, codes),
            personal=True,
        ),
        Operation(
            "catalogue",
            "Danh mục",
            "A catalogue of the ministry",
            CatalogueQuestion,
            Items,
            _ask_catalogue,
            partial(read_items, codes),
        ),
    )


def _day(day: date | None) -> str:
    return f"{day:%d/%m/%Y}" if day else ""


def _submit(ask: Submission, _: CallContext) -> Request:
    return post(
        "nhanHoSoDangKy",
        {
            "idMinistryJustice": ask.unit,
            "idReceivedDec": ask.dossier,
            "dateReceivedDec": _day(ask.received),
            "datePromissoryDec": _day(ask.promised),
            "idMoneyReceipt": ask.receipt,
            "declarationWSForm": ask.declaration,
            "residenceWSForm": list(ask.residences),
            "mandatorWSForm": ask.mandator or {},
        },
    )


def _ask_state(ask: StateQuestion, _: CallContext) -> Request:
    """infoType: 1 not through a one-stop desk, 2 through one."""
    question = {"idReceivedDec": ask.dossier, "infoType": "1" if ask.identity_number else "2"}
    if ask.identity_number:
        question["identifyNo"] = ask.identity_number
    return post("traTrangThaiHs", question)


def _ask_states(ask: WaitingStates, _: CallContext) -> Request:
    return post("traDsTrangThaiHs", {"infoType": "2" if ask.one_stop else "1"})


def _ask_dossiers(ask: WaitingDossiers, _: CallContext) -> Request:
    return post("traHoSo", {"infoType": "1" if ask.channel == "online" else "2"})


def _acknowledge(ask: Acknowledgement, _: CallContext) -> Request:
    """InfoType numbers its kinds otherwise than traHoSo does."""
    kind = {"counter": "1", "states": "2", "online": "3"}[ask.kind]
    return post("danhDauHsThanhCong", {"declarationId": ";".join(ask.ids), "infoType": kind})


def _report(ask: Report, _: CallContext) -> Request:
    paper = {"soPhieuLLTP": ask.number, "phieuLLTP": ask.paper} if ask.number else None
    return post(
        "v2/lyLichTuPhap/traKetQuaHoSoLLTP",
        {
            "maTinh": ask.province,
            "tenTinh": ask.province_name,
            "maHoSoMCDT": ask.dossier,
            "trangThaiXuLy": ask.status,
            "tenTrangThaiXuLy": ask.status_name,
            "lyDoTuChoi": ask.reason,
            "ngayHenTraKetQua": _day(ask.promised),
            "ketQuaXuLy": paper,
        },
    )


_CATALOGUES = ("places", "nationalities", "ethnicities", "agencies", "units")


def _ask_catalogue(ask: CatalogueQuestion, _: CallContext) -> Request:
    return post("traDanhMuc", {"infoType": str(_CATALOGUES.index(ask.catalogue) + 1)})


def read_submitted(codes: frozenset[str], answer: Answer) -> Submitted:
    """Raises PartnerError."""
    found = blank_is_none(_told(codes, answer).get("ID"))
    if found is None:
        raise garbage("no ID", "không có ID")
    return Submitted(id=found)


def read_state(codes: frozenset[str], answer: Answer) -> State:
    """Raises PartnerError."""
    return _state(_told(codes, answer))


def read_states(codes: frozenset[str], answer: Answer) -> States:
    """Raises PartnerError."""
    return States(items=tuple(_state(each) for each in _list(_told(codes, answer))))


def read_items(codes: frozenset[str], answer: Answer) -> Items:
    """Raises PartnerError."""
    return Items(items=tuple(_list(_told(codes, answer))))


def read_done(codes: frozenset[str], answer: Answer) -> Done:
    """Raises PartnerError."""
    found = object_of(answer)
    if says(_words(found), _STALE):
        return Done(stale=True)
    _judge(codes, found)
    return Done()


def _told(codes: frozenset[str], answer: Answer) -> Json:
    found = object_of(answer)
    _judge(codes, found)
    return found


def _judge(codes: frozenset[str], found: Json) -> None:
    """Raises PartnerRefused, PartnerGarbage."""
    given = found.get("STATUS", found.get("statusCode"))
    if given is None:
        raise garbage("no STATUS", "không có STATUS")
    code = str(given).strip()
    if code not in codes:
        raise refusal(code[:20], _words(found))


def _words(found: Json) -> str:
    return str(found.get("DESCRIPTION") or found.get("errorDetail") or "")


def _list(found: Json) -> list[Json]:
    rows = found.get("LISTCONTENT") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise garbage("no LISTCONTENT", "không có LISTCONTENT")
    return rows


def _state(row: Json) -> State:
    status = str(row.get("DEC_STATUS_ID") or "").strip()
    return State(
        id=blank_is_none(row.get("DECLARATION_ID")),
        dossier=blank_is_none(row.get("RECEIVE_NO")),
        status=int(status) if status.isascii() and status.isdigit() else None,
        name=blank_is_none(row.get("DEC_STATUS_NAME")),
        approved=iso_day(str(row.get("APPROVE_DATE") or "")),
        issued=iso_day(str(row.get("ISSUE_DATE") or "")),
    )
