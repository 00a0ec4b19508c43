"""Long answers in pieces: the same rows and bytes however the answer is cut."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vxp.rows import Rows, base64_data
from schemas.errors import PartnerGarbage


async def cut_into(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


ROWS = st.lists(st.dictionaries(st.sampled_from(["docId", "from"]), st.text()), max_size=20)


@given(ROWS, st.integers(1, 40), st.booleans())
async def test_the_rows_are_those_of_the_answer(
    rows: list[dict[str, str]], size: int, plain: bool
) -> None:
    answer = {"status": "OK", "ErrorCode": "0", "data": rows, "ErrorDesc": "Thành công"}
    body = json.dumps(answer, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    if b"\xed" in body and not plain:
        return  # lone surrogates are no UTF-8
    reader = Rows(cut_into(body, size))
    assert [row async for row in reader] == rows
    assert reader.reply is not None
    assert reader.reply.ok


async def test_a_refusal_has_no_rows() -> None:
    reader = Rows(cut_into(b'{"status":"FAIL","ErrorCode":"15","ErrorDesc":"x"}', 7))
    assert [row async for row in reader] == []
    assert reader.reply is not None
    assert (reader.reply.ok, reader.reply.code) == (False, "15")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"status":"OK","data":[{"a":1}', b'{"status":"OK","data":[1]}', b"\xff\xfe"],
)
async def test_what_is_no_list_is_garbage(body: bytes) -> None:
    with pytest.raises(PartnerGarbage):
        [row async for row in Rows(cut_into(body, 5))]


@given(st.binary(min_size=1, max_size=200), st.integers(1, 50), st.booleans())
async def test_base64_comes_out_as_it_went_in(content: bytes, size: int, escaped: bool) -> None:
    text = base64.b64encode(content).decode()
    if escaped:
        text = text.replace("/", "\\/").replace("=", "\\u003d")
    body = f'{{"status":"OK","ErrorCode":"0","data":"{text}"}}'.encode()
    assert b"".join([piece async for piece in base64_data(cut_into(body, size))]) == content


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"FAIL"}',
        b'{"data":"QUJD',
        b'{"data":"QUJ"}',
        b'{"data":"QU?D"}',
        b'{"data":"QUI=QUJD"}',
        b'{"data":"QUJ\\"}',
    ],
)
@pytest.mark.parametrize("size", [1, 4, 100])
async def test_a_packet_that_is_cut_off_or_spoiled_is_garbage(body: bytes, size: int) -> None:
    with pytest.raises(PartnerGarbage):
        [piece async for piece in base64_data(cut_into(body, size))]


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_escapes_of_json_stand_for_what_they_mean(size: int) -> None:
    body = rb'{"data":"\u0051UJ\/\r\nQQ\u003D\u003d\u000a"}'
    assert [piece async for piece in base64_data(cut_into(body, size))][-1].endswith(b"A")


async def test_a_row_of_endless_nesting_is_garbage() -> None:
    body = b'{"status":"OK","data":[{"from":' + b"[" * 100_000
    with pytest.raises(PartnerGarbage, match="nesting"):
        [row async for row in Rows(cut_into(body, 65_536))]
