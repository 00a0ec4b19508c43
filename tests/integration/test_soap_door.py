"""The SOAP door on a real ledger: every operation, both versions, packets inline and attached."""

from __future__ import annotations

import base64
import hashlib
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bus.gateway.limits import GatewayLimits
from bus.gateway.soap.operations import OPERATIONS
from schemas import soap
from schemas.xml import parse
from tests.integration.gateway_harness import BUILD, HEALTH, OFFICE, Harness, opened, packet, served
from tests.integration.soap_harness import (
    PATH,
    SOAP_11,
    SOAP_12,
    TYPES,
    XOP,
    answer,
    call,
    envelope,
    fault,
    mtom,
    post,
    security,
    value,
)

STATUS = {
    "sender": {"organId": BUILD},
    "responseFor": {"organId": OFFICE, "code": "1/VP", "documentId": f"{OFFICE},2026/11/02,1/VP"},
    "statusCode": "03",
    "description": "Đã tiếp nhận",
    "timestamp": "2026-11-02T09:05:00",
}
INCLUDE = f'<o:packet><x:Include xmlns:x="{XOP}" href="cid:p%401"/></o:packet>'
INCLUDING = envelope("SendDocument", {"packet": b""}).replace(
    b"<o:packet></o:packet>", INCLUDE.encode()
)


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    limits = GatewayLimits(max_json=20_000, max_packet=60_000_000)
    async with opened(sqlite_url, tmp_path, limits=limits) as harness:
        yield harness


both = pytest.mark.parametrize("version", [SOAP_11, SOAP_12], ids=["1.1", "1.2"])


@both
async def test_a_document_travels_and_its_status_comes_back(bus: Harness, version: str) -> None:
    sent = packet()
    members = {"messageRef": "VP-1", "packet": sent}
    receipts = [
        await call(bus, "van-phong", "SendDocument", members, version=version) for _ in range(2)
    ]
    first, again = (answer(each, version) for each in receipts)
    assert receipts[0].headers["content-type"] == TYPES[version]
    assert value(first, "receipt", "sha256") == hashlib.sha256(sent).hexdigest()
    assert value(first, "receipt", "receiver", "outcome") == "deliver"
    assert value(again, "receipt", "messageId") == value(first, "receipt", "messageId")
    duplicates = [value(each, "receipt", "duplicate") for each in (first, again)]
    assert duplicates == ["false", "true"]

    listed = answer(await call(bus, "so-xay-dung", "ListWaiting", version=version), version)
    assert value(listed, "delivery", "documentCode") == "1/VP"
    delivery = value(listed, "delivery", "deliveryId")
    fetched = await call(
        bus, "so-xay-dung", "FetchDocument", {"deliveryId": delivery}, version=version
    )
    assert int(fetched.headers["content-length"]) == len(fetched.content)
    assert base64.b64decode(value(answer(fetched, version), "packet")) == sent
    done = {"deliveryId": delivery, "result": "delivered", "receipt": "CV-7"}
    acknowledged = await call(bus, "so-xay-dung", "Acknowledge", done, version=version)
    assert value(answer(acknowledged, version), "state") == "delivered"
    empty = answer(await call(bus, "so-xay-dung", "ListWaiting", version=version), version)
    assert len(empty) == 0

    told = await call(bus, "so-xay-dung", "SendStatus", {"status": STATUS}, version=version)
    assert value(answer(told, version), "receipt", "sender") == BUILD
    listed = answer(
        await call(bus, "van-phong", "ListWaiting", {"kind": "status"}, version=version), version
    )
    assert value(listed, "delivery", "kind") == "status"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-11-02T09:05:00", "2026/11/02 09:05:00"),
        ("2026-11-02T09:05:00.123+07:00", "2026/11/02 09:05:00"),
        ("2026-11-02T18:30:00Z", "2026/11/03 01:30:00"),
        ("hôm qua", None),
    ],
)
async def test_times_with_a_zone_become_vietnamese(
    bus: Harness, written: str, kept: str | None
) -> None:
    about = STATUS["responseFor"] | {"promulgationDate": "2026-11-01+07:00"}  # type: ignore[operator]
    status = STATUS | {"timestamp": written, "responseFor": about}
    response = await call(bus, "so-xay-dung", "SendStatus", {"status": status})
    if kept is None:
        assert fault(response) == ("Client", "invalid-request")
        assert "status.timestamp" in response.text
        return
    message_id = value(answer(response), "receipt", "messageId")
    async with bus.ledger.original(message_id) as pieces:
        original = b"".join([piece async for piece in pieces]).decode()
    assert f">{kept}<" in original
    assert ">2026/11/01<" in original


