"""Sign-ons inside the envelope. What WS-Security makes is judged by zeep and xmlsec."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from zeep import wsse
from zeep.exceptions import SignatureVerificationFailed

from adapters.signon import PartnerCall, create_sign_on
from adapters.signon.envelope import WSSE, WSU
from adapters.signon.x_road import IDENTIFIERS, XROAD
from schemas.errors import ConfigurationError
from tests.certificates import PrivateKey, certificate
from tests.unit.adapters.signon.calls import ENVELOPE, rest_call, secrets, soap_call

zeep_username_token: Any = wsse.UsernameToken  # zeep is untyped
verify_envelope: Any = wsse.signature.verify_envelope

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
USER: dict[str, Any] = {"kind": "wss-username", "user": "tinh", "password": "mat-khau"}


class Nonce(bytes):
    """Zeep wants the nonce as text and encodes it; most bytes are no text."""

    def encode(self, _encoding: str) -> bytes:
        return bytes(self)


def in_zulu(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)


def text_of(root: etree._Element, namespace: str, name: str) -> str:
    found = root.find(f".//{{{namespace}}}{name}")
    assert found is not None, name
    return found.text or ""


async def test_zeep_makes_the_same_username_token(http: aiohttp.ClientSession) -> None:
    call = soap_call()
    sign_on = create_sign_on(USER, secrets(mat_khau="mật khẩu"), http)
    await sign_on.sign(call)
    ours = etree.fromstring(call.body)
    nonce = Nonce(base64.b64decode(text_of(ours, WSSE, "Nonce")))
    created = in_zulu(text_of(ours, WSU, "Created"))

    zeep = zeep_username_token(
        "tinh", "mật khẩu", use_digest=True, nonce=nonce, created=created, zulu_timestamp=True
    )
    theirs = etree.fromstring(ENVELOPE.format(header="").encode())
    zeep.apply(theirs, {})
    assert text_of(ours, WSSE, "Username") == text_of(theirs, WSSE, "Username")
    assert text_of(ours, WSSE, "Nonce") == text_of(theirs, WSSE, "Nonce")
    assert text_of(ours, WSSE, "Password") == text_of(theirs, WSSE, "Password")
    assert abs((created - dt.datetime.now(dt.UTC)).total_seconds()) < 60


async def test_each_username_token_is_another(http: aiohttp.ClientSession) -> None:
    sign_on = create_sign_on(USER, secrets(mat_khau="p"), http)
    first, second = soap_call(), soap_call()
    await sign_on.sign(first)
    await sign_on.sign(second)
    nonces = {text_of(etree.fromstring(each.body), WSSE, "Nonce") for each in (first, second)}
    assert len(nonces) == 2


async def test_a_plain_password_with_a_timestamp(http: aiohttp.ClientSession) -> None:
    call = soap_call()
    config = USER | {"digest": False, "timestamp_seconds": 60}
    await create_sign_on(config, secrets(mat_khau="mật khẩu"), http).sign(call)
    root = etree.fromstring(call.body)
    assert text_of(root, WSSE, "Password") == "mật khẩu"
    created, expires = (in_zulu(text_of(root, WSU, name)) for name in ("Created", "Expires"))
    assert expires - created == dt.timedelta(seconds=60)


async def test_what_the_caller_wrote_of_security_is_replaced_and_the_rest_kept(
    http: aiohttp.ClientSession,
) -> None:
    call = soap_call(
        f'<soapenv:Header><w:Security xmlns:w="{WSSE}"><w:UsernameToken/></w:Security>'
        '<a:To xmlns:a="urn:a">x</a:To></soapenv:Header>'
    )
    await create_sign_on(USER, secrets(mat_khau="p"), http).sign(call)
    root = etree.fromstring(call.body)
    assert len(root.findall(f".//{{{WSSE}}}Security")) == 1
    assert text_of(root, WSSE, "Username") == "tinh"
    assert text_of(root, "urn:a", "To") == "x"
    assert text_of(root, "http://dancuquocgia.bca", "HoVaTen") == "NGUYỄN VĂN MẪU"


async def signed(
    http: aiohttp.ClientSession, folder: Path, key: PrivateKey | None, call: PartnerCall
) -> Path:
    """Signs the call, returns the certificate's file."""
    cert, private = certificate(folder, key=key)
    values = secrets(chung_thu=cert.read_bytes(), khoa=private.read_bytes())
    config = {"kind": "wss-x509", "certificate": "chung-thu", "key": "khoa"}
    await create_sign_on(config, values, http).sign(call)
    return cert


KEYS = {"rsa": rsa.generate_private_key(65537, 2048), "ec": None}
ENVELOPE_12 = ENVELOPE.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope")


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("envelope", [ENVELOPE, ENVELOPE_12])
async def test_zeep_verifies_the_signature(
    http: aiohttp.ClientSession, tmp_path: Path, kind: str, envelope: str
) -> None:
    call = soap_call()
    call.body = envelope.format(header="").encode()
    cert = await signed(http, tmp_path, KEYS[kind], call)
    root = etree.fromstring(call.body)
    verify_envelope(root, str(cert))
    signed_ids = {each.get("URI") for each in root.findall(".//{*}SignedInfo/{*}Reference")}
    names = [root.find("{*}Body"), root.find(".//{*}Timestamp")]
    assert signed_ids == {f"#{each.get(f'{{{WSU}}}Id')}" for each in names if each is not None}


@pytest.mark.parametrize("what", ["HoVaTen", "Expires"])
async def test_zeep_notices_a_change_of_what_is_signed(
    http: aiohttp.ClientSession, tmp_path: Path, what: str
) -> None:
    call = soap_call()
    cert = await signed(http, tmp_path, KEYS["rsa"], call)
    root = etree.fromstring(call.body)
    found = root.find(f".//{{*}}{what}")
    assert found is not None
    found.text = "khác"
    with pytest.raises(SignatureVerificationFailed):
        verify_envelope(root, str(cert))


