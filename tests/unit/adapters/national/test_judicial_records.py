"""Judicial records: poll and acknowledge, stale reports; the sandbox against the contract."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema
import orjson
import pytest

from adapters.national import NationalService
from adapters.national.judicial_records.codec import read_done, read_states, read_submitted
from adapters.national.judicial_records.sandbox import JudicialRecordsDesk
from adapters.national.sandbox_gateway import NationalSandbox
from adapters.national.service import Answer
from schemas.errors import ContractMismatch, PartnerGarbage, PartnerRefused
from tests.unit.adapters.national.calls import CONTEXT, check, connect, desk, openapi, told_raw

NUMBER = "H99.19-261124-0001"
APPLICATION: dict[str, Any] = {
    "unit": "01",
    "dossier": NUMBER,
    "received": "2026-11-24",
    "promised": "2026-12-04",
    "declaration": {"fullName": "NGUYỄN THỊ MẪU", "genderId": "0", "identifyNo": "001099000001"},
    "residences": [{"fromDateStr": "01/2013", "toDateStr": "", "residencePlace": "Xã Mẫu"}],
}
CODES = frozenset({"1", "00"})


@pytest.fixture
def records(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "judicial-records")


async def test_an_application_and_its_states(
    records: NationalService, sandbox: NationalSandbox
) -> None:
    identity = (await records.call("submit", APPLICATION, CONTEXT))["id"]
    ministry = desk(sandbox, JudicialRecordsDesk)
    assert ministry.dossiers[NUMBER]["dateReceivedDec"] == "24/11/2026"
    ministry.advance(NUMBER, 5)
    for ask in ({"dossier": NUMBER}, {"dossier": NUMBER, "identityNumber": "001099000001"}):
        told = await records.call("state", ask, CONTEXT)
        assert told == {
            "id": identity,
            "dossier": NUMBER,
            "status": 5,
            "name": "Đã có phiếu",
            "approved": "2026-11-25",
            "issued": "2026-11-26",
        }


async def test_what_is_not_acknowledged_comes_again_and_what_is_never(
    records: NationalService,
) -> None:
    numbers = [f"H99.19-261124-000{each}" for each in range(1, 4)]
    for number in numbers:
        await records.call("submit", APPLICATION | {"dossier": number}, CONTEXT)
    first = await records.call("waitingStates", {}, CONTEXT)
    assert await records.call("waitingStates", {}, CONTEXT) == first
    assert [each["dossier"] for each in first["items"]] == numbers
    jsonschema.validate(first, records.operations["waitingStates"].reply)
    ids = [each["id"] for each in first["items"]]
    for _ in range(2):  # a repeat is no error
        done = await records.call("acknowledge", {"kind": "states", "ids": ids[:2]}, CONTEXT)
        assert done == {"stale": False}
    rest = await records.call("waitingStates", {}, CONTEXT)
    assert [each["id"] for each in rest["items"]] == ids[2:]


async def test_dossiers_filed_online_are_fetched_and_acknowledged(
    records: NationalService, sandbox: NationalSandbox
) -> None:
    number = desk(sandbox, JudicialRecordsDesk).file_online("NGUYỄN THỊ MẪU")
    told = await records.call("waitingDossiers", {"channel": "online"}, CONTEXT)
    assert [each["DECLARATION_ID"] for each in told["items"]] == [number]
    assert (await records.call("waitingDossiers", {"channel": "counter"}, CONTEXT))["items"] == []
    await records.call("acknowledge", {"kind": "online", "ids": [number]}, CONTEXT)
    told = await records.call("waitingDossiers", {"channel": "online"}, CONTEXT)
    assert told == {"items": []}


async def test_a_report_that_comes_too_late_is_done(records: NationalService) -> None:
    report = {
        "province": "01",
        "dossier": NUMBER,
        "status": 9,
        "number": "1/2026",
        "paper": "JVBERg==",
    }
    assert await records.call("report", report, CONTEXT) == {"stale": False}
    assert await records.call("report", report | {"status": 4}, CONTEXT) == {"stale": True}


async def test_refusals_keep_their_words(records: NationalService) -> None:
    with pytest.raises(PartnerRefused, match="genderId"):
        await records.call("submit", APPLICATION | {"declaration": {"fullName": "A"}}, CONTEXT)
    await records.call("submit", APPLICATION, CONTEXT)
    with pytest.raises(PartnerRefused, match="đã tồn tại"):
        await records.call("submit", APPLICATION, CONTEXT)
    with pytest.raises(PartnerRefused, match="Không tìm thấy"):
        await records.call("state", {"dossier": "other"}, CONTEXT)


@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        ("acknowledge", {"kind": "states", "ids": []}),
        ("acknowledge", {"kind": "states", "ids": ["a;b"]}),
        ("acknowledge", {"kind": "all", "ids": ["a"]}),
        ("report", {"province": "01", "dossier": NUMBER, "status": 11}),
        ("report", {"province": "01", "dossier": NUMBER, "status": 9, "paper": "%PDF"}),
        ("submit", APPLICATION | {"declaration": {}}),
    ],
)
async def test_what_cannot_be_right_is_refused_here(
    records: NationalService, operation: str, ask: dict[str, Any]
) -> None:
    with pytest.raises(ContractMismatch):
        await records.call(operation, ask, CONTEXT)


def test_garbage() -> None:
    for body in (b"{}", b"[]", b"<html/>", b'{"STATUS": "1", "LISTCONTENT": [1]}'):
        with pytest.raises(PartnerGarbage):
            read_states(CODES, Answer(200, body))
    with pytest.raises(PartnerGarbage):
        read_submitted(CODES, Answer(200, b'{"STATUS": "1"}'))


def test_a_status_in_words_other_than_known_is_a_refusal() -> None:
    body = orjson.dumps({"statusCode": "01", "errorDetail": "Hồ sơ không tồn tại"})
    with pytest.raises(PartnerRefused, match="không tồn tại"):
        read_done(CODES, Answer(200, body))


async def test_the_sandbox_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox, records: NationalService
) -> None:
    await records.call("submit", APPLICATION, CONTEXT)
    desk(sandbox, JudicialRecordsDesk).file_online("A")
    contract = openapi("judicial_records")
    for path, ask in (
        ("nhanHoSoDangKy", {}),
        ("traTrangThaiHs", {"idReceivedDec": NUMBER, "infoType": "2"}),
        ("traDsTrangThaiHs", {"infoType": "2"}),
        ("traHoSo", {"infoType": "1"}),
        ("danhDauHsThanhCong", {"declarationId": "x", "infoType": "3"}),
        ("traDanhMuc", {"infoType": "3"}),
        ("v2/lyLichTuPhap/traKetQuaHoSoLLTP", {"maHoSoMCDT": "a", "trangThaiXuLy": 5}),
        ("v2/lyLichTuPhap/traKetQuaHoSoLLTP", {"maHoSoMCDT": "a", "trangThaiXuLy": 4}),
    ):
        told = await told_raw(http, sandbox, f"judicial-records/{path}", ask)
        check(contract, f"/{path}", "post", told)
