"""Keys and certificates are replaced while calls go on, and no call is refused.

deploy/docs/roll-keys-over.md is the how-to: the new one is made known to the other side first, then
it is used, then the old one goes.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.citizens.sandbox import Sandbox
from adapters.rest_push import codec
from adapters.rest_push.sandbox import Sandbox as PushSandbox
from bus.app import ROLES, running
from bus.console import totp
from bus.gateway.limits import GatewayLimits
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from bus.ops.province_contracts import pinned
from bus.settings import Settings
from schemas import instant
from schemas.errors import ConfigurationError
from schemas.province import Agency, Client, Endpoint
from schemas.service import Service
from tests.certificates import certificate
from tests.integration.gateway_harness import Harness, opened
from tests.integration.service_harness import DOCUMENTS, MAIN, ONE, OPERATIONS, Services, grant
from tests.proof.load import Sender, keys_for, play
from tests.waiting import wait_until

CLIENT, AGENCY = "van-phong", "H38.01"
EACH = 12  # calls between two steps


@dataclass
class Guard:
    """A partner's door: lets in whom it knows, and sends them on to the register."""

    register: str
    who: Callable[[web.Request, bytes], str]
    known: set[str] = field(default_factory=set)
    came: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    url: str = ""

    async def _enter(self, request: web.Request) -> web.Response:
        body = await request.read()
        who = self.who(request, body)
        self.came.append(who)
        if who not in self.known:
            self.refused.append(who)
            return web.Response(status=401)
        headers = {"Content-Type": request.headers["Content-Type"]}
        for name in ("SOAPAction",):
            if name in request.headers:
                headers[name] = request.headers[name]
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.register, data=body, headers=headers) as answer,
        ):
            media = answer.headers["Content-Type"]
            return web.Response(
                status=answer.status, body=await answer.read(), headers={"Content-Type": media}
            )

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._enter)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/citizens"
        try:
            yield
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Way:
    """How the bus proves itself: with the old one, with the new one."""

    old: dict[str, Any]
    new: dict[str, Any]
    names: tuple[str, str]  # by which the guard knows them
    who: Callable[[web.Request, bytes], str]
    secrets: dict[str, bytes]
    tls: ssl.SSLContext | None = None


def _der(path: Path) -> str:
    found = x509.load_pem_x509_certificate(path.read_bytes())
    return b64encode(found.public_bytes(Encoding.DER)).decode()


def _bearer(_folder: Path) -> Way:
    secrets = {"token-1": b"old-token-of-the-bus", "token-2": b"new-token-of-the-bus"}
    return Way(
        {"kind": "bearer", "token": "token-1"},
        {"kind": "bearer", "token": "token-2"},
        ("Bearer old-token-of-the-bus", "Bearer new-token-of-the-bus"),
        lambda request, _: request.headers.get("Authorization", ""),
        secrets,
    )


def _wss_x509(folder: Path) -> Way:
    pairs = [certificate(folder / name) for name in ("one", "two")]
    names = _der(pairs[0][0]), _der(pairs[1][0])
    secrets: dict[str, bytes] = {}
    for number, (cert, key) in enumerate(pairs, start=1):
        secrets |= {f"key-{number}": key.read_bytes(), f"cert-{number}": cert.read_bytes()}
    return Way(
        {"kind": "wss-x509", "key": "key-1", "certificate": "cert-1"},
        {"kind": "wss-x509", "key": "key-2", "certificate": "cert-2"},
        names,
        lambda _, body: next((name for name in names if name.encode() in body), ""),
        secrets,
    )


def _mtls(folder: Path) -> Way:
    server, server_key = certificate(folder / "server")
    pairs = [certificate(folder / name, common_name=name) for name in ("one", "two")]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server, server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    for cert, _ in pairs:
        context.load_verify_locations(cert)

    def who(request: web.Request, _body: bytes) -> str:
        assert request.transport is not None
        shown: bytes = request.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return b64encode(shown).decode()

    def sign_on(pair: tuple[Path, Path]) -> dict[str, Any]:
        files = {"certificate_file": str(pair[0]), "key_file": str(pair[1])}
        return {"kind": "mtls", "tls": {"ca_file": str(server), **files}}

    return Way(
        sign_on(pairs[0]), sign_on(pairs[1]), (_der(pairs[0][0]), _der(pairs[1][0])), who, {},
        context,
    )  # fmt: skip