async def test_the_certificate_travels_as_the_token_that_the_signature_names(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    call = soap_call()
    cert = await signed(http, tmp_path, KEYS["rsa"], call)
    root = etree.fromstring(call.body)
    token = root.find(f".//{{{WSSE}}}BinarySecurityToken")
    named = root.find(f".//{{{WSSE}}}SecurityTokenReference/{{{WSSE}}}Reference")
    assert token is not None
    assert named is not None
    assert named.get("URI") == f"#{token.get(f'{{{WSU}}}Id')}"
    pem = "".join(cert.read_text().splitlines()[1:-1])
    assert token.text == pem


async def test_a_key_of_another_certificate_is_refused(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    cert, _ = certificate(tmp_path / "a")
    _, other = certificate(tmp_path / "b")
    values = secrets(chung_thu=cert.read_bytes(), khoa=other.read_bytes())
    config = {"kind": "wss-x509", "certificate": "chung-thu", "key": "khoa"}
    with pytest.raises(ConfigurationError, match="belong"):
        create_sign_on(config, values, http)


@pytest.mark.parametrize("key", [b"no pem", b""])
async def test_a_key_that_is_none_is_refused(
    http: aiohttp.ClientSession, tmp_path: Path, key: bytes
) -> None:
    cert, _ = certificate(tmp_path)
    values = secrets(chung_thu=cert.read_bytes(), khoa=key)
    config = {"kind": "wss-x509", "certificate": "chung-thu", "key": "khoa"}
    with pytest.raises(ConfigurationError):
        create_sign_on(config, values, http)


@pytest.mark.parametrize(
    "body", [b'{"a": 1}', b"", b"--part\r\nContent-Type: text/xml", b"<a/>", b"<!DOCTYPE a><a/>"]
)
async def test_only_an_envelope_alone_can_be_signed(
    http: aiohttp.ClientSession, body: bytes
) -> None:
    call = rest_call()
    call.body = body
    with pytest.raises(ConfigurationError, match="envelope"):
        await create_sign_on(USER, secrets(mat_khau="p"), http).sign(call)


X_ROAD: dict[str, Any] = {
    "kind": "x-road",
    "client": "VN/GOV/000.00.00.H99/trucmau",
    "service": "VN/GOV/000.00.00.G01/dancu",
}


def parts(root: etree._Element, name: str) -> dict[str, str]:
    block = root.find(f"{{{SOAP}}}Header/{{{XROAD}}}{name}")
    assert block is not None
    found = {etree.QName(each).localname: each.text or "" for each in block}
    return found | {"objectType": block.get(f"{{{IDENTIFIERS}}}objectType", "")}


async def test_x_road_headers_name_client_service_and_officer(
    http: aiohttp.ClientSession,
) -> None:
    call = soap_call(officer="001000000009")
    config = X_ROAD | {"service_version": "v1"}
    await create_sign_on(config, secrets(), http).sign(call)
    root = etree.fromstring(call.body)
    assert parts(root, "client") == {
        "xRoadInstance": "VN",
        "memberClass": "GOV",
        "memberCode": "000.00.00.H99",
        "subsystemCode": "trucmau",
        "objectType": "SUBSYSTEM",
    }
    assert parts(root, "service") == {
        "xRoadInstance": "VN",
        "memberClass": "GOV",
        "memberCode": "000.00.00.G01",
        "subsystemCode": "dancu",
        "serviceCode": "TraCuuThongTinCongDan",
        "serviceVersion": "v1",
        "objectType": "SERVICE",
    }
    assert text_of(root, XROAD, "userId") == "001000000009"
    assert text_of(root, XROAD, "protocolVersion") == "4.0"


async def test_x_road_ids_are_unique_and_a_caller_cannot_be_another_client(
    http: aiohttp.ClientSession,
) -> None:
    sign_on = create_sign_on(X_ROAD, secrets(), http)
    call = soap_call(
        f'<soapenv:Header xmlns:x="{XROAD}"><x:client/><x:id>mine</x:id>'
        "<x:userId>somebody</x:userId></soapenv:Header>"
    )
    await sign_on.sign(call)
    root = etree.fromstring(call.body)
    assert len(root.findall(f".//{{{XROAD}}}client")) == 1
    assert root.find(f".//{{{XROAD}}}userId") is None
    first = text_of(root, XROAD, "id")
    await sign_on.sign(call)  # another attempt
    again = etree.fromstring(call.body)
    assert len(again.findall(f".//{{{XROAD}}}id")) == 1
    assert text_of(again, XROAD, "id") not in {first, "mine"}


async def test_x_road_over_rest_has_http_headers(http: aiohttp.ClientSession) -> None:
    call = rest_call(officer="cán bộ 1")
    await create_sign_on(X_ROAD, secrets(), http).sign(call)
    assert call.headers.pop("X-Road-Id")
    assert call.headers == {
        "X-Road-Client": "VN/GOV/000.00.00.H99/trucmau",
        "X-Road-UserId": "c%C3%A1n%20b%E1%BB%99%201",
    }
    assert call.body == b""


@pytest.mark.parametrize("kind", KEYS)
async def test_a_large_message_is_signed_while_others_go_on(
    http: aiohttp.ClientSession, tmp_path: Path, kind: str
) -> None:
    call = soap_call()
    call.body = call.body.replace(b"M\xe1\xba\xaaU", b"x" * 2_000_000)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(tick())
    cert = await signed(http, tmp_path, KEYS[kind], call)
    other.cancel()
    assert ticks > 1
    verify_envelope(etree.fromstring(call.body), str(cert))
