"""Civil status: JSON that carries a form as a text, which is XML or JSON in its turn.

Sources: public clients of Quảng Bình (apiHoTichTuPhap, XML inside) and Gia Lai (2025, JSON inside).
"""

from __future__ import annotations

import re
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal
from xml.sax.saxutils import escape

import orjson
from pydantic import Field, StringConstraints, model_validator

from adapters.national.model import Part, blank_is_none
from adapters.national.port import CallContext, Json
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    garbage,
    good,
    parse_json,
    post,
    refusal,
)
from schemas.errors import ConfigurationError, ContractMismatch, LgspError

_ERRORS = {
    "100": "AUTHEN_ERROR",
    "101": "IP_DISALLOWED",
    "106": "AGENCY_ID_INCORRECT",
    "108": "PROVINCE_ID_INCORRECT",
    "200": "RECORD_UNCOMPLETE",
    "201": "RECORD_NOT_FOUND",
    "302": "DATA_TYPE_INVALID",
    "500": "DATA_INCORRECT",
}
_OURS = frozenset({"100", "101"})  # the administrator's to mend, not the caller's
_NOT_YET, _UNKNOWN = "200", "201"
_NAME = re.compile(r"[^\W\d][\w.-]*")
_DEPTH = 16

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Unit = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$")]  # danh mục hành chính của BTP
Module = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,10}$")]


class CivilStatusConfig(NationalConfig):
    service: Literal["civil-status"] = "civil-status"
    form: Literal["json", "xml"] = Field(
        "json", description="what `data` holds; xml: the older gateways"
    )


class Registration(Part):
    unit: Unit  # maDonVi: nơi đăng ký
    module: Module  # BS bản sao, LTKS khai sinh, LTKT khai tử, LTKH kết hôn
    dossier: Text  # số phiếu tiếp nhận một cửa
    combined_dossier: str = ""  # maHoSoLT
    received: date
    form: Annotated[dict[str, Any], Field(min_length=1)]
    """The declaration, by the ministry's names."""

    @model_validator(mode="after")
    def _writable(self) -> Registration:
        _check(self.form, _DEPTH)
        return self


class DossierQuestion(Part):
    unit: Unit
    dossier: Text


class ChangesQuestion(Part):
    module: Module
    since: date  # ngayCapNhat


class RecordQuestion(Part):
    module: Module
    id: Text


class RecordsQuestion(Part):
    province: Unit
    module: Module
    dossiers: Annotated[tuple[Text, ...], Field(min_length=1, max_length=200)]


class CatalogueQuestion(Part):
    catalogue: Literal["nationalities", "countries", "ethnicities", "places", "identityPapers"]


_CATALOGUES = ("nationalities", "countries", "ethnicities", "places", "identityPapers")


class Accepted(Part):
    said: str


class State(Part):
    status: int | None
    """1 received, 2 papers missing, 3 in order, 4 registered; none: the dossier is not known."""
    said: str | None


class Result(Part):
    complete: bool  # false: not registered yet, ask again later
    items: tuple[Json, ...]


class Items(Part):
    items: tuple[Json, ...]
    """As the ministry writes them: so, quyenSo, trangSo, …"""


def operations(config: CivilStatusConfig) -> tuple[Operation[Any, Any], ...]:
    return (
        Operation(
            "register",
            "Gửi hồ sơ đăng ký hộ tịch",
            "Send a dossier of civil status",
            Registration,
            Accepted,
            partial(_register, config.form),
            read_accepted,
            idempotent=False,
            subjects=("dossier",),
        ),
        Operation(
            "state",
            "Trạng thái hồ sơ",
            "How far a dossier is",
            DossierQuestion,
            State,
            partial(_ask_dossier, "traTrangThaiHoSo"),
            read_state,
        ),
        Operation(
            "result",
            "Kết quả đăng ký",
            "What was registered of a dossier",
            DossierQuestion,
            Result,
            partial(_ask_dossier, "ketQuaDangKyHS"),
            read_result,
            subjects=("dossier",),
        ),
        Operation(
            "changes",
            "Hồ sơ đăng ký cập nhật từ ngày",
            "Registrations changed since a day",
            ChangesQuestion,
            Items,
            _ask_changes,
            read_items,
        ),
        Operation(
            "record",
            "Nội dung một hồ sơ",
            "One registration",
            RecordQuestion,
            Items,
            _ask_record,
            read_items,
            subjects=("id",),
        ),
        Operation(
            "records",
            "Kết quả của nhiều hồ sơ",
            "What became of many dossiers",
            RecordsQuestion,
            Items,
            _ask_records,
            read_items,
            subjects=("dossiers",),
        ),
        Operation(
            "catalogue",
            "Danh mục của Bộ Tư pháp",
            "A catalogue of the ministry",
            CatalogueQuestion,
            Items,
            _ask_catalogue,
            read_items,
        ),
    )


