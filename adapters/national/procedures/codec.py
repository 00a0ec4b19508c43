"""Administrative procedures, from the national portal's shared services.

Source: public clients of the portal: one address for all services, `service` in the body, keys of
answers in capitals, error_code as number or text.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field, StringConstraints

from adapters.national.cursor import MAX_CURSOR, checked, digest, pack, unpack
from adapters.national.model import Part, blank_is_none, says
from adapters.national.port import CallContext, Json
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    by_status,
    garbage,
    object_of,
    post,
    refusal,
)
from schemas.service import Changes as Declared

_NOT_THERE = ("không tồn tại", "không tìm thấy", "không có dữ liệu")

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,60}$")]
Cursor = Annotated[str, StringConstraints(max_length=MAX_CURSOR), AfterValidator(checked)]


CHANGES = Declared(
    cursor="cursor", next="cursor", changed=("changed",), removed=("removed",), key="code"
)


class ProceduresConfig(NationalConfig):
    service: Literal["procedures"] = "procedures"
    madonvi: str = Field(min_length=1, description="the province's code at the portal")


class Nothing(Part):
    """No question is needed."""


class ProcedureQuestion(Part):
    code: Code  # mã TTHC


class ChangesQuestion(Part):
    cursor: Cursor = ""  # empty: from the beginning


class Listed(Part):
    code: str
    name: str | None


class Procedures(Part):
    items: tuple[Listed, ...]


class Changes(Part):
    changed: tuple[Listed, ...]  # new ones, and those with another name
    removed: tuple[str, ...]
    cursor: str  # for the next question


class Coded(Part):
    code: str | None
    name: str | None


class Case(Part):
    """Trường hợp, with its steps."""

    name: str | None
    steps: tuple[str, ...]


class Fee(Part):
    code: str | None
    amount: str | None
    unit: str | None
    note: str | None


class Time(Part):
    amount: str | None
    unit: str | None
    note: str | None
    fees: tuple[Fee, ...]


class Way(Part):
    """Cách thức thực hiện."""

    channel: str | None  # 1 counter, 2 online, 3 post
    times: tuple[Time, ...]


class Paper(Part):
    code: str | None
    name: str | None
    form: str | None  # tên mẫu đơn
    url: str | None


class Procedure(Part):
    code: str | None
    name: str | None
    publisher: str | None  # mã cơ quan công bố
    status: str | None
    requirements: str | None
    fields: tuple[Coded, ...]  # lĩnh vực
    cases: tuple[Case, ...]
    ways: tuple[Way, ...]
    subjects: tuple[str, ...]
    results: tuple[Coded, ...]
    legal_bases: tuple[Coded, ...]  # code: số văn bản
    agencies: tuple[Coded, ...]
    papers: tuple[Paper, ...]


class ProcedureAnswer(Part):
    procedure: Procedure | None


def operations(config: ProceduresConfig) -> tuple[Operation[Any, Any], ...]:
    def ask(service: str, **more: str) -> Request:
        return post("", {"madonvi": config.madonvi, "service": service, **more})

    def ask_list(_ask: Part, _: CallContext) -> Request:
        return ask("LayDanhSachTTHC")

    def ask_one(question: ProcedureQuestion, _: CallContext) -> Request:
        return ask("LayThuTuc", maTTHC=question.code)

    return (
        Operation(
            "procedures",
            "Danh sách thủ tục hành chính",
            "All procedures",
            Nothing,
            Procedures,
            ask_list,
            read_list,
            denied=denied,
        ),
        Operation(
            "changes",
            "Thủ tục thay đổi từ lần hỏi trước",
            "What changed in the list since a cursor",
            ChangesQuestion,
            Changes,
            ask_list,
            read_changes,
            denied=denied,
            finish=since,
            changes=CHANGES,
        ),
        Operation(
            "procedure",
            "Nội dung một thủ tục",
            "One procedure with all it asks for",
            ProcedureQuestion,
            ProcedureAnswer,
            ask_one,
            read_procedure,
            denied=denied,
        ),
    )


def denied(answer: Answer) -> bool:
    """A lapsed session is told in words, under HTTP 200."""
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return by_status(answer)
    lapsed = isinstance(found, dict) and says(found.get("message"), "session")
    return by_status(answer) or (lapsed and not _is_good(found))


def read_list(answer: Answer) -> Procedures:
    """Raises PartnerError."""
    rows = _rows(_told(answer).get("result"))
    return Procedures(
        items=tuple(
            Listed(code=code, name=blank_is_none(row.get("TENTTHC")))
            for row in rows
            if (code := blank_is_none(row.get("MATTHC")))
        )
    )


def read_changes(answer: Answer) -> Changes:
    """Everything there is; `since` leaves out what the cursor has. Raises PartnerError."""
    items = read_list(answer).items
    return Changes(changed=items, removed=(), cursor=pack(_seen(items)))


def since(ask: ChangesQuestion, told: Changes) -> Changes:
    known = unpack(ask.cursor) if ask.cursor else {}
    now = _seen(told.changed)
    return Changes(
        changed=tuple(each for each in told.changed if known.get(each.code) != now[each.code]),
        removed=tuple(sorted(known.keys() - now.keys())),
        cursor=told.cursor,
    )


def _seen(items: tuple[Listed, ...]) -> dict[str, str]:
    return {each.code: digest(each.name or "") for each in items}


def read_procedure(answer: Answer) -> ProcedureAnswer:
    """Raises PartnerError."""
    rows = _rows(_told(answer).get("result"))
    return ProcedureAnswer(procedure=_procedure(rows[0]) if rows else None)


def _told(answer: Answer) -> Json:
    """Raises PartnerError."""
    found = object_of(answer)
    if "error_code" not in found:
        raise garbage("no error_code", "không có error_code")
    if _is_good(found):
        return found
    said = str(found.get("message") or "")
    if says(said, *_NOT_THERE):
        return {"result": []}
    raise refusal(str(found["error_code"])[:20], said)


def _is_good(found: Json) -> bool:
    """0, "0" and "00" are all success."""
    code = str(found.get("error_code")).strip()
    return code.isascii() and code.isdigit() and int(code) == 0


def _rows(found: object) -> list[Json]:
    """An array, or one object; anything that is no object is left out."""
    rows = found if isinstance(found, list) else [found]
    return [each for each in rows if isinstance(each, dict)]


def _procedure(row: Json) -> Procedure:
    return Procedure(
        code=blank_is_none(row.get("MATTHC")),
        name=blank_is_none(row.get("TENTTHC")),
        publisher=blank_is_none(row.get("MACOQUANCONGBO")),
        status=blank_is_none(row.get("TRANGTHAI")),
        requirements=blank_is_none(row.get("YEUCAU")),
        fields=_coded(row, "LINHVUCTHUCHIEN", "MALINHVUC", "TENLINHVUC"),
        cases=tuple(_case(each) for each in _rows(row.get("TRINHTUTHUCHIEN"))),
        ways=tuple(_way(each) for each in _rows(row.get("CACHTHUCTHUCHIEN"))),
        subjects=_names(row.get("DOITUONGTHUCHIEN"), "TENDOITUONG"),
        results=_coded(row, "KETQUATHUCHIEN", "MAKETQUA", "TENKETQUA"),
        legal_bases=_coded(row, "CANCUPHAPLY", "SOVANBAN", "TENVANBAN"),
        agencies=_coded(row, "COQUANTHUCHIEN", "MADONVI", "TENDONVI"),
        papers=tuple(
            _paper(paper)
            for part in _rows(row.get("THANHPHANHOSO"))
            for paper in _rows(part.get("GIAYTO"))
        ),
    )


def _coded(row: Json, name: str, code: str, title: str) -> tuple[Coded, ...]:
    return tuple(
        Coded(code=blank_is_none(each.get(code)), name=blank_is_none(each.get(title)))
        for each in _rows(row.get(name))
    )


def _names(found: object, name: str) -> tuple[str, ...]:
    return tuple(text for each in _rows(found) if (text := blank_is_none(each.get(name))))


def _case(row: Json) -> Case:
    return Case(
        name=blank_is_none(row.get("TRUONGHOP")), steps=_names(row.get("TRINHTU"), "TENTRINHTU")
    )


def _way(row: Json) -> Way:
    return Way(
        channel=blank_is_none(row.get("KENH")),
        times=tuple(_time(each) for each in _rows(row.get("THOIGIAN"))),
    )


def _time(row: Json) -> Time:
    return Time(
        amount=blank_is_none(row.get("THOIGIANGIAIQUYET")),
        unit=blank_is_none(row.get("DONVITINH")),
        note=blank_is_none(row.get("MOTA")),
        fees=tuple(
            Fee(
                code=blank_is_none(fee.get("MAPHILEPHI")),
                amount=blank_is_none(fee.get("SOTIEN")),
                unit=blank_is_none(fee.get("DONVI")),
                note=blank_is_none(fee.get("MOTA")),
            )
            for fee in _rows(row.get("PHILEPHI"))
        ),
    )


def _paper(row: Json) -> Paper:
    return Paper(
        code=blank_is_none(row.get("MAGIAYTO")),
        name=blank_is_none(row.get("TENGIAYTO")),
        form=blank_is_none(row.get("TENMAUDON")),
        url=blank_is_none(row.get("URL")),
    )
