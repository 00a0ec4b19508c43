"""The combined service: the order of statuses, and sentences as protocol."""

from __future__ import annotations

import unicodedata
from typing import Any

import aiohttp
import jsonschema
import orjson
import pytest

from adapters.national import NationalService
from adapters.national.combined.codec import SENTENCES, Meaning, judge, missing, read_told
from adapters.national.combined.sandbox import CombinedDesk
from adapters.national.sandbox_gateway import NationalSandbox
from adapters.national.service import Answer
from schemas.errors import (
    ContractMismatch,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)
from tests.unit.adapters.national.calls import CONTEXT, check, connect, desk, openapi, told_raw

NUMBER = "G22.99.99-261124-0001"


def update(status: int, **more: Any) -> dict[str, Any]:
    result = {"result": {"maGiayToKetQua": "KQ.G15.000031"}} if status == 4 else {}
    return {
        "procedure": "2.001023",
        "combinedDossier": NUMBER,
        "dossier": "H99.19-261124-0035",
        "agency": 5,
        "status": status,
        "at": "2026-11-24T03:30:00Z",
        **result,
        **more,
    }


@pytest.fixture
def combined(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "combined")


async def test_in_order_every_status_is_taken_and_afterwards_ignored(
    combined: NationalService, sandbox: NationalSandbox
) -> None:
    for status in (1, 3, 2, 7, 4, 5):
        told = await combined.call("tellStatus", update(status), CONTEXT)
        assert told["effect"] == "told"
    for status in (1, 4, 5):
        told = await combined.call("tellStatus", update(status), CONTEXT)
        assert told["effect"] == "ignored"
        jsonschema.validate(told, combined.operations["tellStatus"].reply)
    service = desk(sandbox, CombinedDesk)
    assert service.told[NUMBER] == [1, 3, 2, 7, 4, 5]
    assert service.results[NUMBER] == {"maGiayToKetQua": "KQ.G15.000031"}


async def test_out_of_order_the_service_wants_the_missing_first(combined: NationalService) -> None:
    with pytest.raises(PartnerUnavailable, match="trạng thái 1"):
        await combined.call("tellStatus", update(4), CONTEXT)
    for status in (1, 3):
        await combined.call("tellStatus", update(status), CONTEXT)
    with pytest.raises(PartnerUnavailable, match="trạng thái 7"):
        await combined.call("tellStatus", update(4), CONTEXT)
    await combined.call("tellStatus", update(7), CONTEXT)
    assert (await combined.call("tellStatus", update(4), CONTEXT))["effect"] == "told"


async def test_a_refusal_ends_it(combined: NationalService) -> None:
    for status in (1, 6):
        await combined.call("tellStatus", update(status), CONTEXT)
    assert (await combined.call("tellStatus", update(3), CONTEXT))["effect"] == "ignored"
    unknown = update(1, combinedDossier="G22.99.99-261124-9999")
    assert (await combined.call("tellStatus", unknown, CONTEXT))["effect"] == "ignored"


@pytest.mark.parametrize(
    ("told", "status", "lacking"),
    [
        ((), 1, ()),
        ((), 4, (1, 3, 7)),
        ((1, 3), 4, (7,)),
        ((1, 7), 4, (3,)),
        ((1, 3, 7), 5, (4,)),
        ((1, 2, 3, 7, 4), 5, ()),
        ((), 2, (1,)),
        ((1,), 6, ()),
    ],
)
def test_what_is_missing(told: tuple[int, ...], status: int, lacking: tuple[int, ...]) -> None:
    assert missing(told, status) == lacking


@pytest.mark.parametrize(
    "ask",
    [
        update(4, told=[1, 3]),
        update(3, result={"a": 1}),
        update(4, result=None),
        update(8),
        update(1, at="24/11/2026 10:30:00"),
        update(1, at="2026-11-24T10:30:00"),
        update(1, combinedDossier="../x"),
    ],
)
async def test_what_cannot_be_right_is_refused_here(
    combined: NationalService, sandbox: NationalSandbox, ask: dict[str, Any]
) -> None:
    with pytest.raises(ContractMismatch):
        await combined.call("tellStatus", ask, CONTEXT)
    assert sandbox.asked["combined"] == 0


async def test_a_dossier_and_its_module(combined: NationalService) -> None:
    told = await combined.call("dossier", {"dossier": NUMBER}, CONTEXT)
    assert told["module"] == "LTKS"
    assert told["dossier"]["duLieu"] == {"hoTen": "MẪU"}
    with pytest.raises(PartnerRefused):
        await combined.call("dossier", {"dossier": "G22.99.99-261124-9999"}, CONTEXT)


@pytest.mark.parametrize(("part", "meaning"), SENTENCES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_sentence_in_any_form_and_case(part: str, meaning: Meaning, form: Any) -> None:
    said = unicodedata.normalize(form, f"Hồ sơ {part.upper()} !")
    assert judge(said) is meaning


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Hồ sơ chưa được gửi không thể cập nhật trạng thái", PartnerUnavailable),
        ("Server Error", PartnerGarbage),
        ("Client received SOAP Fault from server: x", PartnerGarbage),
        ("Logic xử lý không hợp lệ", PartnerRefused),
        ("Cập nhật không thành công", PartnerRefused),
    ],
)
def test_the_sentence_decides_whatever_the_status(
    status: int, said: str, error: type[Exception]
) -> None:
    for body in (said.encode(), orjson.dumps({"errors": {"x": [said]}, "title": "y"})):
        with pytest.raises(error):
            read_told(Answer(status, body))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(200, b"OK"), PartnerGarbage),
        (Answer(200, b"<html>"), PartnerGarbage),
        (Answer(200, b"{"), PartnerGarbage),
        (Answer(400, b"{}"), PartnerRefused),
        (Answer(503, b""), PartnerUnavailable),
        (Answer(504, b""), PartnerTimeout),
    ],
)
def test_without_a_known_sentence_the_status_decides(
    answer: Answer, error: type[Exception]
) -> None:
    with pytest.raises(error):
        read_told(answer)


async def test_the_sandbox_takes_and_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    contract = openapi("combined")
    path = "/api/lienthongdvclt/hosolienthong/{id}"
    told = await told_raw(http, sandbox, f"combined{path.format(id=NUMBER)}")
    check(contract, path, "get", told)
    path = "/api/lienthongdvclt/capNhatTrangThai"
    ask = {"soHoSoLT": NUMBER, "trangThai": 1, "thoiGianThucHien": "24/11/2026 10:30:00"}
    check(contract, path, "post", await told_raw(http, sandbox, f"combined{path}", ask))
