"""Envelope, base64 and multipart in pieces: cut anywhere, they read the same."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.gateway.limits import GatewayLimits
from bus.gateway.problems import StatusError
from bus.gateway.soap.faults import SEEN, MustUnderstand, VersionMismatch, refuse
from bus.gateway.soap.markup import leaf, tree
from bus.gateway.soap.request import Request, opened
from bus.gateway.soap.versions import V11, V12, Version
from schemas.door import Refusal
from schemas.errors import (
    InvalidRequest,
    LgspError,
    MalformedXml,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from schemas.multipart import MediaType
from schemas.soap import NAMESPACE
from schemas.xml import parse
from tests.integration.soap_harness import SOAP_11, TYPES, XOP, envelope, mtom

INCLUDE = f'<o:packet><x:Include xmlns:x="{XOP}" href="cid:p"/></o:packet>'.encode()
cuts = st.lists(st.integers(0, 6000), max_size=12).map(sorted)


async def _pieces(data: bytes, at: list[int]) -> AsyncIterator[bytes]:
    for start, end in zip([0, *at], [*at, len(data)], strict=True):
        if piece := data[start:end]:
            yield piece


async def _read(data: bytes, media: str, at: list[int]) -> tuple[Request, bytes]:
    limits = GatewayLimits()
    async with opened(_pieces(data, at), MediaType.of(media.encode()), limits) as request:
        await request.begin()
        content = b"".join([piece async for piece in request.packet()])
    return request, content


@given(content=st.binary(max_size=3000), at=cuts, line=st.integers(1, 80))
def test_inline_packet(content: bytes, at: list[int], line: int) -> None:
    encoded = base64.b64encode(content)
    spaced = b"\n ".join(encoded[i : i + line] for i in range(0, len(encoded), line))
    data = envelope("SendDocument", {"messageRef": "ă&<1", "packet": b""}).replace(
        b"<o:packet>", b"<o:packet>" + spaced
    )
    request, read = asyncio.run(_read(data, TYPES[SOAP_11], at))
    assert read == content
    assert request.envelope.arguments == {"messageRef": "ă&<1"}
    assert (request.envelope.operation, request.envelope.version) == ("SendDocument", V11)


@given(
    content=st.binary(max_size=3000)
    | st.lists(st.sampled_from([b"\r\n--b", b"\r\n-", b"\n"])).map(b"".join),
    at=cuts,
)
def test_attached_packet(content: bytes, at: list[int]) -> None:
    root = envelope("SendDocument", {"packet": b""}).replace(b"<o:packet></o:packet>", INCLUDE)
    data, media = mtom(root, {"q": b"other", "p": content, "r": b""}, boundary="b0undary")
    _, read = asyncio.run(_read(data, media, at))
    assert read == content


@given(content=st.binary(min_size=1, max_size=300), cut=st.integers(1, 3000))
def test_what_ends_early_is_never_taken_for_whole(content: bytes, cut: int) -> None:
    data = envelope("SendDocument", {"packet": content})
    with pytest.raises(MalformedXml):
        asyncio.run(_read(data[: -(cut % len(data) or 1)], TYPES[SOAP_11], []))


@given(
    content=st.binary(max_size=200),
    attached=st.booleans(),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), min_size=1, max_size=4),
)
def test_spoiled_requests_raise_nothing_unforeseen(
    content: bytes, attached: bool, edits: list[tuple[int, bytes]]
) -> None:
    data, media = envelope("SendDocument", {"packet": content}), TYPES[SOAP_11]
    if attached:
        root = envelope("SendDocument", {"packet": b""}).replace(b"<o:packet></o:packet>", INCLUDE)
        data, media = mtom(root, {"p": content})
    for at, put in edits:
        start = at % len(data)
        data = data[:start] + put + data[start + len(put) :]
    with contextlib.suppress(LgspError, StatusError):
        asyncio.run(_read(data, media, []))


@given(text=st.text(max_size=200))
def test_text_is_read_back(text: str) -> None:
    read = parse(
        f"<x>{tree({'a': text, 'b': None, 'c': [{'d': True}, {'d': False}]})}</x>".encode()
    )
    legal = leaf(None, text)
    assert read.findtext("a") == parse(f"<x>{legal}</x>".encode()).text or not text
    assert [each.text for each in read.iter("d")] == ["true", "false"]
    kept = "".join(c for c in (read.findtext("a") or "") if c != "\ufffd")
    assert kept == "".join(c for c in text if c in kept and c != "\ufffd")


async def test_other_types_are_not_served() -> None:
    for media in ("", "application/xml", "multipart/form-data; boundary=b", "multipart/related"):
        with pytest.raises(StatusError) as refused:
            async with opened(_pieces(b"", []), MediaType.of(media.encode()), GatewayLimits()):
                pass
        assert refused.value.status_code == 415


ERRORS: list[LgspError] = [
    InvalidRequest("<&>\x00", vi="sai", field='"x"', line=3),
    Unauthenticated(),
    RateLimited(retry_after=1.2),
    Unavailable(),
    VersionMismatch("x"),
    MustUnderstand("x", block="{urn:x&y}B"),
    MustUnderstand("x", block="{urn:cut-of"),
    MustUnderstand("x", block="plain"),
    LgspError(),
]


@pytest.mark.parametrize("seen", [V11, V12, None])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_fault_is_an_envelope_of_its_version(error: Any, seen: Version | None) -> None:
    scope = {"headers": [(b"content-type", V12.media_type.encode())], SEEN: seen}
    answer = refuse(Refusal(error, error.http_status, scope, "trace"))
    version = seen or V12
    root = parse(bytes(answer.body))
    assert root.tag == f"{{{version.namespace}}}Envelope"
    assert answer.headers["content-type"].startswith(version.media_type)
    problem = next(root.iter(f"{{{NAMESPACE}}}Problem"))
    assert problem.findtext(f"{{{NAMESPACE}}}code") == error.code
    facts = {each.get("name"): each.text for each in problem.iter(f"{{{NAMESPACE}}}fact")}
    assert facts == {name: str(fact) for name, fact in error.context.items()}
    expected = {
        V11: 500,
        V12: 400 if error.soap_fault == "Client" else 500,
        None: error.http_status,
    }
    soaps_own = isinstance(error, VersionMismatch | MustUnderstand)
    assert answer.status_code == (500 if soaps_own else expected[seen])
    waits = {RateLimited: "2", Unavailable: "5"}.get(type(error))
    assert answer.headers.get("retry-after") == waits
    assert problem.findtext(f"{{{NAMESPACE}}}retryAfter") == waits