async def test_pages_of_the_mailbox_and_the_directory(bus: Harness) -> None:
    for number in range(1, 4):
        await bus.send("van-phong", packet(number=number))
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = answer(await call(bus, "so-xay-dung", "ListWaiting", {"limit": 2} | cursor))
        seen += [value(each, "documentCode") for each in page if each.tag.endswith("delivery")]
        if page.find(f"{{{soap.NAMESPACE}}}next") is None:
            break
        cursor = {"cursor": value(page, "next")}
    assert seen == ["1/VP", "2/VP", "3/VP"]
    found = answer(await call(bus, "so-y-te", "SearchAgencies", {"query": "văn phòng"}))
    assert value(found, "agency", "code") == OFFICE
    assert value(found, "agency", "alias") == "000.00.01.H38"
    assert value(found, "agency", "inForce") == "true"


@both
async def test_mtom_both_ways(bus: Harness, version: str) -> None:
    sent = packet(subject="Tệp đính kèm")
    root = INCLUDING.replace(SOAP_11.encode(), version.encode())
    body, media = mtom(root, {"other": b"x" * 5000, "p@1": sent}, version=version)
    receipt = answer(await post(bus, "van-phong", body, media), version)
    assert value(receipt, "receipt", "sha256") == hashlib.sha256(sent).hexdigest()
    listed = answer(await call(bus, "so-xay-dung", "ListWaiting"))
    asked = envelope(
        "FetchDocument",
        {"deliveryId": value(listed, "delivery", "deliveryId")},
        version=version,
    )
    body, media = mtom(asked, {}, version=version)
    fetched = await post(bus, "so-xay-dung", body, media)
    assert fetched.headers["content-type"].startswith("multipart/related; ")
    assert int(fetched.headers["content-length"]) == len(fetched.content)
    boundary = fetched.headers["content-type"].partition('boundary="')[2].partition('"')[0]
    head, tail = f"--{boundary}\r\n".encode(), f"\r\n--{boundary}--\r\n".encode()
    assert fetched.content.startswith(head)
    assert fetched.content.endswith(tail)
    told, document = fetched.content.removesuffix(tail).removeprefix(head).split(b"\r\n" + head)
    assert document.partition(b"\r\n\r\n")[2] == sent
    content_id = document.partition(b"Content-ID: <")[2].partition(b">")[0]
    assert b'href="cid:' + content_id + b'"' in told
    parse(told.partition(b"\r\n\r\n")[2])


async def test_base64_in_lines_and_in_any_pieces(bus: Harness) -> None:
    sent = packet(subject="y" * 3000)
    lines = base64.encodebytes(sent).replace(b"\n", b"\r\n")
    whole = envelope("SendDocument", {"packet": b""}).replace(
        b"<o:packet>", b"<o:packet>\r\n  " + lines
    )

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 7):
            yield whole[start : start + 7]

    receipt = answer(await post(bus, "van-phong", pieces()))
    assert value(receipt, "receipt", "sha256") == hashlib.sha256(sent).hexdigest()


def _large(size: int) -> tuple[bytes, bytes]:
    """Beginning and end of a packet with an attachment of `size` base64 characters between."""
    ns = 'xmlns:e="http://www.mic.gov.vn/TBT/QCVN_102_2016"'
    head = (
        packet().removesuffix(b"</edXML>")
        + (
            "<AttachmentEncoded><Attachment><ContentId>cid:1</ContentId><AttachmentName>a.pdf"
            f"</AttachmentName><e:ContentTransferEncoded {ns}>"
        ).encode()
    )
    tail = b"</e:ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>"
    head += b" " * (-len(head) % 3)
    assert size % 12 == 0
    return head, tail


