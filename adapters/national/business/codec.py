"""Business registration: GET with query parameters, JSON whose Status says what HTTP 200 does not.

Source: public clients of apiCSDLDKDN, direct and through NGSP, which puts `Data` around an answer.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from adapters.national.model import Part, blank_is_none, iso_day, says
from adapters.national.port import CallContext, Json
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    garbage,
    object_of,
    refusal,
)

LONGEST = timedelta(days=5)
"""What one list of dossiers may span."""

_NONE = ("không tìm thấy", "không tồn tại", "không có dữ liệu", "not found")

Minute = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class BusinessConfig(NationalConfig):
    service: Literal["business"] = "business"


class EnterpriseQuestion(Part):
    # mã số doanh nghiệp: ten digits, those of dependent units with -001
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{10}(-[0-9]{3})?$")]


class Page(Part):
    offset: int = Field(0, ge=0)
    limit: int = Field(100, ge=1, le=1000)


class DayQuestion(Page):
    """Dossiers of today between two times."""

    since: Minute = "00:00"
    until: Minute = "23:59"

    @model_validator(mode="after")
    def _forward(self) -> DayQuestion:
        if self.until < self.since:
            msg = "until is before since"
            raise ValueError(msg)
        return self


class PeriodQuestion(Page):
    since: date
    until: date

    @model_validator(mode="after")
    def _short(self) -> PeriodQuestion:
        if not timedelta() <= self.until - self.since <= LONGEST:
            msg = f"the register lists at most {LONGEST.days} days at once"
            raise ValueError(msg)
        return self


class DossierQuestion(Part):
    number: Annotated[str, StringConstraints(min_length=1, max_length=50)]  # in_journal_no


class Place(Part):
    city_code: str | None
    city: str | None
    district_code: str | None
    district: str | None
    ward_code: str | None
    ward: str | None
    street: str | None
    full: str | None


class Activity(Part):
    code: str | None
    name: str | None
    main: bool


class Member(Part):
    name: str | None
    amount: str | None  # as it was written, no digit lost
    percent: str | None
    country: str | None


class Enterprise(Part):
    id: str | None
    code: str | None  # mã số doanh nghiệp = mã số thuế
    old_code: str | None
    type_code: str | None
    type: str | None
    name: str | None
    short_name: str | None
    foreign_name: str | None
    founded: str | None  # ISO date
    last_changed: str | None
    changes: str | None
    status: str | None
    legal_representatives: tuple[str, ...]
    capital: str | None  # đồng, as it was written
    head_office: Place | None
    activities: tuple[Activity, ...]
    members: tuple[Member, ...]


class EnterpriseAnswer(Part):
    enterprise: Enterprise | None
    """None: no enterprise has the code."""


class Dossiers(Part):
    items: tuple[Json, ...]
    """As the register writes them: no public source says which fields there are."""


def operations(_config: BusinessConfig) -> tuple[Operation[Any, Any], ...]:
    return (
        Operation(
            "enterprise",
            "Chi tiết doanh nghiệp",
            "An enterprise by its code",
            EnterpriseQuestion,
            EnterpriseAnswer,
            _ask_enterprise,
            read_enterprise,
        ),
        Operation(
            "dossiersToday",
            "Danh sách hồ sơ trong ngày",
            "Registration dossiers of today",
            DayQuestion,
            Dossiers,
            _ask_today,
            read_dossiers,
        ),
        Operation(
            "dossiers",
            "Danh sách hồ sơ",
            "Registration dossiers of at most five days",
            PeriodQuestion,
            Dossiers,
            _ask_period,
            read_dossiers,
        ),
        Operation(
            "dossierStatus",
            "Tình trạng hồ sơ",
            "The state of a registration dossier",
            DossierQuestion,
            Dossiers,
            _ask_dossier,
            read_dossiers,
        ),
    )


def _ask_enterprise(ask: EnterpriseQuestion, _: CallContext) -> Request:
    return Request("GET", "chiTietDoanhNghiep", {"msdn": ask.code})


def _ask_today(ask: DayQuestion, _: CallContext) -> Request:
    query = {"from_ts": ask.since, "to_ts": ask.until, **_page(ask)}
    return Request("GET", "danhSachHoSoTrongNgay", query)


def _ask_period(ask: PeriodQuestion, _: CallContext) -> Request:
    query = {"from_date": f"{ask.since:%d/%m/%Y}", "to_date": f"{ask.until:%d/%m/%Y}"}
    return Request("GET", "danhSachHoSo", {**query, **_page(ask)})


def _ask_dossier(ask: DossierQuestion, _: CallContext) -> Request:
    return Request("GET", "tinhTrangHoSo", {"in_journal_no": ask.number})


def _page(ask: Page) -> dict[str, str]:
    return {"offset": str(ask.offset), "limit": str(ask.limit)}


def read_enterprise(answer: Answer) -> EnterpriseAnswer:
    """Raises PartnerError."""
    data = _data(answer)
    main = data.get("MainInformation") if data is not None else None
    if not main:
        return EnterpriseAnswer(enterprise=None)
    if data is None or not isinstance(main, dict):
        raise garbage("no MainInformation", "không có MainInformation")
    return EnterpriseAnswer(enterprise=_enterprise(main, data))


def read_dossiers(answer: Answer) -> Dossiers:
    """Raises PartnerError."""
    data = _data(answer)
    rows = data.get("Data", data.get("Items", [])) if data is not None else []
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise garbage("no list of dossiers", "không phải danh sách hồ sơ")
    return Dossiers(items=tuple(rows))


def _data(answer: Answer) -> Json | None:
    """The answer's object; None where the register says that there is nothing."""
    found = object_of(answer)
    if str(found.get("Status", "1")).strip() not in {"1", "01"}:
        if says(found.get("Message"), *_NONE):
            return None
        raise refusal(str(found["Status"])[:20], str(found.get("Message") or ""))
    wrapped = found.get("Data")  # NGSP puts it around an enterprise
    return wrapped if isinstance(wrapped, dict) and "MainInformation" in wrapped else found


