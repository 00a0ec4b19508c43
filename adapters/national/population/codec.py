"""The population database in SOAP 1.1: questions written, answers read; no I/O.

Source: public clients of the database. Elements of a question stand in one order, names are in
capitals with their accents, and who is not matched is answered with nothing: no body at all, an
empty envelope, or a collection without a CongDan.
"""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import Any, Literal
from uuid import uuid4
from xml.sax.saxutils import escape

from lxml import etree
from pydantic import Field, model_validator

from adapters.national.model import Birth, Name, OldNumber, Part, PersonNumber, iso_day
from adapters.national.port import CallContext
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    garbage,
    good,
    refusal,
)
from schemas.errors import InvalidRequest, TooLarge
from schemas.xml import parse

ASKED = "http://dancuquocgia.bca"
TOLD = "http://www.mic.gov.vn/dancu/1.0"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MEDIA = "text/xml; charset=utf-8"

Element = etree._Element  # noqa: SLF001 - lxml's class has no public name


class PopulationConfig(NationalConfig):
    """As whom the province asks."""

    service: Literal["population"] = "population"
    service_code: str = Field(description="MaDVC: procedure or service, such as G15-TP110")
    integration_code: str = Field(description="MaTichHop: the code granted, such as 037")
    account: bool = Field(
        False, description="MaDonVi, TaiKhoan and SoDienThoai are sent as well; some gateways ask"
    )


class CitizenQuestion(Part):
    """Who is meant: one number, the whole name and the birth must agree."""

    identity_number: PersonNumber | None = None  # SoDinhDanh
    old_identity_number: OldNumber | None = None  # SoCMND
    full_name: Name  # HoVaTen
    birth: Birth  # NgayThangNamSinh

    @model_validator(mode="after")
    def _one_number(self) -> CitizenQuestion:
        if (self.identity_number is None) == (self.old_identity_number is None):
            msg = "one of identityNumber and oldIdentityNumber is needed"
            raise ValueError(msg)
        return self


class Address(Part):
    province: str | None = None
    district: str | None = None
    commune: str | None = None
    detail: str | None = None
    country: str | None = None


class Relative(Part):
    full_name: str | None = None
    nationality: str | None = None
    identity_number: str | None = None
    old_identity_number: str | None = None
    relation: str | None = None  # quan hệ với chủ hộ


class Citizen(Part):
    """Codes are those of the database."""

    identity_number: str | None
    old_identity_number: str | None
    full_name: str | None
    sex: str | None
    ethnicity: str | None
    religion: str | None
    marital_status: str | None
    blood_group: str | None
    birth_date: str | None  # ISO; none where only the year is known
    birth_year: str | None
    birth_registration: Address | None
    nationality: str | None
    origin: Address | None  # quê quán
    permanent_residence: Address | None  # thường trú
    current_residence: Address | None  # nơi ở hiện tại
    father: Relative | None
    mother: Relative | None
    spouse: Relative | None
    representative: Relative | None
    householder: Relative | None
    household_book: str | None  # số sổ hộ khẩu


class Citizens(Part):
    citizens: tuple[Citizen, ...]
    """Empty: nobody matches all that was asked."""


class Verification(Part):
    verified: bool
    """False also where nobody matches."""


def operations(config: PopulationConfig) -> tuple[Operation[Any, Any], ...]:
    subjects = ("identityNumber", "oldIdentityNumber")
    return (
        Operation(
            "lookUp",
            "Tra cứu thông tin công dân",
            "Look a citizen up",
            CitizenQuestion,
            Citizens,
            partial(write, "TraCuuThongTinCongDan", config),
            read_citizens,
            subjects=subjects,
        ),
        Operation(
            "provide",
            "Cung cấp thông tin công dân",
            "Provide a citizen's information",
            CitizenQuestion,
            Citizens,
            partial(write, "CungCapThongTinCongDan", config),
            read_citizens,
            subjects=subjects,
        ),
        Operation(
            "verify",
            "Xác thực thông tin công dân",
            "Verify what a citizen states",
            CitizenQuestion,
            Verification,
            partial(write, "XacThucThongTinCongDan", config),
            read_verification,
            subjects=subjects,
        ),
    )


def write(
    name: str, config: PopulationConfig, ask: CitizenQuestion, context: CallContext
) -> Request:
    """`name` is the operation's own; elements are in the order that the database wants."""
    parts = [
        ("MaYeuCau", uuid4().hex.upper()),  # never the same twice, retries included
        ("MaDVC", config.service_code),
        ("MaTichHop", config.integration_code),
        ("MaCanBo", context.officer),
    ]
    if config.account:
        parts += [
            ("MaDonVi", context.agency),
            ("TaiKhoan", context.officer),
            ("SoDienThoai", "0"),
        ]
    if ask.identity_number is not None:
        parts.append(("SoDinhDanh", ask.identity_number))
    else:
        parts.append(("SoCMND", ask.old_identity_number or ""))
    parts.append(("HoVaTen", capital(ask.full_name)))
    inside = "".join(f"<dan:{tag}>{escape(text)}</dan:{tag}>" for tag, text in parts)
    day = ask.birth.replace("-", "")
    tag = "Nam" if len(day) == 4 else "NgayThangNam"
    birth = f"<dan:NgayThangNamSinh><dan:{tag}>{day}</dan:{tag}></dan:NgayThangNamSinh>"
    envelope = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}"'
        f' xmlns:dan="{ASKED}"><soapenv:Header/><soapenv:Body>'
        f"<dan:{name}>{inside}{birth}</dan:{name}></soapenv:Body></soapenv:Envelope>"
    )
    return Request("POST", "", body=envelope.encode(), media=MEDIA, soap_action="")