def _register(form: str, ask: Registration, _: CallContext) -> Request:
    """Names and the form of the date differ between the older gateways and those of 2025."""
    if form == "xml":
        return post(
            "dangKyHoTich",
            {
                "maDonVi": int(ask.unit),
                "module": ask.module,
                "maHoSo": ask.dossier,
                "ngayTiepNhan": ask.received.isoformat(),
                "data": f"<hotich><hoso>{_xml(ask.form)}</hoso></hotich>",
            },
        )
    return post(
        "dangKyHoTich",
        {
            "maHoSoMCDT": ask.dossier,
            "maHoSoLT": ask.combined_dossier,
            "module": ask.module,
            "ngayTiepNhan": f"{ask.received:%d/%m/%Y}",
            "maDonVi": ask.unit,
            "data": orjson.dumps(ask.form).decode(),
        },
    )


def _ask_dossier(path: str, ask: DossierQuestion, _: CallContext) -> Request:
    return post(path, {"maDonVi": ask.unit, "maHoSo": ask.dossier})


def _ask_changes(ask: ChangesQuestion, _: CallContext) -> Request:
    since = f"{ask.since:%d/%m/%Y}"
    return post("dsHoSoDangKy", {"module": ask.module, "ngayCapNhat": since})


def _ask_record(ask: RecordQuestion, _: CallContext) -> Request:
    return post("traHoSo", {"module": ask.module, "maHoSo": ask.id})


def _ask_records(ask: RecordsQuestion, _: CallContext) -> Request:
    return post(
        "traDanhSachHoSo",
        {"maTinh": ask.province, "module": ask.module, "dsMaHoSo": list(ask.dossiers)},
    )


def _ask_catalogue(ask: CatalogueQuestion, _: CallContext) -> Request:
    return post("danhMuc", {"loaiDanhMuc": str(_CATALOGUES.index(ask.catalogue) + 1)})


def _check(form: Any, depth: int) -> None:
    """Names that XML takes, too, and nothing endless. Raises ValueError."""
    if depth == 0:
        msg = "nested too deeply"
        raise ValueError(msg)
    if isinstance(form, dict):
        for name, value in form.items():
            if not _NAME.fullmatch(name):
                msg = "a name in the form is no XML name"
                raise ValueError(msg)
            _check(value, depth - 1)
    elif isinstance(form, list):
        for value in form:
            _check(value, depth - 1)


def _xml(value: Any) -> str:
    """An object as elements, an array as repeated elements, null as nothing."""
    if isinstance(value, dict):
        return "".join(
            f"<{name}>{_xml(each)}</{name}>"
            for name, found in value.items()
            for each in (found if isinstance(found, list) else [found])
        )
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    text = str(value)
    if any(ord(letter) < 32 and letter not in "\t\n\r" for letter in text):
        raise ContractMismatch(
            "/form: a control character", vi="/form: có ký tự điều khiển", path="/form", rule="xml"
        )
    return escape(text)


def read_accepted(answer: Answer) -> Accepted:
    """Raises PartnerError, ConfigurationError."""
    found = _told(answer)
    code = _code(found)
    if code not in {"", "0"} or _status(found) == "0":
        raise _error(code, found)
    return Accepted(said=str(found.get("statusDescription") or "").strip())


def read_state(answer: Answer) -> State:
    """Raises PartnerError, ConfigurationError."""
    found = _told(answer)
    code, status = _code(found), _status(found)
    if code == _UNKNOWN:
        return State(status=None, said=None)
    if code not in {"", "0"} or status not in {"1", "2", "3", "4"}:
        raise _error(code, found)
    return State(status=int(status), said=blank_is_none(found.get("statusDescription")))


def read_result(answer: Answer) -> Result:
    """Raises PartnerError, ConfigurationError."""
    found = _told(answer)
    if _code(found) in {_NOT_YET, _UNKNOWN}:
        return Result(complete=False, items=())
    return Result(complete=True, items=read_items(answer).items)


def read_items(answer: Answer) -> Items:
    """Raises PartnerError, ConfigurationError."""
    found = _told(answer)
    code = _code(found)
    if code == _UNKNOWN:
        return Items(items=())
    if code not in {"", "0"} or _status(found) == "0":
        raise _error(code, found)
    value = found.get("value")
    rows = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise garbage("no list of values", "không phải danh sách")
    return Items(items=tuple(rows))


def _told(answer: Answer) -> Json:
    """The object of an answer; errors in its own form come under any status."""
    if answer.body.lstrip()[:1] == b"{":
        found = parse_json(answer.body)
        if isinstance(found, dict) and {"status", "errorCode"} & found.keys():
            return found
    good(answer)
    raise garbage("no answer of the civil status", "không phải trả lời của hộ tịch điện tử")


def _code(found: Json) -> str:
    code = str(found.get("errorCode") or "").strip()
    # {"title": "Có lỗi xảy ra.", "errors": "…", "status": 500} of 2025
    return code or ("500" if "errors" in found else "")


def _status(found: Json) -> str:
    return str(found.get("status", "")).strip()


def _error(code: str, found: Json) -> LgspError:
    names = ("errorDescription", "errors", "statusDescription", "title")
    said = next((str(found[name]) for name in names if found.get(name)), "")
    if code in _OURS:
        return ConfigurationError(
            f"civil status answered {code} {_ERRORS[code]}: it does not let the bus in",
            vi=f"Hộ tịch điện tử trả {code} {_ERRORS[code]}: không cho trục truy cập",
        )
    return refusal(f"{code} {_ERRORS.get(code, '')}".strip(), said)