@pytest.mark.parametrize("way", ["inline", "mtom"])
async def test_a_large_packet_is_held_neither_coming_nor_going(bus: Harness, way: str) -> None:
    piece, count = b"QUJD" * 12_288, 600  # 48 KiB each, 28 MiB in all
    head, tail = _large(len(piece) * count)
    digest = hashlib.sha256(head)
    encode: Callable[[bytes], bytes]
    if way == "inline":
        opening, closing = envelope("SendDocument", {"packet": b"|||"}).split(b"fHx8")
        media, encode = TYPES[SOAP_11], base64.b64encode
    else:
        body, media = mtom(INCLUDING, {"p@1": b"|||"})
        opening, closing = body.split(b"|||")
        encode = bytes

    async def pieces() -> AsyncIterator[bytes]:
        yield opening + encode(head)
        encoded = encode(piece)
        for _ in range(count):
            digest.update(piece)
            yield encoded
        digest.update(tail)
        yield encode(tail) + closing

    token = {"Authorization": f"Bearer {await bus.token('van-phong')}"}
    async with served(bus.app) as url, httpx2.AsyncClient(base_url=url, timeout=60) as http:
        tracemalloc.start()
        try:
            headers = {"Content-Type": media} | token
            receipt = answer(await http.post(PATH, content=pieces(), headers=headers))
            listed = answer(await call(bus, "so-xay-dung", "ListWaiting"))
            delivery = {"deliveryId": value(listed, "delivery", "deliveryId")}
            asked = envelope("FetchDocument", delivery)
            if way == "mtom":
                asked, media = mtom(asked, {})
            headers = {
                "Content-Type": media,
                "Authorization": f"Bearer {await bus.token('so-xay-dung')}",
            }
            size = 0
            async with http.stream("POST", PATH, content=asked, headers=headers) as fetched:
                async for each in fetched.aiter_bytes():
                    size += len(each)
            kept = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert value(receipt, "receipt", "sha256") == digest.hexdigest()
    assert int(fetched.headers["content-length"]) == size > 28_000_000
    assert kept < 8_000_000, f"{kept:,} bytes at once"


async def test_what_is_larger_than_a_packet_may_be_is_refused(
    sqlite_url: str, tmp_path: Path
) -> None:
    limits = GatewayLimits(max_json=1000, max_packet=3000)
    async with opened(sqlite_url, tmp_path, limits=limits) as bus:
        fits, large, huge = (packet(subject="x" * size) for size in (1500, 2600, 9000))
        answer(await call(bus, "van-phong", "SendDocument", {"packet": fits}))
        for content in (large, huge):
            inline = envelope("SendDocument", {"packet": content})
            body, media = mtom(INCLUDING, {"p@1": content})
            for sent, as_media in ((inline, TYPES[SOAP_11]), (body, media)):
                refused = await post(bus, "van-phong", sent, as_media)
                assert fault(refused) == ("Client", "too-large")
                assert refused.status_code in {413, 500}


@pytest.mark.parametrize(
    ("username", "password", "kind", "code"),
    [
        ("van-phong", "right", "PasswordText", None),
        ("van-phong", "wrong", "PasswordText", "unauthenticated"),
        ("so-y-te", "right", "PasswordText", "unauthenticated"),
        ("", "", "PasswordText", "unauthenticated"),
        ("van-phong", "right", "PasswordDigest", "invalid-request"),
    ],
)
async def test_username_token(
    bus: Harness, username: str, password: str, kind: str, code: str | None
) -> None:
    key = bus.keys["van-phong"] if password == "right" else password
    content = envelope("SendDocument", {"packet": packet()}, header=security(username, key, kind))
    response = await post(bus, None, content)
    if code is None:
        assert value(answer(response), "receipt", "sender") == OFFICE
    else:
        assert (response.status_code, fault(response)) == (500, ("Client", code))
        assert await bus.ledger.queries.messages(agencies=None) == []


async def test_a_proxys_credentials_do_not_hide_the_token_in_the_envelope(bus: Harness) -> None:
    content = envelope("ListWaiting", header=security("van-phong", bus.keys["van-phong"]))
    answer(await post(bus, None, content, Authorization="Basic eDp5"))
    refused = await post(bus, None, content, Authorization="Bearer x")
    assert fault(refused) == ("Client", "unauthenticated")


async def test_wrong_keys_are_slowed_down(bus: Harness) -> None:
    content = envelope("ListWaiting", header=security("van-phong", "wrong"))
    codes = [fault(await post(bus, None, content))[1] for _ in range(12)]
    assert codes[:10] == ["unauthenticated"] * 10
    assert codes[11] == "rate-limited"


async def test_an_anonymous_packet_is_refused_before_it_is_read(bus: Harness) -> None:
    opening, closing = envelope("SendDocument", {"packet": b"|||"}).split(b"fHx8")
    given = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal given
        yield opening
        while given < 1000:
            given += 1
            yield b"QUJD" * 10_000
        yield closing

    assert fault(await post(bus, None, pieces())) == ("Client", "unauthenticated")
    assert given < 5


