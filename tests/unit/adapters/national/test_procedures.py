"""Administrative procedures: sessions, the cursor, and the sandbox against the contract."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import aiohttp
import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.national import NationalService
from adapters.national.cursor import pack, unpack
from adapters.national.procedures.codec import read_list, read_procedure
from adapters.national.procedures.sandbox import UNIT, ProceduresDesk
from adapters.national.sandbox_gateway import USER, NationalSandbox
from adapters.national.service import Answer
from schemas.errors import ConfigurationError, ContractMismatch, PartnerGarbage, PartnerRefused
from tests.unit.adapters.national.calls import CONTEXT, check, connect, desk, openapi


def session(sandbox: NationalSandbox, **config: Any) -> dict[str, Any]:
    login = f"{sandbox.url}/procedures/login"
    return {
        "kind": "portal-session",
        "login_url": login,
        "user": USER,
        "password": "lgsp",
        "dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider",
        **config,
    }


@pytest.fixture
def procedures(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "procedures", madonvi=UNIT, sign_on=session(sandbox))


async def test_the_list_in_one_session(
    procedures: NationalService, sandbox: NationalSandbox
) -> None:
    for _ in range(4):  # error_code comes in three types
        told = await procedures.call("procedures", {}, CONTEXT)
        assert [each["code"] for each in told["items"]] == ["1.000656", "1.001193", "2.000635"]
    assert desk(sandbox, ProceduresDesk).logins == 1


async def test_pitfall_5_a_lapsed_session_is_renewed_within_the_call(
    procedures: NationalService, sandbox: NationalSandbox
) -> None:
    await procedures.call("procedures", {}, CONTEXT)
    portal = desk(sandbox, ProceduresDesk)
    portal.sessions.clear()
    assert len((await procedures.call("procedures", {}, CONTEXT))["items"]) == 3
    assert portal.logins == 2


async def test_one_procedure_with_all_it_asks_for(procedures: NationalService) -> None:
    told = await procedures.call("procedure", {"code": "1.000656"}, CONTEXT)
    found = told["procedure"]
    assert found["name"] == "Thủ tục đăng ký khai tử"
    assert found["fields"] == [{"code": "G15-HT", "name": "Hộ tịch"}]
    assert found["cases"] == [{"name": None, "steps": ["Nộp", "Nhận"]}]
    assert [each["channel"] for each in found["ways"]] == ["1", "2"]
    assert found["ways"][0]["times"][0]["fees"][0]["amount"] == "8000"
    assert found["papers"][0]["name"] == "Tờ khai theo mẫu"
    assert found["requirements"] is None
    jsonschema.validate(told, procedures.operations["procedure"].reply)
    assert await procedures.call("procedure", {"code": "9.9"}, CONTEXT) == {"procedure": None}


async def test_a_cursor_tells_what_changed_since(
    procedures: NationalService, sandbox: NationalSandbox
) -> None:
    first = await procedures.call("changes", {}, CONTEXT)
    assert len(first["changed"]) == 3
    same = await procedures.call("changes", {"cursor": first["cursor"]}, CONTEXT)
    assert same == {"changed": [], "removed": [], "cursor": first["cursor"]}
    portal = desk(sandbox, ProceduresDesk)
    del portal.procedures["1.000656"]
    portal.procedures["1.001193"] = "Đăng ký khai sinh"
    portal.procedures["1.009999"] = "Thủ tục mới"
    later = await procedures.call("changes", {"cursor": first["cursor"]}, CONTEXT)
    assert [each["code"] for each in later["changed"]] == ["1.001193", "1.009999"]
    assert later["removed"] == ["1.000656"]
    end = await procedures.call("changes", {"cursor": later["cursor"]}, CONTEXT)
    assert (end["changed"], end["removed"]) == ([], [])


BOMB = base64.urlsafe_b64encode(zlib.compress(b'{"a":"' + b"x" * 20_000_000 + b'"}')).decode()


@pytest.mark.parametrize(
    "cursor",
    ["x", "AAAA", "không", base64.urlsafe_b64encode(zlib.compress(b"[]")).decode(), BOMB],
)
async def test_a_cursor_that_is_none_is_refused(
    procedures: NationalService, sandbox: NationalSandbox, cursor: str
) -> None:
    with pytest.raises(ContractMismatch, match="/cursor"):
        await procedures.call("changes", {"cursor": cursor}, CONTEXT)
    assert sandbox.asked["procedures"] == 0


@given(st.dictionaries(st.text(max_size=20), st.text("0123456789abcdef", min_size=8, max_size=8)))
def test_a_cursor_holds_what_was_packed(seen: dict[str, str]) -> None:
    assert unpack(pack(seen)) == seen


def test_a_cursor_of_a_whole_province_is_small() -> None:
    seen = {f"1.{number:06d}": f"{number * 2654435761 % 2**32:08x}" for number in range(2055)}
    assert len(pack(seen)) < 30_000


async def test_wrong_accounts_are_for_the_administrator(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    wrong = session(sandbox, user="nobody")
    procedures = connect(http, sandbox, "procedures", madonvi=UNIT, sign_on=wrong)
    with pytest.raises(ConfigurationError, match="account"):
        await procedures.call("procedures", {}, CONTEXT)
    other = connect(http, sandbox, "procedures", madonvi="H1", sign_on=session(sandbox))
    with pytest.raises(PartnerRefused, match="Mã đơn vị"):
        await other.call("procedures", {}, CONTEXT)


async def test_a_session_needs_a_json_body(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    business = connect(http, sandbox, "business", sign_on=session(sandbox))
    with pytest.raises(ConfigurationError, match="JSON"):
        await business.call("enterprise", {"code": "0100000001"}, CONTEXT)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_garbage(body: bytes) -> None:
    for read in (read_list, read_procedure):
        with pytest.raises(PartnerGarbage):
            read(Answer(200, body))


async def test_the_sandbox_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    contract, url = openapi("procedures"), f"{sandbox.url}/procedures"

    async def told(path: str, ask: dict[str, str]) -> Any:
        async with http.post(f"{url}{path}", data=orjson.dumps(ask)) as response:
            return await response.json()

    entered = await told("/login", {"username": USER, "password": "sandbox-secret"})
    check(contract, "/login", "post", entered)
    known = {"session": entered["session"], "madonvi": UNIT}
    for ask in (
        {"service": "LayDanhSachTTHC"},
        {"service": "LayThuTuc", "maTTHC": "1.000656"},
        {"service": "LayThuTuc", "maTTHC": "0"},
    ):
        check(contract, "/", "post", await told("", known | ask))
