"""Social insurance: three questions in JSON, whose answers come plain or in an LGSP's envelope.

Sources: public client code; the documentation pages of Thái Nguyên's LGSP (the envelope).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from adapters.national.model import Name, Part, blank_is_none, iso_day
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

_DEPTH = 6  # of envelopes around an answer
_PERSON = frozenset({"hoTen", "maSo", "maSoBhxh"})
_FINE = frozenset({"", "0", "00"})

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{0,10}$")]
InsuranceNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")]  # mã số BHXH
PartialDate = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}){0,2}$")]


class InsuranceConfig(NationalConfig):
    service: Literal["insurance"] = "insurance"


class Sex(StrEnum):
    MALE = "male"
    FEMALE = "female"
    OTHER = "other"


_SEXES = {"1": Sex.MALE, "2": Sex.FEMALE, "3": Sex.OTHER}
_SEX_CODES = {sex: code for code, sex in _SEXES.items()}
_KINDS = {4: "1", 7: "2", 10: "0"}  # loaiNgaySinh by the length of an ISO date


class MemberQuestion(Part):
    number: InsuranceNumber


class NumberQuestion(Part):
    full_name: Name
    birth: PartialDate
    sex: Sex
    province: Code = ""
    district: Code = ""
    commune: Code = ""
    by_birth_place: bool = True  # isKs: address of birth registration, else of the household


class HouseholdQuestion(Part):
    province: Code
    full_name: Name
    birth: PartialDate
    sex: Sex
    book: Annotated[str, StringConstraints(max_length=30)] = ""  # số sổ
    card: Annotated[str, StringConstraints(max_length=30)] = ""  # mã thẻ
    by_birth_place: bool = True


class Member(Part):
    number: str | None
    full_name: str | None
    old_book: str | None  # số sổ cũ
    birth: str | None  # a date, a month or a year, as exact as it is known
    sex: Sex | None
    household: str | None  # mã hộ
    address: str | None
    birth_province: str | None
    birth_district: str | None
    birth_commune: str | None
    status: str | None


class MemberAnswer(Part):
    member: Member | None
    """None: nobody has the number, or matches."""


class NumberAnswer(Part):
    number: str | None
    status: str | None


def operations(_config: InsuranceConfig) -> tuple[Operation[Any, Any], ...]:
    return (
        Operation(
            "member",
            "Tra cứu hộ gia đình theo mã số BHXH",
            "A member by the insurance number",
            MemberQuestion,
            MemberAnswer,
            _ask_member,
            read_member,
            subjects=("number",),
        ),
        Operation(
            "findNumber",
            "Tra mã số BHXH theo tiêu chí",
            "The insurance number of a person",
            NumberQuestion,
            NumberAnswer,
            _ask_number,
            read_number,
            subjects=("fullName",),
        ),
        Operation(
            "household",
            "Tra cứu thông tin hộ gia đình",
            "A person in their household",
            HouseholdQuestion,
            MemberAnswer,
            _ask_household,
            read_member,
            subjects=("fullName",),
        ),
    )


def _ask_member(ask: MemberQuestion, _: CallContext) -> Request:
    return post("getTraCuuTtHgdByMaSoBhxh", {"maSoBhxh": ask.number})


def _ask_number(ask: NumberQuestion, _: CallContext) -> Request:
    places = {"maTinhKs": ask.province, "maHuyenKs": ask.district, "maXaKs": ask.commune}
    return post("getMaSoBhxhTheoTieuChi", {**_who(ask), **places})


def _ask_household(ask: HouseholdQuestion, _: CallContext) -> Request:
    papers = {"maTinh": ask.province, "soSo": ask.book, "maThe": ask.card}
    return post("getTraCuuThongTinHgd", {**_who(ask), **papers})


def _who(ask: NumberQuestion | HouseholdQuestion) -> dict[str, str]:
    return {
        "hoTen": ask.full_name,
        "ngaySinh": ask.birth.replace("-", ""),
        "loaiNgaySinh": _KINDS[len(ask.birth)],
        "gioiTinh": _SEX_CODES[ask.sex],
        "isKs": "1" if ask.by_birth_place else "0",
    }


def read_member(answer: Answer) -> MemberAnswer:
    """Raises PartnerError."""
    row = _row(object_of(answer))
    name = blank_is_none(row.get("hoTen"))
    if name is None:
        return MemberAnswer(member=None)
    return MemberAnswer(
        member=Member(
            number=blank_is_none(row.get("maSo") or row.get("maSoBhxh")),
            full_name=name,
            old_book=blank_is_none(row.get("soSoCu")),
            birth=_birth(row),
            sex=_SEXES.get(str(row.get("gioiTinh", "")).strip()),
            household=blank_is_none(row.get("maHo")),
            address=blank_is_none(row.get("diaChi")),
            birth_province=blank_is_none(row.get("maTinhKs")),
            birth_district=blank_is_none(row.get("maHuyenKs")),
            birth_commune=blank_is_none(row.get("maXaKs")),
            status=blank_is_none(row.get("trangThai")),
        )
    )


def read_number(answer: Answer) -> NumberAnswer:
    """Raises PartnerError."""
    row = _row(object_of(answer))
    return NumberAnswer(
        number=blank_is_none(row.get("maSoBhxh")), status=blank_is_none(row.get("trangThai"))
    )


def _row(found: Json) -> Json:
    """What is about the person, out of whatever envelopes. Raises PartnerError."""
    row, code = _unwrapped(found, _DEPTH)
    if code not in _FINE and not any(row.get(name) for name in _PERSON):
        raise refusal(code[:20], str(found.get("status") or ""))
    return row


def _unwrapped(found: Json, depth: int) -> tuple[Json, str]:
    """The innermost object that tells of a person, and the error code beside or in it."""
    code = str(found.get("errorCode") or "").strip()
    if _PERSON & found.keys():
        return found, code
    inside = [each for each in found.values() if isinstance(each, dict)]
    if not inside:
        if code:
            return {}, code
        raise garbage("no answer of the insurance", "không phải trả lời của BHXH")
    if depth == 0:
        raise garbage("too many envelopes", "quá nhiều lớp bọc")
    row, inner = _unwrapped(inside[0], depth - 1)
    return row, code or inner


def _birth(row: Json) -> str | None:
    """NgaySinh is yyyyMMdd; loaiNgaySinh says how much of it is meant."""
    text = str(row.get("ngaySinh") or "").strip()
    match str(row.get("loaiNgaySinh") or "0").strip():
        case "1":
            return text[:4] or None
        case "2":
            return f"{text[:4]}-{text[4:6]}" if len(text) >= 6 else text or None
        case _:
            return iso_day(text, "ymd", "")