@pytest.mark.parametrize("way", [_bearer, _wss_x509, _mtls])
async def test_how_the_bus_proves_itself_to_a_partner(
    sqlite_url: str, tmp_path: Path, way: Callable[[Path], Way]
) -> None:
    proof = way(tmp_path)
    old, new = proof.names
    async with Sandbox() as register:
        guard = Guard(register.url, proof.who, {old})
        secrets = {"data-subjects": b"key of subjects", **proof.secrets}.__getitem__
        async with guard.open(proof.tls), opened(sqlite_url, tmp_path, secrets=secrets) as bus:
            await bus.ledger.contracts.keep(list(DOCUMENTS.values()))
            services = Services(bus, register, _service(guard.url, proof.old))
            await bus.declare("service", None, services.service)
            await bus.declare("grant", None, grant(AGENCY))
            async with _calls(services, guard) as until:
                await until(old)
                guard.known.add(new)
                await services.declare(sign_on=_service(guard.url, proof.new).sign_on)
                await until(new)
                guard.known.remove(old)
                await until(new)
        assert guard.refused == []


def _service(address: str, sign_on: dict[str, Any]) -> Service:
    return Service.model_validate(
        {
            "name": "cong-dan",
            "contract": pinned(MAIN, DOCUMENTS),
            "address": address,
            "operations": OPERATIONS,
            "timeout": 120,
            "sign_on": sign_on,
        }
    )


@asynccontextmanager
async def _calls(services: Services, guard: Guard) -> AsyncIterator[Callable[[str], Any]]:
    """Calls go on, several at once, whatever is changed; each must be answered."""
    over = asyncio.Event()
    wrong: list[str] = []

    async def caller() -> None:
        while not over.is_set():
            answer = await services.call("TraCuu", {"SoDinhDanh": ONE})
            if answer.status_code != 200:
                wrong.append(answer.text)

    async def until(who: str) -> None:
        """So many calls in a row came under that name."""
        seen = len(guard.came)

        def enough() -> bool:
            last = list(itertools.takewhile(lambda name: name == who, reversed(guard.came[seen:])))
            return len(last) >= EACH or bool(wrong)

        await wait_until(enough, 60, lambda: f"{EACH} calls as {who[:20]}")

    await services.bus.token(CLIENT)
    callers = [asyncio.create_task(caller()) for _ in range(4)]
    try:
        yield until
    finally:
        over.set()
        await asyncio.gather(*callers)
    assert wrong == []


async def test_the_key_of_a_client(sqlite_url: str, tmp_path: Path) -> None:
    """The system changes to its new key whenever it likes; the old one ends after that."""
    async with opened(sqlite_url, tmp_path) as bus:
        answers: list[int] = []
        over = asyncio.Event()

        async def work() -> None:
            while not over.is_set():
                bus.tokens.pop(CLIENT, None)  # a new token each time, with the key of now
                answer = await bus.call(CLIENT, "GET", "/api/v1/mailbox")
                answers.append(answer.status_code)

        async def more() -> None:
            seen = len(answers)
            await wait_until(lambda: len(answers) >= seen + EACH, 60, "calls")

        working = asyncio.create_task(work())
        await more()
        (old,) = await bus.ledger.identities.keys(CLIENT)
        new = await bus.ledger.identities.add_key(CLIENT)
        await more()
        bus.keys[CLIENT] = new
        await more()
        await bus.ledger.identities.retire_key(CLIENT, old.hint, at=instant.now())
        await more()
        over.set()
        await working
        assert set(answers) == {200}


