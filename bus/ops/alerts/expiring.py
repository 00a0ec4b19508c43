"""What ends on a day: certificates of partners and authorities, certificates among the secrets,
keys of clients.

Asked anew now and then only: certificates change rarely, and partners need not see us often.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from yarl import URL

from bus.engine.live import Snapshot
from bus.ops.alerts.look import Expiry
from schemas.errors import Text
from schemas.instant import Instant, from_datetime

log = structlog.get_logger(__name__)

HANDSHAKE_SECONDS = 10.0
AT_ONCE = 8
_MAX_PEM = 1_000_000
_BEGIN = b"-----BEGIN CERTIFICATE-----"


async def certificates(snapshot: Snapshot, secrets_dir: Path | None) -> list[Expiry]:
    """Of every endpoint and service that is declared, and in the folder of secrets."""
    found = list(await asyncio.to_thread(_files, snapshot, secrets_dir))
    places = {(u.host, u.port): owner for owner, u in _urls(snapshot) if u.scheme == "https"}
    few = asyncio.Semaphore(AT_ONCE)
    ends = await asyncio.gather(
        *(_of_server(host or "", port or 443, few) for host, port in places)
    )
    for ((host, port), owner), end in zip(places.items(), ends, strict=True):
        if end is not None:
            found.append(_server(f"{host}:{port}", owner, end))
    return found


def client_keys(ends: Mapping[str, Instant]) -> Iterator[Expiry]:
    """By client: when the last of its keys ends."""
    for client, end in ends.items():
        what = Text(f"Khóa cuối cùng của hệ thống {client}", f"Last key of client {client}")
        step = f"lgsp client key add {client}"
        yield Expiry(f"key/{client}", f"client:{client}", end, what, Text(step, step))


def _server(place: str, owner: str, end: Instant) -> Expiry:
    what = Text(
        f"Chứng thư của máy chủ {place} ({owner})", f"Certificate of the server {place} ({owner})"
    )
    step = Text(
        f"Đối tác thay chứng thư; kiểm tra: openssl s_client -connect {place}",
        f"The partner renews it; look: openssl s_client -connect {place}",
    )
    return Expiry(f"server/{place}", owner, end, what, step)


def _urls(snapshot: Snapshot) -> Iterator[tuple[str, URL]]:
    for name, endpoint in snapshot.endpoints.items():
        for value in _texts(endpoint.config):
            if value.startswith("https://"):
                yield f"endpoint:{name}", URL(value)
    for service in snapshot.services.values():
        for value in _texts(service.model_dump(mode="json")):
            if value.startswith("https://"):
                yield f"service:{service.id}", URL(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            if "namespace" not in str(key):
                yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


async def _of_server(host: str, port: int, few: asyncio.Semaphore) -> Instant | None:
    """When the certificate it shows ends; None when it shows none. Nothing is sent to it.

    What it shows is only read, so it need not be trusted: an expired one is what is looked for.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with few, asyncio.timeout(HANDSHAKE_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except (OSError, TimeoutError) as error:
        log.debug("alerts.no_certificate", place=f"{host}:{port}", error=type(error).__name__)
        return None
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return None if der is None else _end(x509.load_der_x509_certificate(der))


def _files(snapshot: Snapshot, secrets_dir: Path | None) -> Iterator[Expiry]:
    for name, endpoint in snapshot.endpoints.items():
        path = endpoint.config.get("ca_file")
        if isinstance(path, str):
            yield from _in_file(Path(path), f"endpoint:{name}")
    if secrets_dir is not None:
        for path in sorted(secrets_dir.iterdir()) if secrets_dir.is_dir() else ():
            yield from _in_file(path, f"bus:secret:{path.name}")


def _in_file(path: Path, culprit: str) -> Iterator[Expiry]:
    """The certificate of a PEM file that ends first, if it has one."""
    try:
        content = path.read_bytes() if path.stat().st_size <= _MAX_PEM else b""
        held = x509.load_pem_x509_certificates(content) if _BEGIN in content else []
    except (OSError, ValueError):
        return
    if held:
        what = Text(f"Chứng thư trong {path.name}", f"Certificate in {path.name}")
        step = Text(f"Thay tệp {path}", f"Replace the file {path}")
        yield Expiry(f"file/{path}", culprit, min(map(_end, held)), what, step)


def _end(certificate: x509.Certificate) -> Instant:
    return from_datetime(certificate.not_valid_after_utc)
