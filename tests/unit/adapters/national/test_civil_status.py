"""Civil status: forms within a text, states, error codes; the sandbox against the contract."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema
import orjson
import pytest

from adapters.national import NationalService
from adapters.national.civil_status.codec import read_accepted, read_items, read_result, read_state
from adapters.national.civil_status.sandbox import CivilStatusDesk
from adapters.national.sandbox_gateway import NationalSandbox
from adapters.national.service import Answer
from schemas.errors import ConfigurationError, ContractMismatch, PartnerGarbage, PartnerRefused
from tests.unit.adapters.national.calls import CONTEXT, check, connect, desk, openapi, told_raw

COPY: dict[str, Any] = {
    "unit": "00001",
    "module": "BS",
    "dossier": "H99.129-261124-0001",
    "combinedDossier": "BS",
    "received": "2026-11-24",
    "form": {"loaiBanSao": 0, "cbsHoTen": {"Ho": "NGUYỄN", "Ten": 'MẪU "<&'}, "cbsSo": None},
}
ASK = {"unit": "00001", "dossier": "H99.129-261124-0001"}


@pytest.fixture
def civil(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "civil-status")


async def test_a_form_travels_as_json_within_json(
    civil: NationalService, sandbox: NationalSandbox
) -> None:
    told = await civil.call("register", COPY, CONTEXT)
    assert told == {"said": "Gửi thông tin thành công"}
    filed = desk(sandbox, CivilStatusDesk).filed[COPY["dossier"]]
    assert filed.form == COPY["form"]
    assert (filed.unit, filed.combined) == ("00001", "BS")


async def test_a_form_travels_as_xml_within_json(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    civil = connect(http, sandbox, "civil-status", form="xml")
    form = {"hoTen": 'MẪU "<&', "con": ["A", "B"], "chet": False, "ghiChu": None}
    await civil.call("register", COPY | {"unit": "1", "form": form}, CONTEXT)
    filed = desk(sandbox, CivilStatusDesk).filed[COPY["dossier"]]
    assert filed.form == {"hoTen": 'MẪU "<&', "con": "B", "chet": "0", "ghiChu": None}


async def test_from_reception_to_the_result(
    civil: NationalService, sandbox: NationalSandbox
) -> None:
    assert await civil.call("state", ASK, CONTEXT) == {"status": None, "said": None}
    assert (await civil.call("result", ASK, CONTEXT))["complete"] is False
    await civil.call("register", COPY, CONTEXT)
    ministry = desk(sandbox, CivilStatusDesk)
    for status in (1, 2, 3):
        ministry.advance(COPY["dossier"], status)
        assert (await civil.call("state", ASK, CONTEXT))["status"] == status
        assert await civil.call("result", ASK, CONTEXT) == {"complete": False, "items": []}
    ministry.advance(COPY["dossier"], 4)
    result = await civil.call("result", ASK, CONTEXT)
    assert result["complete"]
    assert result["items"][0]["so"] == "1"
    jsonschema.validate(result, civil.operations["result"].reply)
    changes = await civil.call("changes", {"module": "BS", "since": "2026-11-01"}, CONTEXT)
    (row,) = changes["items"]
    record = await civil.call("record", {"module": "BS", "id": row["id"]}, CONTEXT)
    assert record["items"][0]["quyenSo"] == "01/2026"
    asked = {"province": "1", "module": "BS", "dossiers": [COPY["dossier"], "other"]}
    (outcome,) = (await civil.call("records", asked, CONTEXT))["items"]
    assert outcome["maHoSoMCDT"] == COPY["dossier"]
    assert outcome["trangThai"] == 4


async def test_no_record_is_no_error(civil: NationalService) -> None:
    assert await civil.call("record", {"module": "BS", "id": "9"}, CONTEXT) == {"items": []}
    told = await civil.call("catalogue", {"catalogue": "countries"}, CONTEXT)
    assert told["items"] == [{"ma": "VN", "ten": "Việt Nam"}]


async def test_a_wrong_unit_is_the_ministrys_word(civil: NationalService) -> None:
    with pytest.raises(PartnerRefused, match="106 AGENCY_ID_INCORRECT"):
        await civil.call("register", COPY | {"unit": "99999"}, CONTEXT)


@pytest.mark.parametrize("code", [100, "101"])
def test_who_is_not_let_in_must_tell_the_administrator(code: object) -> None:
    body = orjson.dumps({"status": 0, "errorCode": code, "errorDescription": "x"})
    for read in (read_accepted, read_state, read_result, read_items):
        with pytest.raises(ConfigurationError):
            read(Answer(200, body))


@pytest.mark.parametrize("status", [200, 500])
def test_wrong_fields_of_2025_are_a_refusal_with_words_and_without_numbers(status: int) -> None:
    said = "cbsSoDDCN có độ dài vượt quá số lượng cho phép: 0990000000001"
    body = orjson.dumps({"title": "Có lỗi xảy ra.", "errors": said, "status": 500})
    with pytest.raises(PartnerRefused, match="độ dài") as caught:
        read_accepted(Answer(status, body))
    assert "0990000000001" not in caught.value.detail.vi


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"status": 1'])
def test_garbage(body: bytes) -> None:
    for read in (read_accepted, read_state, read_result, read_items):
        with pytest.raises(PartnerGarbage):
            read(Answer(200, body))


def test_status_0_without_a_code_is_a_refusal() -> None:
    body = b'{"status": "0", "statusDescription": "L\xe1\xbb\x97i"}'
    for read in (read_accepted, read_state, read_items):
        with pytest.raises(PartnerRefused, match="Lỗi"):
            read(Answer(200, body))


@pytest.mark.parametrize(
    "change",
    [
        {"form": {}},
        {"form": {"a b": 1}},
        {"form": {"<x>": 1}},
        {"form": {"a": {"1b": 1}}},
        {"received": "24/11/2026"},
        {"module": "bản sao"},
        {"unit": "H99"},
    ],
)
async def test_what_cannot_be_written_is_refused_here(
    civil: NationalService, sandbox: NationalSandbox, change: dict[str, Any]
) -> None:
    with pytest.raises(ContractMismatch):
        await civil.call("register", COPY | change, CONTEXT)
    assert sandbox.asked["civil-status"] == 0


async def test_a_form_without_an_end_is_refused(civil: NationalService) -> None:
    form: dict[str, Any] = {"a": 1}
    for _ in range(50):
        form = {"a": form}
    with pytest.raises(ContractMismatch):
        await civil.call("register", COPY | {"form": form}, CONTEXT)


async def test_a_control_character_is_refused_in_xml(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    civil = connect(http, sandbox, "civil-status", form="xml")
    with pytest.raises(ContractMismatch):
        await civil.call("register", COPY | {"form": {"a": "\x01"}}, CONTEXT)


async def test_the_sandbox_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox, civil: NationalService
) -> None:
    await civil.call("register", COPY, CONTEXT)
    ministry, contract = desk(sandbox, CivilStatusDesk), openapi("civil_status")
    asked = {"maDonVi": "00001", "maHoSo": COPY["dossier"]}
    for status in (1, 4):
        ministry.advance(COPY["dossier"], status)
        for path, ask in (
            ("traTrangThaiHoSo", asked),
            ("traTrangThaiHoSo", {"maHoSo": "x"}),
            ("ketQuaDangKyHS", asked),
            ("dsHoSoDangKy", {"module": "BS", "ngayCapNhat": "01/01/2026"}),
            ("traHoSo", {"module": "BS", "maHoSo": "1"}),
            ("traDanhSachHoSo", {"dsMaHoSo": [COPY["dossier"]]}),
            ("danhMuc", {"loaiDanhMuc": "1"}),
        ):
            told = await told_raw(http, sandbox, f"civil-status/{path}", ask)
            check(contract, f"/{path}", "post", told)
