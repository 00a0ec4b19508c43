"""Social insurance: its codec, and its sandbox against the pinned contract."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema
import orjson
import pytest

from adapters.national import NationalService
from adapters.national.insurance.codec import read_member
from adapters.national.sandbox_gateway import NationalSandbox
from adapters.national.service import Answer
from schemas.errors import ContractMismatch, PartnerGarbage, PartnerRefused
from tests.unit.adapters.national.calls import CONTEXT, check, connect, openapi, told_raw

MAU: dict[str, Any] = {"fullName": "Nguyễn Thị Mẫu", "birth": "1999-01-31", "sex": "female"}


@pytest.fixture
def insurance(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "insurance")


async def test_a_member_reads_alike_with_and_without_the_envelope(
    insurance: NationalService,
) -> None:
    first = await insurance.call("member", {"number": "0100000001"}, CONTEXT)
    second = await insurance.call("member", {"number": "0100000001"}, CONTEXT)
    assert first == second
    assert first["member"]["birth"] == "1999-01-31"
    assert first["member"]["sex"] == "female"
    assert first["member"]["oldBook"] is None
    jsonschema.validate(first, insurance.operations["member"].reply)


async def test_nobody_is_null_with_and_without_the_envelope(insurance: NationalService) -> None:
    for _ in range(2):
        told = await insurance.call("member", {"number": "9999999999"}, CONTEXT)
        assert told == {"member": None}
        number = await insurance.call("findNumber", MAU | {"sex": "male"}, CONTEXT)
        assert number == {"number": None, "status": None}


async def test_a_person_is_found_by_as_much_of_the_birth_as_is_known(
    insurance: NationalService,
) -> None:
    number = await insurance.call("findNumber", MAU, CONTEXT)
    assert number["number"] == "0100000001"
    old = {"province": "01", "fullName": "Lò Văn Ví Dụ", "birth": "1950", "sex": "male"}
    told = await insurance.call("household", old, CONTEXT)
    assert told["member"]["birth"] == "1950"
    assert told["member"]["household"] == "H0002"


@pytest.mark.parametrize(
    ("row", "birth"),
    [
        ({"ngaySinh": "19500000", "loaiNgaySinh": "1"}, "1950"),
        ({"ngaySinh": "19500300", "loaiNgaySinh": 2}, "1950-03"),
        ({"ngaySinh": "1950", "loaiNgaySinh": "2"}, "1950"),
        ({"ngaySinh": "19500230", "loaiNgaySinh": "0"}, None),
        ({}, None),
    ],
)
def test_a_birth_is_no_more_exact_than_the_insurance_says(
    row: dict[str, Any], birth: str | None
) -> None:
    member = read_member(Answer(200, orjson.dumps({"hoTen": "A", **row}))).member
    assert member is not None
    assert member.birth == birth


def test_an_error_without_a_person_is_a_refusal() -> None:
    for body in ({"errorCode": "E12"}, {"response": {"x": {"errorCode": "E12"}}}):
        with pytest.raises(PartnerRefused, match="E12"):
            read_member(Answer(200, orjson.dumps(body)))
    deep: dict[str, Any] = {"a": {}}
    for _ in range(20):
        deep = {"a": deep}
    for garbage in (b"{}", b'{"code": 200}', orjson.dumps(deep)):
        with pytest.raises(PartnerGarbage):
            read_member(Answer(200, garbage))


@pytest.mark.parametrize("ask", [{"birth": "31/01/1999"}, {"sex": "1"}, {"province": "Hà Nội"}])
async def test_wrong_questions_are_refused_here(
    insurance: NationalService, ask: dict[str, Any]
) -> None:
    with pytest.raises(ContractMismatch):
        await insurance.call("findNumber", MAU | ask, CONTEXT)


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("/getTraCuuTtHgdByMaSoBhxh", {"maSoBhxh": "0100000001"}),
        ("/getTraCuuTtHgdByMaSoBhxh", {"maSoBhxh": "0"}),
        ("/getMaSoBhxhTheoTieuChi", {"hoTen": "Lò Văn Ví Dụ"}),
        ("/getTraCuuThongTinHgd", {}),
    ],
)
async def test_the_sandbox_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox, path: str, ask: dict[str, Any]
) -> None:
    for _ in range(2):  # it takes turns
        told = await told_raw(http, sandbox, f"insurance{path}", ask)
        check(openapi("insurance"), path, "post", told)