def capital(name: str) -> str:
    """NFC: accents written apart are other letters to the database."""
    return unicodedata.normalize("NFC", " ".join(name.split())).upper()


def read_citizens(answer: Answer) -> Citizens:
    """Raises PartnerError."""
    body = _body(answer)
    found = body.iter(f"{{{TOLD}}}CongDan") if body is not None else ()
    return Citizens(citizens=tuple(_citizen(each) for each in found))


def read_verification(answer: Answer) -> Verification:
    """Raises PartnerError."""
    body = _body(answer)
    result = body.find(f".//{{{TOLD}}}KetQuaXacThuc") if body is not None else None
    text = (result.text or "").strip().lower() if result is not None else ""
    if text not in {"", "0", "1", "false", "true"}:
        raise garbage("an unknown KetQuaXacThuc", "KetQuaXacThuc không rõ")
    return Verification(verified=text in {"1", "true"})


def _body(answer: Answer) -> Element | None:
    """The envelope's body; None where the answer is empty. A fault comes under any status."""
    if not answer.body.strip():
        good(answer)
        return None
    try:
        root = parse(answer.body)
    except (InvalidRequest, TooLarge):
        good(answer)
        raise garbage("what is no SOAP envelope", "không phải phong bì SOAP") from None
    body = root.find(f"{{{SOAP}}}Body")
    if body is None or root.tag != f"{{{SOAP}}}Envelope":
        good(answer)
        raise garbage("what is no SOAP envelope", "không phải phong bì SOAP")
    fault = body.find(f"{{{SOAP}}}Fault")
    if fault is not None:
        raise refusal(fault.findtext("faultcode", ""), fault.findtext("faultstring", ""))
    good(answer)
    return body


def _citizen(element: Element) -> Citizen:
    birth = _child(element, "NgayThangNamSinh")
    return Citizen(
        identity_number=_text(element, "SoDinhDanh"),
        old_identity_number=_text(element, "SoCMND"),
        full_name=_name(_child(element, "HoVaTen")),
        sex=_text(element, "GioiTinh"),
        ethnicity=_text(element, "DanToc"),
        religion=_text(element, "TonGiao"),
        marital_status=_text(element, "TinhTrangHonNhan"),
        blood_group=_text(element, "NhomMau"),
        birth_date=iso_day(_text(birth, "NgayThangNam") or "", "ymd", ""),
        birth_year=_text(birth, "Nam"),
        birth_registration=_address(element, "NoiDangKyKhaiSinh"),
        nationality=_text(element, "QuocTich"),
        origin=_address(element, "QueQuan"),
        permanent_residence=_address(element, "ThuongTru"),
        current_residence=_address(element, "NoiOHienTai"),
        father=_relative(element, "Cha"),
        mother=_relative(element, "Me"),
        spouse=_relative(element, "VoChong"),
        representative=_relative(element, "NguoiDaiDien"),
        householder=_relative(element, "ChuHo"),
        household_book=_text(element, "SoSoHoKhau"),
    )


def _name(element: Element | None) -> str | None:
    """Ho, ChuDem and Ten; the whole name may stand in Ten, or in the element itself."""
    if element is None:
        return None
    pieces = [_text(element, part) for part in ("Ho", "ChuDem", "Ten")]
    whole = " ".join(piece for piece in pieces if piece) or (element.text or "")
    return " ".join(whole.split()) or None


def _address(element: Element, name: str) -> Address | None:
    found = _child(element, name)
    if found is None or not len(found):
        return None
    return Address(
        province=_text(found, "MaTinhThanh"),
        district=_text(found, "MaQuanHuyen"),
        commune=_text(found, "MaPhuongXa"),
        detail=_text(found, "ChiTiet"),
        country=_text(found, "QuocGia"),
    )


def _relative(element: Element, name: str) -> Relative | None:
    found = _child(element, name)
    if found is None or not len(found):
        return None
    return Relative(
        full_name=_name(_child(found, "HoVaTen")),
        nationality=_text(found, "QuocTich"),
        identity_number=_text(found, "SoDinhDanh"),
        old_identity_number=_text(found, "SoCMND"),
        relation=_text(found, "QuanHe"),
    )


def _child(element: Element, name: str) -> Element | None:
    return element.find(f"{{{TOLD}}}{name}")


def _text(element: Element | None, name: str) -> str | None:
    if element is None:
        return None
    return (element.findtext(f"{{{TOLD}}}{name}") or "").strip() or None
