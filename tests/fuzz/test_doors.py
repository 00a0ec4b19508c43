"""Damaged requests at a whole gateway: each gets a designed answer, and the next is served."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vxp import codec
from tests.fuzz.damage import PROFILE, TIMEOUT, damaged, edits
from tests.fuzz.test_edxml import VECTORS
from tests.fuzz.test_edxml import damage as packet_damage
from tests.fuzz.test_readers import BOUNDARY, FORMS, MIME_HARM, RELATED, SOAP_HARM, WHOLE
from tests.integration.doors import DOORS, RECEIVES, SENDS, province, told, vxp
from tests.integration.gateway_harness import Harness
from tests.integration.soap_harness import envelope, post
from tests.integration.test_vxp_facade import sending
from tests.unit.schemas.edxml.test_hostile import packet

GOOD = packet(b"eA==")
INTERNAL = "internal-error"  # what nobody foresaw
FORM = f"multipart/form-data; boundary={BOUNDARY}"
UPLOAD = FORMS[0].replace(b"\r\n\r\nx\r\n", b"\r\n\r\n" + GOOD + b"\r\n")
ENVELOPES = [
    envelope("SendDocument", {"messageRef": "1", "packet": GOOD}),
    envelope("SendStatus", {"status": {"responseFor": {"organId": "H38.01", "code": "1/VP"}}}),
    envelope("FetchDocument", {"deliveryId": 1}),
    envelope("Acknowledge", {"deliveryId": 1, "result": "delivered"}),
    envelope("SearchAgencies", {"query": "văn phòng", "limit": 5}),
]


async def _rest_form(bus: Harness, body: bytes) -> Any:
    headers = {"Content-Type": FORM}
    return await bus.call(SENDS, "POST", "/api/v1/documents", content=body, headers=headers)


async def _soap(bus: Harness, body: bytes) -> Any:
    return await post(bus, SENDS, body)


async def _soap_related(bus: Harness, body: bytes) -> Any:
    media = f'multipart/related; type="application/xop+xml"; boundary="{BOUNDARY}"'
    return await post(bus, SENDS, body, media)


async def _vxp_form(bus: Harness, body: bytes) -> Any:
    headers = {"Content-Type": FORM}
    return await vxp(bus, SENDS, "sendEdoc", sending(GOOD), content=body, headers=headers)


Send = Callable[[Harness, bytes], Awaitable[Any]]
packets = damaged([*VECTORS, GOOD], packet_damage)
attacks: st.SearchStrategy[tuple[str, Send, bytes]] = st.one_of(
    *(st.tuples(st.just(name), st.just(send), packets) for name, send in DOORS.items()),
    st.tuples(st.just("soap"), st.just(_soap), damaged(ENVELOPES, edits(SOAP_HARM, WHOLE))),
    st.tuples(st.just("soap"), st.just(_soap_related), damaged(RELATED, edits(MIME_HARM))),
    st.tuples(st.just("rest"), st.just(_rest_form), damaged([*FORMS, UPLOAD], edits(MIME_HARM))),
    st.tuples(st.just("vxp"), st.just(_vxp_form), damaged([UPLOAD], edits(MIME_HARM))),
)


async def _refused_or_taken(bus: Harness, door: str, send: Send, body: bytes) -> None:
    """An answer of the door's own kind, and never one to what nobody foresaw."""
    response = await send(bus, body)
    if door.startswith("soap") and b"Fault>" not in response.content:
        assert response.status_code == 200, response.text
        return
    taken, code = told(door, response)
    assert bool(taken) != bool(code), response.text
    assert code not in {INTERNAL, codec.SYSTEM_ERROR}, response.text


@contextmanager
def running(database: str, folder: Path) -> Iterator[tuple[asyncio.Runner, Harness]]:
    """A gateway, and the loop it lives in: examples come from outside of it."""
    opened = province(database, folder, GOOD)
    with asyncio.Runner() as loop:
        bus = loop.run(opened.__aenter__())
        try:
            yield loop, bus
        finally:
            loop.run(opened.__aexit__(None, None, None))


@pytest.mark.timeout(TIMEOUT)
def test_requests_get_a_designed_answer(sqlite_url: str, tmp_path: Path) -> None:
    with running(sqlite_url, tmp_path) as (loop, bus):

        @PROFILE
        @given(attacks)
        def attack(attack: tuple[str, Send, bytes]) -> None:
            loop.run(_refused_or_taken(bus, *attack))

        attack()
        taken, code = told("rest", loop.run(DOORS["rest"](bus, GOOD)))
        assert taken, code


NAMES = ["docId", "docid", "status", "messagetype", "hash-file", "from", "to", "level"]
VALUES = ["edoc", "status", "processing", "done", "fail", "03", "1", "-1", "٣", "9" * 18, "9" * 40]
TEXT = st.text(st.characters(max_codepoint=126, exclude_categories=["Cc"]), max_size=8)
FIELDS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(VALUES) | TEXT.map(str.strip), max_size=4
)
OPERATIONS = st.sampled_from(
    [
        *("sendEdoc", "getSentEdocList", "getReceivedEdocList", "getEdoc", "downloadEdoc"),
        *("updateStatus", "getAgenciesList", "getAgenciesListQD20", "getSynchronizeUnit"),
        *("registerAgency", "deleteAgency"),
    ]
)


async def _answered(bus: Harness, operation: str, fields: dict[str, str]) -> None:
    on_the_wire = {name: value.encode().decode("latin-1") for name, value in fields.items()}
    response = await vxp(bus, RECEIVES, operation, on_the_wire, content=b"{}")
    if response.headers["content-type"] != codec.JSON:
        assert response.content == GOOD
        return
    answer = response.json()
    assert answer["status"] == ("OK" if answer["ErrorCode"] == codec.SUCCESS else "FAIL")
    assert answer["ErrorCode"] in {codec.SUCCESS, *codec.ERRORS} - {codec.SYSTEM_ERROR}, answer
    if isinstance(answer.get("data"), str):
        assert base64.b64decode(answer["data"]) == GOOD


@pytest.mark.timeout(TIMEOUT)
def test_signed_calls_get_an_answer_of_the_axis(sqlite_url: str, tmp_path: Path) -> None:
    with running(sqlite_url, tmp_path) as (loop, bus):
        loop.run(DOORS["rest"](bus, GOOD))

        @PROFILE
        @given(OPERATIONS, FIELDS)
        def attack(operation: str, fields: dict[str, str]) -> None:
            loop.run(_answered(bus, operation, fields))

        attack()