async def test_each_speaks_only_for_itself(bus: Harness) -> None:
    foreign = await call(bus, "van-phong", "SendDocument", {"packet": packet(sender=BUILD)})
    assert fault(foreign) == ("Client", "forbidden")
    await bus.send("van-phong", packet())
    listed = answer(await call(bus, "so-xay-dung", "ListWaiting"))
    delivery = {"deliveryId": value(listed, "delivery", "deliveryId")}
    assert fault(await call(bus, "so-y-te", "FetchDocument", delivery)) == ("Client", "not-found")
    assert fault(await call(bus, "so-y-te", "Acknowledge", delivery | {"result": "delivered"})) == (
        "Client",
        "not-found",
    )
    spied = await call(bus, "so-y-te", "ListWaiting", {"agency": BUILD})
    assert fault(spied) == ("Client", "forbidden")
    status = STATUS | {"sender": {"organId": HEALTH}}
    posed = await call(bus, "so-xay-dung", "SendStatus", {"status": status})
    assert fault(posed) == ("Client", "forbidden")


GOOD = envelope("ListWaiting")
REFUSED = {
    "wrong namespace": (envelope("ListWaiting", namespace="urn:x"), "Client", "invalid-request"),
    "argument of another namespace": (
        GOOD.replace(b"></o:ListWaiting>", b"><limit>1</limit></o:ListWaiting>"),
        "Client",
        "invalid-request",
    ),
    "unknown operation": (envelope("DropTables"), "Client", "invalid-request"),
    "unknown argument": (envelope("ListWaiting", {"all": "1"}), "Client", "invalid-request"),
    "argument by another name": (
        envelope("SendDocument", {"message_ref": "1", "packet": packet()}),
        "Client",
        "invalid-request",
    ),
    "twice the argument": (
        envelope("ListWaiting", {"limit": 1}).replace(b"</o:L", b"<o:limit>2</o:limit></o:L"),
        "Client",
        "invalid-request",
    ),
    "limit out of bounds": (envelope("ListWaiting", {"limit": 0}), "Client", "invalid-request"),
    "no packet": (envelope("SendDocument"), "Client", "invalid-request"),
    "not base64": (
        envelope("SendDocument", {"packet": b"abc"}).replace(b"YWJj", b"!!!!"),
        "Client",
        "invalid-request",
    ),
    "packet not last": (
        envelope("SendDocument", {"packet": packet(), "messageRef": "1"}),
        "Client",
        "invalid-request",
    ),
    "attachment missing": (INCLUDING, "Client", "invalid-request"),
    "not edXML": (envelope("SendDocument", {"packet": b"<x/>"}), "Client", "malformed-packet"),
    "cut short": (GOOD[:-20], "Client", "malformed-xml"),
    "not well-formed": (GOOD.replace(b"</e:Body>", b""), "Client", "malformed-xml"),
    "DTD": (
        GOOD.replace(b"?><e:", b'?><!DOCTYPE x [<!ENTITY a "b">]><e:'),
        "Client",
        "malformed-xml",
    ),
    "empty body": (
        GOOD.replace(f'<o:ListWaiting xmlns:o="{soap.NAMESPACE}"></o:ListWaiting>'.encode(), b""),
        "Client",
        "invalid-request",
    ),
    "two operations": (
        GOOD.replace(b"</e:Body>", b'<o:X xmlns:o="urn:x"/></e:Body>'),
        "Client",
        "invalid-request",
    ),
    "header nobody knows": (
        envelope("ListWaiting", header='<x:T xmlns:x="urn:x" e:mustUnderstand="1"/>'),
        "MustUnderstand",
        "soap-header",
    ),
    "much text": (envelope("ListWaiting", {"agency": "x" * 30_000}), "Client", "too-large"),
    "another envelope": (
        envelope("ListWaiting", version="http://www.w3.org/2001/09/soap-envelope"),
        "VersionMismatch",
        "soap-version",
    ),
    "no envelope": (b"<x/>", "Client", "invalid-request"),
    "nothing": (b"", "Client", "malformed-xml"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_in_soap_1_1(bus: Harness, name: str) -> None:
    content, fault_code, code = REFUSED[name]
    response = await post(bus, "van-phong", content)
    assert response.headers["content-type"] == TYPES[SOAP_11]
    assert fault(response) == (fault_code, code)
    assert response.status_code in {400, 413, 500}
    assert await bus.ledger.queries.messages(agencies=None) == []


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - {"another envelope"}))
async def test_refused_in_soap_1_2(bus: Harness, name: str) -> None:
    content, fault_code, code = REFUSED[name]
    content = content.replace(SOAP_11.encode(), SOAP_12.encode())
    response = await post(bus, "van-phong", content, TYPES[SOAP_12])
    assert response.headers["content-type"] == TYPES[SOAP_12]
    expected = {"Client": "Sender"}.get(fault_code, fault_code)
    assert fault(response) == (expected, code)
    assert response.status_code in ({400, 413} if expected == "Sender" else {500})


