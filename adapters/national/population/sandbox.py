"""The population database simulated: strict about order, capitals and repeats, silent on strangers.

Checks questions against the pinned contract with libxml2, which the codec does not use.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib import resources
from xml.sax.saxutils import escape

from aiohttp import web
from lxml import etree

from adapters.national.population.codec import ASKED, SOAP, TOLD
from schemas.errors import InvalidRequest
from schemas.xml import compile_schemas, parse


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    number: str
    old_number: str
    family: str
    middle: str
    given: str
    born: str  # yyyyMMdd, or yyyy
    sex: str
    commune: str

    @property
    def name(self) -> str:
        return f"{self.family} {self.middle} {self.given}"


PEOPLE = (
    Person("001099000001", "100000001", "NGUYỄN", "THỊ", "MẪU", "19990131", "2", "00001"),
    Person("001088000002", "100000002", "TRẦN", "VĂN", "THỬ", "19881201", "1", "00004"),
    Person("001050000003", "100000003", "LÒ", "VĂN", "VÍ DỤ", "1950", "1", "00007"),
)


class PopulationDesk:
    """`questions` are what was asked, as XML; a MaYeuCau is answered once."""

    name, guarded = "population", True

    def __init__(self) -> None:
        self.questions: list[etree._Element] = []
        self._seen: set[str] = set()
        self._turn = itertools.count()
        self._schemas = _schemas()

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:
        if request.query_string == "wsdl":
            return web.Response(body=contract(), content_type="text/xml", charset="utf-8")
        if path or request.method != "POST" or "SOAPAction" not in request.headers:
            return _fault("Client", "Không có dịch vụ này")
        try:
            question = parse(body).find(f"{{{SOAP}}}Body")[0]  # type: ignore[index]
        except (InvalidRequest, TypeError, IndexError):
            return _fault("Client", "Thông điệp không phải SOAP")
        if not self._schemas.validate(question):
            return _fault("Client", "Sai cấu trúc hoặc thứ tự thẻ")
        return self._asked(question)

    def _asked(self, question: etree._Element) -> web.Response:
        self.questions.append(question)
        if not _of(question, "MaCanBo"):
            return _fault("Client", "Thiếu mã cán bộ")
        number = _of(question, "MaYeuCau")
        if number in self._seen:
            return _fault("Client", f"Trùng mã yêu cầu {number}")
        self._seen.add(number)
        found = _find(question)
        if found is None:
            return self._nobody()
        if question.tag == f"{{{ASKED}}}XacThucThongTinCongDan":
            return _told("XacThucThongTinCongDanResponse", "<KetQuaXacThuc>true</KetQuaXacThuc>")
        return _told("CongdanCollection", _written(found, whole=next(self._turn) % 2 == 0))

    def _nobody(self) -> web.Response:
        """Each of the three ways to say nothing in turn."""
        match next(self._turn) % 3:
            case 0:
                return web.Response(content_type="text/xml")
            case 1:
                return _envelope("")
            case _:
                return _told("CongdanCollection", "")


def contract() -> bytes:
    return resources.files("adapters.national.population").joinpath("population.wsdl").read_bytes()


def _schemas() -> etree.XMLSchema:
    """The question's schema, taken out of the contract."""
    schema = parse(contract()).find(".//{http://www.w3.org/2001/XMLSchema}schema")
    assert schema is not None  # noqa: S101 - the contract is our own
    return compile_schemas({"asked": etree.tostring(schema)}, "asked")


def _find(question: etree._Element) -> Person | None:
    """Number, name and birth must agree to the letter; a year alone is enough."""
    for person in PEOPLE:
        same_number = (
            _of(question, "SoDinhDanh") == person.number
            or _of(question, "SoCMND") == person.old_number
        )
        born = _of(question, "NgayThangNam") or _of(question, "Nam")
        if same_number and _of(question, "HoVaTen") == person.name and person.born.startswith(born):
            return person
    return None


def _of(question: etree._Element, name: str) -> str:
    return question.findtext(f".//{{{ASKED}}}{name}") or ""


def _written(person: Person, *, whole: bool) -> str:
    """`whole`: the name stands in Ten alone, as the real database often has it."""
    names = ("", "", person.name) if whole else (person.family, person.middle, person.given)
    name = "".join(
        f"<{tag}>{text}</{tag}>" if text else f"<{tag}/>"
        for tag, text in zip(("Ho", "ChuDem", "Ten"), names, strict=True)
    )
    born = f"<Nam>{person.born[:4]}</Nam>"
    if len(person.born) == 8:
        born += f"<NgayThangNam>{person.born}</NgayThangNam>"
    place = (
        f"<MaTinhThanh>01</MaTinhThanh><MaQuanHuyen>001</MaQuanHuyen><MaPhuongXa>{person.commune}"
        "</MaPhuongXa><ChiTiet>XÃ MẪU, TỈNH MẪU</ChiTiet><QuocGia>VN</QuocGia>"
    )
    return (
        f"<CongDan><SoDinhDanh>{person.number}</SoDinhDanh><SoCMND>{person.old_number}</SoCMND>"
        f"<HoVaTen>{name}</HoVaTen><GioiTinh>{person.sex}</GioiTinh><DanToc>01</DanToc>"
        "<TonGiao>00</TonGiao><TinhTrangHonNhan>2</TinhTrangHonNhan><NhomMau>00</NhomMau>"
        f"<NgayThangNamSinh>{born}</NgayThangNamSinh>"
        f"<NoiDangKyKhaiSinh>{place}</NoiDangKyKhaiSinh><QuocTich/>"
        f"<QueQuan>{place}</QueQuan><ThuongTru>{place}</ThuongTru>"
        "<Cha><HoVaTen>CHA CỦA MẪU</HoVaTen><QuocTich>VN</QuocTich></Cha>"
        f"<ChuHo><QuanHe>CH01</QuanHe><SoDinhDanh>{person.number}</SoDinhDanh>"
        f"<HoVaTen>{person.name}</HoVaTen></ChuHo><SoSoHoKhau>SHK-MAU</SoSoHoKhau></CongDan>"
    )


def _told(name: str, inside: str) -> web.Response:
    return _envelope(f'<{name} xmlns="{TOLD}">{inside}</{name}>')


def _envelope(body: str, status: int = 200) -> web.Response:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}">'
        f"<soapenv:Header/><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
    return web.Response(status=status, body=text.encode(), content_type="text/xml", charset="utf-8")


def _fault(code: str, text: str) -> web.Response:
    fault = (
        f"<soapenv:Fault><faultcode>soapenv:{code}</faultcode>"
        f"<faultstring>{escape(text)}</faultstring></soapenv:Fault>"
    )
    return _envelope(fault, status=500)
