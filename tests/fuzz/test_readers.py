"""Damaged requests and answers: what the readers at the doors make of them does not depend on how
they arrive, and whatever they refuse, they refuse by an error of ours.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vxp.facade import FILE_PART
from adapters.vxp.rows import Rows, base64_data
from adapters.vxp.signing import (
    PREFIX,
    WINDOW,
    SignatureRefused,
    claimed_system,
    timestamp,
    verify,
)
from bus.gateway.limits import GatewayLimits
from bus.gateway.problems import StatusError
from bus.gateway.soap.request import opened
from schemas.errors import InvalidRequest, LgspError, PartnerGarbage
from schemas.multipart import MediaType, Part, parts
from tests.fuzz.damage import PROFILE, TIMEOUT, cut, damaged, edits, places
from tests.integration.soap_harness import envelope, mtom, security

Value = TypeVar("Value")
VECTORS = Path(__file__).parents[1] / "vectors" / "soap"
LIMITS = GatewayLimits()


async def _in_pieces(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        if piece:
            yield piece


def _done(reading: Coroutine[Any, Any, Value]) -> Value | None:
    """None when it was refused, which says in both languages what happened."""
    try:
        return asyncio.run(reading)
    except StatusError:
        return None
    except LgspError as error:
        assert error.detail.vi.strip()  # noqa: PT017 - reading may succeed
        assert error.detail.en.strip()  # noqa: PT017
        return None


# --- SOAP -----------------------------------------------------------------------------------------

ASKED: dict[str, dict[str, Any]] = {
    "SearchAgencies": {"query": "văn phòng", "limit": 5},
    "SendStatus": {"status": {"responseFor": {"organId": "H38.01", "code": "1/VP"}}},
    "SendDocument": {"messageRef": "1", "packet": b"<?xml version='1.0'?><edXML/>"},
}
ENVELOPES = [envelope(name, members) for name, members in ASKED.items()]
ENVELOPES += [envelope("ListWaiting", {"limit": 1}, header=security("van-phong", "khoa"))]
WHOLE = [
    *(b"<o:a>1</o:a>", b"<o:packet>UEs=</o:packet>", b"<o:packet/>", b"<!-- -->", b"<?a?>", b"x"),
    *(b'<a xmlns=""/>', b"<e:Header><b/></e:Header>", b"<![CDATA[eA==]]>", b"&amp;", b" \r\n"),
    *(b"<e:Header><b e:mustUnderstand='1'/></e:Header>", b"<o:a><o:b/><o:b>2</o:b></o:a>"),
    b'<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:%zz"/>',
]
SOAP_HARM = (
    st.binary(max_size=6)
    | st.sampled_from(WHOLE)
    | st.sampled_from(
        [
            *(b"<o:packet>", b"</o:packet>", b"<e:Body>", b"</e:Body>", b"<!DOCTYPE a>", b"&#0;"),
            *(b' e:mustUnderstand="1"', b' href="cid:p"', b"\x00", b"\xff", b"="),
            b'xmlns:e="http://www.w3.org/2003/05/soap-envelope"',
        ]
    )
)


async def _soap(pieces: Iterable[bytes], media: MediaType) -> tuple[object, ...]:
    async with opened(_in_pieces(pieces), media, LIMITS) as request:
        await request.begin()
        read = request.envelope
        packet = [piece async for piece in request.packet()] if read.has_packet else []
        return read.operation, read.arguments, read.username, read.password, b"".join(packet)


@pytest.mark.timeout(TIMEOUT)
@PROFILE
@given(damaged(ENVELOPES, edits(SOAP_HARM, WHOLE)), places)
def test_soap_envelopes(data: bytes, places: list[int]) -> None:
    media = MediaType("text/xml", {})
    assert _done(_soap([data], media)) == _done(_soap(cut(data, places), media))


# --- multipart ------------------------------------------------------------------------------------


def _vector(path: Path) -> tuple[bytes, bytes]:
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    (media,) = (line for line in head.split(b"\r\n") if line.startswith(b"Content-Type: "))
    return media.removeprefix(b"Content-Type: "), body


INCLUDING = envelope("SendDocument", {"packet": b""}).replace(
    b"<o:packet></o:packet>",
    b'<o:packet><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:p"/>'
    b"</o:packet>",
)
BOUNDARY = "uuid:b-1"
RELATED = [mtom(INCLUDING, {"q": b"other", "p": b"<edXML/>\r\n"}, boundary=BOUNDARY)[0]]
RELATED += [mtom(INCLUDING, {"p": b""}, boundary=BOUNDARY)[0]]
for _path in VECTORS.glob("*mtom*.http"):
    _media, _body = _vector(_path)
    RELATED.append(
        _body.replace(MediaType.of(_media).parameters["boundary"].encode(), BOUNDARY.encode())
    )
_FORM = '--{0}\r\nContent-Disposition: form-data; name="{1}"{2}\r\n\r\nx\r\n--{0}--'
FORMS = [
    _FORM.format(BOUNDARY, FILE_PART, '; filename="gói.edxml"').encode(),
    _FORM.format(BOUNDARY, "document", "\r\nContent-Type: application/json").encode(),
]
MIME_HARM = st.binary(max_size=6) | st.sampled_from(
    [
        *(b"\r\n", b"\n", b"--", BOUNDARY.encode(), f"\r\n--{BOUNDARY}\r\n".encode(), b"\r\n\r\n"),
        *(
            f"--{BOUNDARY}--".encode(),
            b"Content-ID: <p>\r\n",
            b'; name="x"',
            b"; filename*=utf-8''a",
        ),
        *(
            b"Content-Transfer-Encoding: base64\r\n",
            b"A: b\r\n" * 9,
            b"a" * 5_000,
            b'"',
            b"\\",
            b";",
        ),
    ]
)


async def _parts(pieces: Iterable[bytes], media: MediaType) -> list[tuple[Part, bytes]]:
    """Every part and its bytes; each has an end."""
    found: list[tuple[Part, bytes]] = []
    ended = 0
    async for item in parts(_in_pieces(pieces), media):
        if isinstance(item, Part):
            found.append((item, b""))
        elif item == "end":
            ended += 1
        else:
            part, data = found.pop()
            found.append((part, data + item))
    assert ended == len(found)
    return found


@pytest.mark.timeout(TIMEOUT)
@PROFILE
@given(damaged([*RELATED, *FORMS], edits(MIME_HARM)), places)
def test_multipart_bodies(data: bytes, places: list[int]) -> None:
    media = MediaType("multipart/form-data", {"boundary": BOUNDARY})
    found = _done(_parts([data], media))
    assert found == _done(_parts(cut(data, places), media))
    related = MediaType("multipart/related", {"boundary": BOUNDARY, "type": "application/xop+xml"})
    assert _done(_soap([data], related)) == _done(_soap(cut(data, places), related))


@pytest.mark.timeout(TIMEOUT)
@PROFILE
@given(damaged([_vector(path)[0] for path in VECTORS.glob("*.http")], edits(MIME_HARM)))
def test_content_types(header: bytes) -> None:
    media = MediaType.of(header)
    assert media.name == media.name.lower()
    try:
        asyncio.run(_parts([RELATED[0]], media))
    except InvalidRequest as error:
        assert error.detail.vi.startswith("Không đọc được multipart: ")  # noqa: PT017 - may succeed


# --- the axis's signature and answers -------------------------------------------------------------

SECRET = b"c2VjcmV0"
NOW = datetime(2026, 11, 22, 11, 34, 26, 363_000, tzinfo=UTC)
FIELDS = {"systemid": "00.38.W00", "messagetype": "edoc", "docId": "1", "timestamp": timestamp(NOW)}
JSON_HARM = st.binary(max_size=6) | st.sampled_from(
    [
        *(
            b'"',
            b"\\",
            b"\\ud800",
            b"{",
            b"}",
            b"[",
            b"[" * 3_000,
            b"null",
            b"NaN",
            b"1e999",
            b"\xff",
        ),
        *(b"9" * 5_000, b'"XroadVnpt-systemid":"",', b'"XroadVnpt-timestamp":"",', b'"a":1,'),
        *(b"+", b"9" * 30, b"22112026T183426+", b"01010001T000000+0000", b"31129999T235959+0999"),
    ]
)


NAMES = st.sampled_from(
    [f"{PREFIX}{name}" for name in (*FIELDS, "from", "to", "hash-file", "Timestamp", "é")] + ["x"]
)
TIMES = st.sampled_from(
    [
        *(FIELDS["timestamp"], f"22112026T183426+{'9' * 5_000}", f"22112026T183426+{'9' * 30}"),
        *("01010001T000000+0000", "31129999T235959+0999", "22112026T183926+0363", "+", ""),
    ]
)
VALUES = st.one_of(
    st.text(max_size=5), st.integers(), st.floats(), st.none(), st.booleans(), st.just([]), TIMES
)
TEXTS = st.dictionaries(NAMES, VALUES, max_size=3).map(
    lambda more: json.dumps({f"{PREFIX}{name}": value for name, value in FIELDS.items()} | more)
)


@st.composite
def signed_texts(draw: st.DrawFn) -> bytes:
    text = draw(TEXTS).encode()
    return draw(damaged([text], edits(JSON_HARM))) if draw(st.integers(0, 3)) == 3 else text


@pytest.mark.timeout(TIMEOUT)
@PROFILE
@given(signed_texts(), st.booleans())
def test_signed_headers(data: bytes, follow: bool) -> None:
    """Well signed, whatever it says: what is taken stands in the headers and is from now."""
    text = data.decode("latin-1")  # as every server hands headers on
    headers = {f"{PREFIX}{name}".lower(): value for name, value in FIELDS.items()}
    if follow:
        headers |= _said(text)
    headers[f"{PREFIX}sign-header".lower()] = text
    headers[f"{PREFIX}hash-header".lower()] = hmac.digest(SECRET, data, "sha256").hex()
    try:
        signed = verify(headers, SECRET, NOW)
    except SignatureRefused as refused:
        assert str(refused)  # noqa: PT017 - it may be taken
        return
    assert (
        signed.fields.items()
        <= {k.removeprefix(PREFIX.lower()): v for k, v in headers.items()}.items()
    )
    assert signed.get("systemid") == claimed_system(headers) != ""
    assert abs((signed.at - NOW).total_seconds()) <= WINDOW


def _said(text: str) -> dict[str, str]:
    """Headers that agree with the text, as far as it is one."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {k.lower(): str(v) for k, v in said.items()} if isinstance(said, dict) else {}


LISTS = [
    json.dumps({"status": "OK", "ErrorCode": "0", "data": data, "ErrorDesc": "Thành công"}).encode()
    for data in ([], [{"docId": "a", "from": 'H38"\\'}] * 3, "PGVkWE1MLz4=", None)
]


async def _rows(pieces: Iterable[bytes]) -> tuple[object, ...]:
    rows = Rows(_in_pieces(pieces))
    return [row async for row in rows], rows.reply


async def _data(pieces: Iterable[bytes]) -> bytes:
    return b"".join([piece async for piece in base64_data(_in_pieces(pieces))])


@pytest.mark.timeout(TIMEOUT)
@PROFILE
@given(damaged(LISTS, edits(JSON_HARM)), places)
def test_long_answers(data: bytes, places: list[int]) -> None:
    for reading in (_rows, _data):
        results: list[object] = []
        for pieces in ([data], cut(data, places)):
            try:
                results.append(asyncio.run(reading(pieces)))
            except PartnerGarbage:
                results.append(None)
            except LgspError as error:
                results.append(type(error))
        assert results[0] == results[1]
