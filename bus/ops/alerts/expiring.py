"""What ends on a day: certificates of partners and authorities, certificates among the secrets,
secrets of endpoints, keys of clients.

Certificates are asked for anew now and then only: they change rarely, and partners need not see us
often. What was found is in the ledger: the alerts and the console's pages read it there alike.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from yarl import URL

from adapters import registry
from bus.engine.live import Snapshot
from bus.ledger import alerts
from bus.ledger.ledger import Ledger
from bus.ledger.secret_lives import SecretLife
from bus.ops.alerts.look import Expiry
from schemas.errors import Text
from schemas.instant import Instant, from_datetime
from schemas.province import Endpoint

log = structlog.get_logger(__name__)

MEMORY = "certificates"
"""Where the ledger's memory of alerts has what certificates were found."""

HANDSHAKE_SECONDS = 10.0
AT_ONCE = 8
_MAX_PEM = 1_000_000
_BEGIN = b"-----BEGIN CERTIFICATE-----"


async def all_of(ledger: Ledger, snapshot: Snapshot) -> list[Expiry]:
    """Everything known to end, the soonest first. Raises LedgerUnavailable."""
    found = [*kept((await ledger.alerts.memory()).get(MEMORY, []))]
    found += secrets(await ledger.secret_lives.all(), snapshot)
    ends = await ledger.identities.last_ends()
    found += client_keys({each: end for each, end in ends.items() if each in snapshot.clients})
    return sorted(found, key=lambda each: each.at)


async def look_again(ledger: Ledger, snapshot: Snapshot, secrets_dir: Path | None) -> None:
    """Asks for certificates and writes down what they say. Raises LedgerUnavailable.

    A partner that does not answer now is not thought to have none: what it showed last stays.
    """
    known = kept((await ledger.alerts.memory()).get(MEMORY, []))
    found = await certificates(snapshot, secrets_dir, {each.name: each for each in known})
    body = [
        {"name": e.name, "culprit": e.culprit, "at": e.at, "what": [*e.what], "step": [*e.step]}
        for e in found
    ]
    await ledger.act(lambda tx, chain, now: alerts.remember(tx, chain, now, MEMORY, body))


def kept(body: Iterable[Mapping[str, Any]]) -> list[Expiry]:
    """As `look_again` wrote it."""
    return [
        Expiry(e["name"], e["culprit"], e["at"], Text(*e["what"]), Text(*e["step"])) for e in body
    ]


async def certificates(
    snapshot: Snapshot, secrets_dir: Path | None, known: Mapping[str, Expiry]
) -> list[Expiry]:
    """Of every endpoint and service that is declared, and in the folder of secrets."""
    found = list(await asyncio.to_thread(_files, snapshot, secrets_dir))
    places = {(u.host, u.port): owner for owner, u in _urls(snapshot) if u.scheme == "https"}
    few = asyncio.Semaphore(AT_ONCE)
    ends = await asyncio.gather(
        *(_of_server(host or "", port or 443, few) for host, port in places)
    )
    for ((host, port), owner), end in zip(places.items(), ends, strict=True):
        place = f"{host}:{port}"
        before = known.get(f"server/{place}")
        if end is not None or before is not None:
            found.append(_server(place, owner, end or before.at))  # type: ignore[union-attr]
    return found


def secrets(lives: Mapping[str, SecretLife], snapshot: Snapshot) -> Iterator[Expiry]:
    """Those with a day on which they are to be another, and that an endpoint uses."""
    for endpoint in snapshot.endpoints.values():
        for name in _secret_names(endpoint):
            life = lives.get(name)
            if life is None or life.ends_at is None:
                continue
            what = Text(f"Bí mật {name} ({endpoint.name})", f"Secret {name} ({endpoint.name})")
            step = Text(
                f"Thay bí mật trên trang điểm kết nối {endpoint.name}",
                f"Replace it on the page of endpoint {endpoint.name}",
            )
            key = f"secret/{endpoint.name}/{name}"
            yield Expiry(key, f"endpoint:{endpoint.name}", life.ends_at, what, step)


def _secret_names(endpoint: Endpoint) -> Iterator[str]:
    """Not of those it no longer signs with: they are there for what is on its way."""
    adapter = registry.adapters().get(endpoint.kind)
    for field in () if adapter is None else adapter.manifest.secrets:
        name = endpoint.config.get(field)
        if isinstance(name, str) and not field.startswith("previous_"):
            yield name


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