@both
async def test_what_must_be_understood_is_named(bus: Harness, version: str) -> None:
    header = '<x:T xmlns:x="urn:x" e:mustUnderstand="1" e:{}="{}"/>'
    elsewhere = header.format("actor" if version == SOAP_11 else "role", "urn:next-hop")
    content = envelope("ListWaiting", version=version, header=elsewhere)
    answer(await post(bus, "van-phong", content, TYPES[version]), version)
    here = '<x:T xmlns:x="urn:x" e:mustUnderstand="true"/>'
    content = envelope("ListWaiting", version=version, header=here)
    response = await post(bus, "van-phong", content, TYPES[version])
    assert fault(response)[0] == "MustUnderstand"
    if version == SOAP_12:
        assert '<s:NotUnderstood xmlns:b="urn:x" qname="b:T"/>' in response.text
        parse(response.content)


async def test_another_version_is_told_which_are_served(bus: Harness) -> None:
    content = REFUSED["another envelope"][0]
    response = await post(bus, "van-phong", content, TYPES[SOAP_12])
    assert (response.status_code, fault(response)[0]) == (500, "VersionMismatch")
    assert f'<s:SupportedEnvelope xmlns:o="{SOAP_11}" qname="o:Envelope"/>' in response.text


async def test_action_may_not_contradict_the_body(bus: Harness) -> None:
    for action in ("", '""', f'"{soap.NAMESPACE}#ListWaiting"'):
        answer(await post(bus, "van-phong", GOOD, SOAPAction=action))
    other = f'"{soap.NAMESPACE}#Acknowledge"'
    assert fault(await post(bus, "van-phong", GOOD, SOAPAction=other))[1] == "invalid-request"
    media = f'{TYPES[SOAP_12]}; action="{soap.NAMESPACE}#Acknowledge"'
    content = GOOD.replace(SOAP_11.encode(), SOAP_12.encode())
    assert fault(await post(bus, "van-phong", content, media))[1] == "invalid-request"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body[:-30],
        lambda body: body.replace(b"Encoding: binary", b"Encoding: base64"),
        lambda body: body.replace(b"<p@1>", b"<p@2>"),
        lambda body: body.replace(b"<other>", b"<p@1>"),
        lambda body: b"x" + body,
    ],
    ids=["cut short", "base64 part", "missing part", "part twice", "no boundary first"],
)
async def test_spoiled_multipart_is_refused(bus: Harness, spoil: Any) -> None:
    body, media = mtom(INCLUDING, {"other": packet(), "p@1": packet()})
    response = await post(bus, "van-phong", spoil(body), media)
    assert fault(response) == ("Client", "invalid-request")
    assert await bus.ledger.queries.messages(agencies=None) == []


async def test_other_media_types_and_methods(bus: Harness) -> None:
    response = await post(bus, "van-phong", GOOD, "application/json")
    assert (response.status_code, fault(response)[1]) == (415, "invalid-request")
    response = await bus.call("van-phong", "PUT", PATH, content=GOOD)
    assert (response.status_code, fault(response)[1]) == (405, "invalid-request")
    response = await bus.call("van-phong", "GET", "/soap/nowhere")
    assert (response.status_code, fault(response)[1]) == (404, "not-found")


async def test_the_wsdl_is_served_to_anybody_with_its_own_address(bus: Harness) -> None:
    response = await bus.http.get(f"{PATH}?wsdl")
    assert response.status_code == 200
    root = parse(response.content)
    places = [each.get("location") for each in root.iter() if "location" in each.attrib]
    assert places == [f"http://bus{PATH}"] * 2
    ns = "{http://schemas.xmlsoap.org/wsdl/}"
    operations = {each.get("name") for each in root.iterfind(f"{ns}portType/{ns}operation")}
    assert operations == OPERATIONS.keys()
    assert f'href="{PATH}?wsdl"' in (await bus.http.get("/docs")).text


def test_what_is_published_does_not_change_unnoticed() -> None:
    """A change that is compatible changes this digest too; any other needs a new namespace."""
    digest = hashlib.sha256(soap.wsdl("https://lgsp.example/soap/documents")).hexdigest()
    assert digest == "0dae3033e617a5eaac4dc77c41c7e9250630a9800c0a1a9a87889544c78eb18a"