def _enterprise(main: Json, data: Json) -> Enterprise:
    def text(name: str) -> str | None:
        return blank_is_none(main.get(name))

    return Enterprise(
        id=text("ENTERPRISE_ID"),
        code=text("ENTERPRISE_GDT_CODE"),
        old_code=text("IMP_BUSINESS_CODE"),
        type_code=text("ENTERPRISE_TYPE_ID"),
        type=text("ENTERPRISE_TYPE_NAME"),
        name=text("NAME"),
        short_name=text("SHORT_NAME"),
        foreign_name=text("NAME_F"),
        founded=iso_day(text("FOUNDING_DATE") or ""),
        last_changed=iso_day(text("LAST_AMEND_DATE") or ""),
        changes=text("NUMBER_CHANGES"),
        status=text("ENTERPRISE_STATUS"),
        legal_representatives=_representatives(main, data),
        capital=text("CAPITAL_AMOUNT"),
        head_office=_place(data.get("HOAdress") or data.get("HOAddress")),  # its spelling
        activities=tuple(_activity(each) for each in _rows(data, "BusinessActivity")),
        members=tuple(_member(each) for each in _rows(data, "Member")),
    )


def _representatives(main: Json, data: Json) -> tuple[str, ...]:
    """`a; b` in the main part, or a list of their own behind NGSP."""
    named = [blank_is_none(each.get("FULL_NAME")) for each in _rows(data, "Representatives")]
    named += str(main.get("LEGAL_NAMES") or "").split(";")
    return tuple(dict.fromkeys(each.strip() for each in named if each and each.strip()))


def _rows(data: Json, name: str) -> list[Json]:
    """Some gateways write a list of one as an object."""
    found = data.get(name) or []
    rows = [found] if isinstance(found, dict) else found
    return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []


def _place(found: object) -> Place | None:
    if not isinstance(found, dict):
        return None
    names = ("CityID", "CityName", "DistrictID", "DistrictName", "WardID", "WardName")
    codes = [blank_is_none(found.get(name)) for name in names]
    return Place(
        city_code=codes[0],
        city=codes[1],
        district_code=codes[2],
        district=codes[3],
        ward_code=codes[4],
        ward=codes[5],
        street=blank_is_none(found.get("StreetNumber")),
        full=blank_is_none(found.get("AddressFullText")),
    )


def _activity(row: Json) -> Activity:
    return Activity(
        code=blank_is_none(row.get("CODE")),
        name=blank_is_none(row.get("NAME")),
        main=str(row.get("IS_MAIN")).strip().upper() == "Y",
    )


def _member(row: Json) -> Member:
    return Member(
        name=blank_is_none(row.get("MEMBER_NAME")),
        amount=blank_is_none(row.get("AMOUNT")),
        percent=blank_is_none(row.get("RATIO_PERCENT")),
        country=blank_is_none(row.get("COUNTRY")),
    )