async def test_the_secret_with_which_an_agency_knows_the_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sign for a while; the agency's system changes over when it likes, documents go on."""
    secrets_dir, url = tmp_path / "secrets", f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    secrets_dir.mkdir()
    for year in ("2025", "2026"):
        (secrets_dir / f"he-{year}").write_text(f"the secret of the year {year}")
    old, new = (f"the secret of the year {year}".encode() for year in ("2025", "2026"))
    signed: list[bool] = []  # of each request, whether with the new one
    verify = codec.verify

    def noted(method: str, headers: Any, secrets: Any, now: float) -> bool:
        signed.append(verify(method, headers, (new,), now))
        return verify(method, headers, secrets, now)

    monkeypatch.setattr(codec, "verify", noted)
    settings = Settings(data_dir=tmp_path, database_url=url, secrets_dir=secrets_dir, http_port=0)
    async with PushSandbox(secrets=(old,)) as system, running(settings, ROLES) as address:
        ledger = await Ledger.open(url, tmp_path / "blobs")
        stages = [
            Endpoint(name="he", kind="rest-push", config={"url": system.url} | named)
            for named in (
                {"secret": "he-2025"},
                {"secret": "he-2026", "previous_secret": "he-2025"},
                {"secret": "he-2026"},
            )
        ]
        items = [
            Change("endpoint", "he", None, stages[0]),
            *(
                Change("agency", each.code, None, each)
                for each in (
                    Agency(code="H99.01", name="Sở A"),
                    Agency(code="H99.02", name="Sở B", endpoint="he"),
                )
            ),
            Change(
                "client", "a", None, Client(id="a", agencies=("H99.01",), rate=1000, burst=1000)
            ),
        ]
        await ledger.config.apply(items, expected=0, actor="test", reason="test")
        key = await ledger.identities.add_key("a")
        over = asyncio.Event()
        async with Sender(address or "", "H99.01", "a", key) as sender:
            telling = asyncio.create_task(
                play(
                    sender,
                    keys_for([("H99.02", "he")]),
                    per_key=2,
                    at_once=8,
                    rate=20,
                    go_on=lambda: not over.is_set(),
                )
            )

            async def more(*, with_new: bool = False) -> None:
                begin = len(signed)

                def enough() -> bool:
                    last = signed[begin:][-EACH:]
                    return len(last) == EACH and (all(last) or not with_new)

                await wait_until(enough, 60, "documents")

            await more()
            for before, after in itertools.pairwise(stages):
                revision = await ledger.config.revision()
                change = [Change("endpoint", "he", before, after)]
                await ledger.config.apply(change, expected=revision, actor="t", reason="t")
                await more(with_new=True)
                system._secrets = (new,)
                await more()
            over.set()
            await telling
            count = len(sender.sent)
            await wait_until(lambda: len(system.received) == count, 60, "all")
        rows = await ledger.queries.deliveries(limit=1000)
        await ledger.close()
    assert {(each.state, each.attempts) for each in rows} == {("delivered", 1)}, "never refused"


async def test_addresses_of_papers_outlive_the_secret_they_were_signed_with(
    sqlite_url: str, tmp_path: Path
) -> None:
    secrets = {"file-urls": b"the first secret"}

    def secret(name: str) -> bytes:
        try:
            return secrets[name]
        except KeyError:
            raise ConfigurationError(name, vi=name) from None

    limits = GatewayLimits(public_url="https://lgsp.example")
    async with opened(sqlite_url, tmp_path, limits=limits, secrets=secret) as bus:
        first = await _paper(bus, b"%PDF 1")
        secrets |= {"file-urls": b"the second secret", "file-urls-previous": b"the first secret"}
        second = await _paper(bus, b"%PDF 2")
        assert [await _fetched(bus, each) for each in (first, second)] == [200, 200]
        assert await _paper(bus, b"%PDF 1") != first, "signed anew"
        del secrets["file-urls-previous"]
        assert [await _fetched(bus, each) for each in (first, second)] == [404, 200]


async def _paper(bus: Harness, content: bytes) -> str:
    path = "/api/v1/dossiers/H38.02-261102-0001/files?name=don.pdf"
    answer = await bus.call("so-xay-dung", "POST", path, content=content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def _fetched(bus: Harness, url: str) -> int:
    answer = await bus.http.get(url.removeprefix("https://lgsp.example"))
    return int(answer.status_code)


def test_authenticators_outlive_the_key_they_were_sealed_with() -> None:
    sealed = totp.seal(b"shared", b"the first key", "lan")
    assert totp.unseal(sealed, b"the second key", "lan", previous=b"the first key") == b"shared"
    for previous in (None, b"the third key"):
        with pytest.raises(ConfigurationError):
            totp.unseal(sealed, b"the second key", "lan", previous=previous)
