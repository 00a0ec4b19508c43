"""Sign-ons without an envelope: headers, declarations, TLS."""

from __future__ import annotations

import base64
import hashlib
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from adapters.http import exchange
from adapters.signon import create_sign_on, parse_sign_on
from schemas.errors import ConfigurationError
from tests.certificates import certificate
from tests.unit.adapters.signon.calls import rest_call, secrets, soap_call

LIMIT = aiohttp.ClientTimeout(total=5)


async def test_none_changes_nothing(http: aiohttp.ClientSession) -> None:
    call, untouched = soap_call(), soap_call()
    sign_on = create_sign_on({"kind": "none"}, secrets(), http)
    await sign_on.sign(call)
    assert call == untouched
    assert sign_on.ssl() is None
    assert not await sign_on.refused(call)


async def test_basic_is_utf_8_and_replaces_what_the_caller_wrote(
    http: aiohttp.ClientSession,
) -> None:
    call = rest_call()
    call.headers["authorization"] = "Basic of-somebody-else"
    config = {"kind": "basic", "user": "tỉnh", "password": "mat-khau"}
    await create_sign_on(config, secrets(mat_khau="p:ặ"), http).sign(call)
    assert call.headers == {
        "Authorization": "Basic " + base64.b64encode("tỉnh:p:ặ".encode()).decode()
    }


async def test_bearer(http: aiohttp.ClientSession) -> None:
    call = rest_call()
    config = {"kind": "bearer", "token": "khoa"}
    await create_sign_on(config, secrets(khoa="abc"), http).sign(call)
    assert call.headers == {"Authorization": "Bearer abc"}


VXP = {
    "kind": "vxp-adapter",
    "user": "tinh-mau",
    "secret": "dancu",
    "client": "VN/GOV/000.00.00.H99/dancu",
}


@pytest.mark.parametrize(("unit", "scale"), [("milliseconds", 1000), ("seconds", 1)])
async def test_the_vxp_adapter_can_check_every_header(
    http: aiohttp.ClientSession, unit: str, scale: int
) -> None:
    call = soap_call()
    config = VXP | {"api_key": "api", "dstcode": "VN:GOV:G01:dancu", "timestamp": unit}
    await create_sign_on(config, secrets(dancu="s3cret", api="key-1"), http).sign(call)
    stamp = call.headers["Timestamp"]
    assert abs(int(stamp) / scale - time.time()) < 60
    text = f"http://10.0.0.5/dancutinh-mau{stamp}s3cret"
    proof = f"tinh-mau:{hashlib.sha256(text.encode()).hexdigest()}"
    assert call.headers == {
        "Timestamp": stamp,
        "Authorization": "Basic " + base64.b64encode(proof.encode()).decode(),
        "X-Road-Client": "VN/GOV/000.00.00.H99/dancu",
        "ApiKey": "key-1",
        "dstcode": "VN:GOV:G01:dancu",
        "SOAPAction": '""',
        "Content-Type": "application/xml; charset=utf-8",
    }


async def test_the_vxp_adapter_takes_dstcode_in_the_query_and_another_address_hashed(
    http: aiohttp.ClientSession,
) -> None:
    call = rest_call()
    config = VXP | {
        "dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider",
        "dstcode_in": "query",
        "provider_url": "https://provider.example/a?b=c",
        "service_url": "url-xac-thuc",
        "proof_header": "AuthHash",
    }
    await create_sign_on(config, secrets(dancu="s3cret"), http).sign(call)
    assert dict(URL(call.url).query) == {
        "id": "1",
        "dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider",
        "providerurl": "https://provider.example/a?b=c",
    }
    text = f"url-xac-thuctinh-mau{call.headers['Timestamp']}s3cret"
    shown = base64.b64decode(call.headers["AuthHash"]).decode()
    assert shown == f"tinh-mau:{hashlib.sha256(text.encode()).hexdigest()}"
    assert "SOAPAction" not in call.headers


async def test_mtls_shows_the_certificate_to_a_server_that_asks_for_it(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = certificate(tmp_path / "server")
    client = certificate(tmp_path / "client", password=b"secret-of-the-key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client[0])
    context.load_cert_chain(*server)
    context.verify_mode = ssl.CERT_REQUIRED
    shown: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        shown.append(request.transport.get_extra_info("peercert"))
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    tls = {
        "ca_file": str(server[0]),
        "certificate_file": str(client[0]),
        "key_file": str(client[1]),
        "key_password": "khoa",
    }
    sign_on = create_sign_on({"kind": "mtls", "tls": tls}, secrets(khoa="secret-of-the-key"), http)
    trust = sign_on.ssl()
    assert trust is not None
    url = URL(f"https://127.0.0.1:{site.port}/")
    answered = await exchange(http, "GET", url, headers={}, timeout=LIMIT, tls=trust)
    assert answered.status == 200
    assert len(shown) == 1
    assert shown[0]
    await runner.cleanup()


@pytest.mark.parametrize(
    "tls",
    [
        {"ca_file": "/nowhere/ca.pem"},
        {"certificate_file": "/nowhere/cert.pem"},
        {"ca_file": None},
    ],
)
async def test_mtls_without_usable_files_is_refused_at_once(
    http: aiohttp.ClientSession, tls: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="tls"):
        create_sign_on({"kind": "mtls", "tls": tls}, secrets(), http)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "kind"),
        ({"kind": ["none"]}, "kind"),
        ({"kind": "hunter2"}, "kind"),
        ({"kind": "none", "pasword": "hunter2"}, "pasword"),
        ({"kind": "basic", "user": "a:b", "password": "p"}, "user"),
        ({"kind": "token", "token_url": "ftp://x/", "client_id": "a", "client_secret": "b"}, "url"),
        ({"kind": "x-road", "client": "VN/GOV/1", "service": "VN/GOV/2/s"}, "client"),
        (VXP | {"client": "VN\r\nHost: x"}, "client"),
    ],
)
def test_a_wrong_declaration_names_its_field_and_repeats_no_value(
    config: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigurationError, match=field) as caught:
        parse_sign_on(config)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [b"", b"two\nlines", b"\xff\xfe"])
async def test_a_secret_that_cannot_be_sent_is_refused_and_not_shown(
    http: aiohttp.ClientSession, value: bytes
) -> None:
    with pytest.raises(ConfigurationError, match="khoa") as caught:
        create_sign_on({"kind": "bearer", "token": "khoa"}, secrets(khoa=value), http)
    assert "lines" not in str(caught.value)


async def test_a_missing_secret_is_named(http: aiohttp.ClientSession) -> None:
    with pytest.raises(ConfigurationError, match="khoa"):
        create_sign_on({"kind": "bearer", "token": "khoa"}, secrets(), http)
