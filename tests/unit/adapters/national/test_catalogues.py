"""Shared catalogues: JSON and XML read alike, sentences understood."""

from __future__ import annotations

import aiohttp
import jsonschema
import orjson
import pytest

from adapters.national import NationalService
from adapters.national.catalogues.codec import read_addition, read_categories, read_rows
from adapters.national.sandbox_gateway import NationalSandbox
from adapters.national.service import Answer
from schemas.errors import ContractMismatch, PartnerGarbage, PartnerRefused
from tests.unit.adapters.national.calls import CONTEXT, check, connect, openapi, told_raw


@pytest.fixture
def catalogues(http: aiohttp.ClientSession, sandbox: NationalSandbox) -> NationalService:
    return connect(http, sandbox, "catalogues")


@pytest.mark.parametrize("category", ["madantoc", "qlvanbandieuhanhcap1"])
async def test_rows_read_alike_as_json_and_as_xml(
    catalogues: NationalService, category: str
) -> None:
    first = await catalogues.call("rows", {"category": category}, CONTEXT)
    second = await catalogues.call("rows", {"category": category}, CONTEXT)
    assert first == second
    assert first["rows"]
    jsonschema.validate(first, catalogues.operations["rows"].reply)


async def test_what_has_no_value_is_null(catalogues: NationalService) -> None:
    told = await catalogues.call("rows", {"category": "qlvanbandieuhanhcap1"}, CONTEXT)
    assert told["rows"][0]["NgayBanHanhQd"] is None


async def test_catalogues_and_columns(catalogues: NationalService) -> None:
    told = await catalogues.call("categories", {}, CONTEXT)
    assert told == {"categories": ["madantoc", "qlvanbandieuhanhcap1"]}
    columns = await catalogues.call("metadata", {"category": "madantoc"}, CONTEXT)
    assert columns["properties"][0] == {
        "code": "MaDanToc",
        "name": "Mã dân tộc",
        "type": "String",
    }


async def test_a_repeated_addition_is_no_error(catalogues: NationalService) -> None:
    ask = {"category": "madantoc", "row": {"MaDanToc": "03", "TenDanToc": "Thái"}}
    assert await catalogues.call("add", ask, CONTEXT) == {"added": 1, "duplicate": False}
    assert await catalogues.call("add", ask, CONTEXT) == {"added": 0, "duplicate": True}
    rows = await catalogues.call("rows", {"category": "madantoc"}, CONTEXT)
    assert len(rows["rows"]) == 3


async def test_other_sentences_are_refusals_with_their_words(catalogues: NationalService) -> None:
    ask = {"category": "madantoc", "row": {"TenDanToc": "Thái"}}
    with pytest.raises(PartnerRefused, match="required") as caught:
        await catalogues.call("add", ask, CONTEXT)
    assert caught.value.context["partner_code"] == "record 1"
    for operation in ("rows", "metadata"):
        with pytest.raises(PartnerRefused, match="not found"):
            await catalogues.call(operation, {"category": "none"}, CONTEXT)


@pytest.mark.parametrize("category", ["../x", "", "a/b", "a?b"])
async def test_a_category_is_a_name(catalogues: NationalService, category: str) -> None:
    with pytest.raises(ContractMismatch):
        await catalogues.call("rows", {"category": category}, CONTEXT)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Entries": {"Entry": [{"Ma": "1"}, {"Ma": ""}]}}',
        b'[{"Ma": "1"}, {"Ma": null}]',
        b"<Entries><Entry><Ma>1</Ma></Entry><Entry><Ma/></Entry></Entries>",
    ],
)
def test_forms_that_a_data_service_has(body: bytes) -> None:
    assert read_rows(Answer(200, body)).rows == ({"Ma": "1"}, {"Ma": None})


def test_a_list_of_one_and_a_list_of_names() -> None:
    assert read_rows(Answer(200, b'{"Entries": {"Entry": {"A": 1, "B": 2}}}')).rows == (
        {"A": "1", "B": "2"},
    )
    assert read_categories(Answer(200, b'["a", "b"]')).categories == ("a", "b")
    assert read_categories(Answer(200, b"<c><d>a</d></c>")).categories == ("a",)


@pytest.mark.parametrize("body", [b"<html/>", b"<a", b"7", b"<!DOCTYPE a><a/>", b""])
def test_garbage(body: bytes) -> None:
    with pytest.raises(PartnerGarbage):
        read_rows(Answer(200, body))
    with pytest.raises(PartnerGarbage):
        read_addition(Answer(200, body or b"{}"))


def test_the_verbatim_duplicate_of_a_public_client() -> None:
    said = 'Data not insert: Record 1: MaDinhDanhCap1 "000.00.00.H99 is duplicate'
    found = read_addition(Answer(200, orjson.dumps({"MSG": said, "Count": 0})))
    assert (found.added, found.duplicate) == (0, True)


async def test_the_sandbox_answers_as_the_contract_says(
    http: aiohttp.ClientSession, sandbox: NationalSandbox
) -> None:
    contract = openapi("catalogues")
    for path in ("AllCategory", "Metadata/madantoc", "Category/madantoc", "Category/none"):
        told = await told_raw(http, sandbox, f"catalogues/{path}")
        part = f"/{path.partition('/')[0]}" + ("/{category}" if "/" in path else "")
        check(contract, part, "get", told)
    for row in ({"MaDanToc": "09"}, {"MaDanToc": "09"}, {}):
        told = await told_raw(http, sandbox, "catalogues/Category/madantoc", [row])
        check(contract, "/Category/{category}", "post", told)
