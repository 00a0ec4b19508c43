"""Trying to reach an endpoint's system, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

from bus.ops.reach import try_reaching
from schemas.province import Endpoint
from tests.certificates import certificate


def endpoint(**config: object) -> Endpoint:
    return Endpoint(name="e", kind="rest-push", config=dict(config))


async def test_reached_and_refused() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    nested = {"urls": [f"http://127.0.0.1:{closed}/b"]}
    found = await try_reaching(endpoint(url=f"http://127.0.0.1:{port}/a", more=nested))
    server.close()
    await server.wait_closed()
    assert {each.place: each.good for each in found} == {
        f"127.0.0.1:{port}": True,
        f"127.0.0.1:{closed}": False,
    }
    (refused,) = [each for each in found if not each.good]
    assert "refuses" in refused.said.en
    assert await try_reaching(endpoint(folder="x")) == []


async def test_tls_tells_when_the_certificate_ends_trusted_or_not(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    (strange,) = await try_reaching(endpoint(url=url))
    (trusted,) = await try_reaching(endpoint(url=url, ca_file=str(cert)))
    (absent,) = await try_reaching(endpoint(url=url, ca_file=str(tmp_path / "none")))
    server.close()
    await server.wait_closed()
    assert not strange.good
    assert "not trusted" in strange.said.en
    assert trusted.good
    assert trusted.ends_at is not None
    assert strange.ends_at == trusted.ends_at
    assert "ca_file" in absent.said.en
