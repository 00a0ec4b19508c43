"""Business registration: its codec, and its sandbox against the pinned contract."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema
import orjson
import pytest
from yarl import URL

from adapters.national import NationalService
from adapters.national.business.codec import read_dossiers, read_enterprise
from adapters.national.sandbox_gateway import NationalSandbox
from adapters.national.service import Answer
from schemas.errors import ContractMismatch, PartnerGarbage, PartnerRefused
from tests.unit.adapters.national.calls import CONTEXT, check, connect, openapi, told_raw


@pytest.fixture
def business(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "business")


async def test_an_enterprise_reads_alike_direct_and_through_ngsp(
    business: NationalService,
) -> None:
    first = await business.call("enterprise", {"code": "0100000002"}, CONTEXT)
    second = await business.call("enterprise", {"code": "0100000002"}, CONTEXT)
    assert first == second
    found = first["enterprise"]
    assert found["name"] == "CÔNG TY CỔ PHẦN VÍ DỤ"
    assert found["founded"] == "2020-01-31"
    assert found["lastChanged"] is None
    assert found["shortName"] is None
    assert found["legalRepresentatives"] == ["Trần Văn Thử", "Lò Văn Ví Dụ"]
    assert found["headOffice"]["ward"] == "Xã Mẫu"  # HOAdress, as the register writes it
    assert [each["main"] for each in found["activities"]] == [True, False]
    jsonschema.validate(first, business.operations["enterprise"].reply)


async def test_amounts_keep_every_digit(business: NationalService) -> None:
    told = await business.call("enterprise", {"code": "0100000001"}, CONTEXT)
    assert told["enterprise"]["capital"] == "5000000000.10"
    assert told["enterprise"]["members"][0]["amount"] == "5000000000.10"


async def test_status_0_in_http_200_is_nobody_or_a_refusal(business: NationalService) -> None:
    told = await business.call("enterprise", {"code": "9999999999"}, CONTEXT)
    assert told == {"enterprise": None}
    none = await business.call("dossierStatus", {"number": "999"}, CONTEXT)
    assert none == {"items": []}


@pytest.mark.parametrize("status", ["0", 0, "-1", None])
def test_a_refusal_keeps_the_words(status: object) -> None:
    body = orjson.dumps({"Status": status, "Message": "Sai định dạng msdn 0100000001"})
    for read in (read_enterprise, read_dossiers):
        with pytest.raises(PartnerRefused, match="Sai định dạng") as caught:
            read(Answer(200, body))
        assert "0100000001" not in caught.value.detail.vi


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"MainInformation": [1]}', b"[" * 10_000])
def test_garbage(body: bytes) -> None:
    with pytest.raises(PartnerGarbage):
        read_enterprise(Answer(200, body))


def test_lists_of_one_may_be_written_as_an_object() -> None:
    body = b'{"MainInformation": {"NAME": "A"}, "Member": {"MEMBER_NAME": "B"}, "Status": "1"}'
    found = read_enterprise(Answer(200, body)).enterprise
    assert found is not None
    assert [each.name for each in found.members] == ["B"]


async def test_lists_of_five_days_by_pages(business: NationalService) -> None:
    period = {"since": "2026-11-01", "until": "2026-11-06"}
    whole = await business.call("dossiers", period, CONTEXT)
    assert len(whole["items"]) == 6
    page = await business.call("dossiers", period | {"offset": 4, "limit": 10}, CONTEXT)
    assert page["items"] == whole["items"][4:]
    today = await business.call("dossiersToday", {"since": "07:30"}, CONTEXT)
    assert len(today["items"]) == 1
    number = whole["items"][2]["IN_JOURNAL_NO"]
    one = await business.call("dossierStatus", {"number": number}, CONTEXT)
    assert one["items"] == [whole["items"][2]]


@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        ("dossiers", {"since": "2026-11-01", "until": "2026-11-07"}),
        ("dossiers", {"since": "2026-11-02", "until": "2026-11-01"}),
        ("dossiersToday", {"since": "12:00", "until": "11:00"}),
        ("dossiersToday", {"since": "24:00"}),
        ("enterprise", {"code": "123"}),
        ("enterprise", {}),
    ],
)
async def test_what_the_register_would_refuse_is_refused_here(
    business: NationalService, sandbox: NationalSandbox, operation: str, ask: dict[str, Any]
) -> None:
    with pytest.raises(ContractMismatch):
        await business.call(operation, ask, CONTEXT)
    assert sandbox.asked["business"] == 0


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/chiTietDoanhNghiep", {"msdn": "0100000001"}),
        ("/chiTietDoanhNghiep", {"msdn": "0100000002-001"}),
        ("/chiTietDoanhNghiep", {"msdn": "9999999999"}),
        ("/danhSachHoSoTrongNgay", {"from_ts": "00:00", "to_ts": "23:59"}),
        ("/danhSachHoSo", {"from_date": "01/11/2026", "to_date": "05/11/2026"}),
        ("/danhSachHoSo", {"from_date": "01/11/2026", "to_date": "30/11/2026"}),
        ("/tinhTrangHoSo", {"in_journal_no": "2611010001"}),
    ],
)
async def test_the_sandbox_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox, path: str, query: dict[str, str]
) -> None:
    for _ in range(2):  # it takes turns
        url = URL(f"business{path}").with_query(query)
        check(openapi("business"), path, "get", await told_raw(http, sandbox, str(url)))
