"""The population database: its codec against its strict sandbox and its pinned contract."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import aiohttp
import jsonschema
import pytest
from lxml import etree

from adapters.national import CallContext, NationalService
from adapters.national.population.codec import (
    ASKED,
    SOAP,
    TOLD,
    CitizenQuestion,
    PopulationConfig,
    read_citizens,
    read_verification,
    write,
)
from adapters.national.population.sandbox import PEOPLE, PopulationDesk, contract
from adapters.national.sandbox_gateway import USER, NationalSandbox
from adapters.national.service import Answer
from bus.gateway.translate import compile_wsdl
from schemas.errors import (
    ContractMismatch,
    InvalidRequest,
    LgspError,
    NotFound,
    PartnerGarbage,
    PartnerRefused,
    PartnerUnavailable,
)
from tests.unit.adapters.national.calls import CONTEXT, connect, desk

CODES = {"service_code": "VPCP", "integration_code": "037"}
MAU: dict[str, Any] = {
    "identityNumber": "001099000001",
    "fullName": "Nguyễn Thị  Mẫu",
    "birth": "1999-01-31",
}


@pytest.fixture
def population(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "population", **CODES)


async def test_information_is_provided_as_it_is_looked_up(
    population: NationalService, sandbox: NationalSandbox
) -> None:
    looked_up = await population.call("lookUp", MAU, CONTEXT)
    assert await population.call("provide", MAU, CONTEXT) == looked_up
    assert population.operations["provide"].personal
    questions = desk(sandbox, PopulationDesk).questions
    names = [etree.QName(each).localname for each in questions]
    assert names == ["TraCuuThongTinCongDan", "CungCapThongTinCongDan"]
    stranger = MAU | {"birth": "1999-01-30"}
    assert await population.call("provide", stranger, CONTEXT) == {"citizens": []}


async def test_a_citizen_is_found_and_named_alike_whole_or_in_pieces(
    population: NationalService, sandbox: NationalSandbox
) -> None:
    first = await population.call("lookUp", MAU, CONTEXT)
    second = await population.call("lookUp", MAU, CONTEXT)
    assert first == second  # the sandbox writes the name in Ten alone every other time
    (citizen,) = first["citizens"]
    assert citizen["fullName"] == "NGUYỄN THỊ MẪU"
    assert citizen["birthDate"] == "1999-01-31"
    assert citizen["permanentResidence"]["commune"] == "00001"
    assert citizen["nationality"] is None
    assert citizen["spouse"] is None
    assert citizen["householder"]["relation"] == "CH01"
    jsonschema.validate(first, population.operations["lookUp"].reply)
    questions = desk(sandbox, PopulationDesk).questions
    numbers = [each.findtext(f"{{{ASKED}}}MaYeuCau") for each in questions]
    assert len(set(numbers)) == 2
    assert questions[0].findtext(f"{{{ASKED}}}MaCanBo") == "001000000009"


async def test_someone_without_a_day_of_birth(population: NationalService) -> None:
    told = await population.call(
        "lookUp",
        {"oldIdentityNumber": "100000003", "fullName": "lò văn ví dụ", "birth": "1950"},
        CONTEXT,
    )
    (citizen,) = told["citizens"]
    assert (citizen["birthYear"], citizen["birthDate"]) == ("1950", None)


async def test_the_three_ways_of_saying_nothing_all_mean_nobody(
    population: NationalService,
) -> None:
    stranger = MAU | {"birth": "1999-02-01"}
    found = [await population.call("lookUp", stranger, CONTEXT) for _ in range(3)]
    assert found == [{"citizens": []}] * 3
    assert not (await population.call("verify", stranger, CONTEXT))["verified"]
    assert (await population.call("verify", MAU, CONTEXT))["verified"]


async def test_gateways_that_want_unit_and_account_get_them_in_their_place(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    population = connect(http, sandbox, "population", **CODES, account=True)
    await population.call("lookUp", MAU, CONTEXT)
    (question,) = desk(sandbox, PopulationDesk).questions
    assert [etree.QName(each).localname for each in question] == [
        "MaYeuCau",
        "MaDVC",
        "MaTichHop",
        "MaCanBo",
        "MaDonVi",
        "TaiKhoan",
        "SoDienThoai",
        "SoDinhDanh",
        "HoVaTen",
        "NgayThangNamSinh",
    ]
    assert question.findtext(f"{{{ASKED}}}MaDonVi") == "H99.19"


async def test_behind_the_vxp_adapter(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    sign_on = {"kind": "vxp-adapter", "user": USER, "secret": "lgsp", "client": "VN/GOV/H99/x"}
    population = connect(http, sandbox, "population", **CODES, sign_on=sign_on)
    assert len((await population.call("lookUp", MAU, CONTEXT))["citizens"]) == 1


async def test_a_lapsed_token_is_renewed_within_the_call(
    population: NationalService, sandbox: NationalSandbox
) -> None:
    await population.call("lookUp", MAU, CONTEXT)
    sandbox.tokens.clear()
    await population.call("lookUp", MAU, CONTEXT)
    assert len(sandbox.tokens) == 1


async def test_no_officer_no_question(
    population: NationalService, sandbox: NationalSandbox
) -> None:
    assert population.operations["lookUp"].personal
    with pytest.raises(InvalidRequest, match="officer"):
        await population.call("lookUp", MAU, CallContext("H99.19"))
    assert sandbox.asked["population"] == 0


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"identityNumber": "12345"}, "/identityNumber"),
        ({"identityNumber": "٠٠١٠٩٩٠٠٠٠٠١"}, "/identityNumber"),
        ({"oldIdentityNumber": "100000001"}, "/"),
        ({"identityNumber": None}, "/"),
        ({"birth": "31/01/1999"}, "/birth"),
        ({"fullName": ""}, "/fullName"),
        ({"fullName": "<x/>"}, "/fullName"),
        ({"reason": "x"}, "/reason"),
    ],
)
async def test_a_wrong_question_is_refused_here_without_repeating_it(
    population: NationalService, sandbox: NationalSandbox, change: dict[str, Any], path: str
) -> None:
    with pytest.raises(ContractMismatch) as caught:
        await population.call("lookUp", MAU | change, CONTEXT)
    assert caught.value.context["path"] == path
    assert "001099000001" not in str(caught.value)
    assert sandbox.asked["population"] == 0


async def test_an_unknown_operation_names_those_there_are(population: NationalService) -> None:
    with pytest.raises(NotFound, match="lookUp, provide, verify"):
        await population.call("listAll", {}, CONTEXT)


async def test_faults_of_the_gateway_are_told_apart(
    population: NationalService, sandbox: NationalSandbox
) -> None:
    await sandbox.set_fault("503", retry_after=7)
    with pytest.raises(PartnerUnavailable) as caught:
        await population.call("lookUp", MAU, CONTEXT)
    assert caught.value.retry_after == 7
    await sandbox.set_fault("garbage")
    with pytest.raises(PartnerGarbage):
        await population.call("lookUp", MAU, CONTEXT)
    await sandbox.set_fault("500")
    with pytest.raises(PartnerGarbage):
        await population.call("lookUp", MAU, CONTEXT)
    await sandbox.set_fault("cut")
    with pytest.raises(LgspError) as cut:
        await population.call("lookUp", MAU, CONTEXT)
    assert cut.value.code == "partner-timeout"
    await sandbox.set_fault("hang")
    short = CallContext("H99.19", officer="x", seconds=0.3)
    with pytest.raises(LgspError) as hung:
        await population.call("lookUp", MAU, short)
    assert hung.value.code == "partner-timeout"
    await sandbox.set_fault("ok")
    many = await asyncio.gather(*(population.call("lookUp", MAU, CONTEXT) for _ in range(50)))
    assert all(len(told["citizens"]) == 1 for told in many)


def test_a_fault_keeps_the_words_and_loses_the_numbers() -> None:
    fault = (
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body><e:Fault><faultcode>e:Client</faultcode>'
        "<faultstring>Trùng mã 001099000001</faultstring></e:Fault></e:Body></e:Envelope>"
    )
    with pytest.raises(PartnerRefused, match="Trùng mã") as caught:
        read_citizens(Answer(200, fault.encode()))
    assert "001099000001" not in caught.value.detail.vi
    assert caught.value.context["partner_code"] == "e:Client"


@pytest.mark.parametrize("body", [b"<a/>", b"{}", b"<e:Envelope", b"<!DOCTYPE a><a/>"])
def test_what_is_no_envelope_is_garbage(body: bytes) -> None:
    with pytest.raises(PartnerGarbage):
        read_citizens(Answer(200, body))
    with pytest.raises(PartnerGarbage):
        read_verification(Answer(200, body))


def test_a_date_that_is_none_is_left_out_and_not_made_up() -> None:
    citizen = (
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body><CongdanCollection xmlns="{TOLD}"><CongDan>'
        "<NgayThangNamSinh><Nam>1950</Nam><NgayThangNam>19500000</NgayThangNam>"
        "</NgayThangNamSinh></CongDan></CongdanCollection></e:Body></e:Envelope>"
    )
    (found,) = read_citizens(Answer(200, citizen.encode())).citizens
    assert (found.birth_date, found.birth_year, found.full_name) == (None, "1950", None)


def test_accents_written_apart_become_one_letter() -> None:
    apart = unicodedata.normalize("NFD", "Nguyễn Thị Mẫu")
    ask = CitizenQuestion(identity_number="001099000001", full_name=apart, birth="1999")
    config = PopulationConfig(url="http://x/", **CODES)
    request = write("TraCuuThongTinCongDan", config, ask, CONTEXT)
    assert "NGUYỄN THỊ MẪU".encode() in request.body


def test_question_and_answer_are_as_the_contract_says() -> None:
    compiled = compile_wsdl({"population.wsdl": contract()}, "population.wsdl")
    assert compiled.report()["ok"]
    config = PopulationConfig(url="http://x/", account=True, **CODES)
    for name in ("TraCuuThongTinCongDan", "XacThucThongTinCongDan"):
        operation = compiled.operations[name]
        for ask in (CitizenQuestion(**MAU), CitizenQuestion(**MAU | {"birth": "1999"})):
            request = write(name, config, ask, CONTEXT)
            told = operation.request.to_json(request.body)
            assert told["HoVaTen"] == PEOPLE[0].name
            assert told["MaDonVi"] == "H99.19"


def test_what_the_sandbox_answers_is_as_the_contract_says() -> None:
    compiled = compile_wsdl({"population.wsdl": contract()}, "population.wsdl")
    population = PopulationDesk()
    config = PopulationConfig(url="http://x/", **CODES)
    people: list[dict[str, str]] = []
    for name in ("TraCuuThongTinCongDan", "XacThucThongTinCongDan") * 2:
        request = write(name, config, CitizenQuestion(**MAU), CONTEXT)
        question = etree.fromstring(request.body).find(f"{{{SOAP}}}Body/*")
        assert question is not None
        body = population._asked(question).body
        assert isinstance(body, bytes)
        told: dict[str, Any] = compiled.operations[name].reply.to_json(body)
        people += told.get("CongDan", [])
    assert [each["SoDinhDanh"] for each in people] == ["001099000001"] * 2
