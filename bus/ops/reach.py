"""Can the bus reach an endpoint's system: name, connection, TLS, certificate? Nothing is sent."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from yarl import URL

from schemas.errors import Text
from schemas.instant import Instant, from_datetime
from schemas.province import Endpoint

SECONDS = 10.0
_PORTS = {"http": 80, "https": 443, "amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class Reached:
    """One address of an endpoint, tried."""

    place: str  # host and port
    good: bool
    milliseconds: float
    said: Text  # what came of it, and who looks next
    ends_at: Instant | None = None  # of the certificate that it shows


async def try_reaching(endpoint: Endpoint) -> list[Reached]:
    """Every address in its configuration, all at once; none: it is one that others connect to."""
    places = sorted({(u.scheme, u.host or "", u.port or _PORTS[u.scheme]) for u in _urls(endpoint)})
    ca_file = endpoint.config.get("ca_file")
    ca = ca_file if isinstance(ca_file, str) else None
    return list(await asyncio.gather(*(_try(*place, ca) for place in places)))


def _urls(endpoint: Endpoint) -> Iterator[URL]:
    for text in _texts(endpoint.config):
        if "://" in text and (url := URL(text)).scheme in _PORTS and url.host:
            yield url


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list() | tuple():
            for each in value:
                yield from _texts(each)


async def _try(scheme: str, host: str, port: int, ca_file: str | None) -> Reached:
    began, place = time.perf_counter(), f"{host}:{port}"
    tls = scheme.endswith("s")
    try:
        context = await asyncio.to_thread(_context, ca_file) if tls else None
        ends_at = await _connect(host, port, context)
    except (OSError, TimeoutError, ValueError) as error:
        said = _explain(error)
        # what the certificate says is told all the same: an ended one is the commonest fault
        ends_at = await _shown(host, port) if isinstance(error, ssl.SSLError) else None
        return Reached(place, False, 1000 * (time.perf_counter() - began), said, ends_at)
    said = Text("kết nối được", "reached")
    return Reached(place, True, 1000 * (time.perf_counter() - began), said, ends_at)


def _context(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is not None and not Path(ca_file).is_file():
        raise ValueError(ca_file)
    return ssl.create_default_context(cafile=ca_file)


async def _connect(host: str, port: int, context: ssl.SSLContext | None) -> Instant | None:
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=host if context else None
        )
    try:
        secured = writer.get_extra_info("ssl_object")
        der = secured.getpeercert(binary_form=True) if secured is not None else None
    finally:
        writer.close()
    if der is None:
        return None
    return from_datetime(x509.load_der_x509_certificate(der).not_valid_after_utc)


async def _shown(host: str, port: int) -> Instant | None:
    """When the certificate ends that is not trusted; it is only read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return await _connect(host, port, context)
    except (OSError, TimeoutError):
        return None


def _explain(error: Exception) -> Text:
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message
            return Text(
                f"chứng thư không được tin ({why}); đối tác thay, hoặc quản trị trục đặt ca_file",
                f"the certificate is not trusted ({why}); the partner renews it, or the "
                "administrator sets ca_file",
            )
        case ssl.SSLError():
            return Text(
                "không bắt tay TLS được; đối tác kiểm tra TLS của máy chủ",
                "no TLS handshake; the partner looks into its server's TLS",
            )
        case TimeoutError():
            return Text(
                "không trả lời kịp; kiểm tra tường lửa và đường truyền",
                "no answer in time; look into firewall and network",
            )
        case ConnectionRefusedError():
            return Text(
                "máy chủ từ chối kết nối; đối tác kiểm tra dịch vụ có chạy không",
                "the server refuses; the partner looks whether its service runs",
            )
        case ValueError():
            return Text("không đọc được ca_file", "ca_file cannot be read")
        case _:
            return Text(
                "không tìm thấy máy chủ; kiểm tra tên máy và DNS",
                "the server was not found; look into its name and DNS",
            )
