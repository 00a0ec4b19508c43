"""A running bus tells a real mail server and a real receiver of webhooks; `lgsp alert`."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from adapters.webhook import codec
from bus.app import ROLES, running
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from bus.settings import Settings
from schemas.province import Endpoint
from tests.certificates import certificate
from tests.integration.cli_harness import Cli
from tests.ledgers import prepare
from tests.serving import serving
from tests.waiting import wait_until

SECRET = b"khoa-ky-canh-bao-2026"
PASSWORD = "mat-khau-thu-2026"
SECONDS = 60


class MailServer:
    """STARTTLS and a log-in are required; it can be told to refuse."""

    def __init__(self, folder: Path) -> None:
        cert, key = certificate(folder)
        self.ca_file = cert
        self.mails: list[EmailMessage] = []
        self.refusing = False
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self.port = 0

    def _log_in(self, *arguments: Any) -> AuthResult:
        given = arguments[-1]
        known = LoginPassword(b"truc", PASSWORD.encode())
        return AuthResult(success=given == known)

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        if self.refusing:
            return "451 try again later"
        mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    def _connection(self) -> SMTP:
        return SMTP(
            self,
            tls_context=self._tls,
            require_starttls=True,
            auth_required=True,
            authenticator=self._log_in,
            loop=asyncio.get_running_loop(),
        )

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[MailServer]:
    server = MailServer(tmp_path / "mail")
    await server.start()
    yield server
    await server.stop()


class Receiver:
    """Takes what is signed well."""

    def __init__(self) -> None:
        self.url = ""
        self.documents: list[dict[str, Any]] = []
        self.away = False

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.away:
            return web.Response(status=503)
        if not codec.verify(dict(_lower(request)), body, [SECRET], time.time()):
            return web.Response(status=401)
        document = json.loads(body)
        assert document["id"] == request.headers[codec.ID]
        self.documents.append(document)
        return web.Response(status=204)


def _lower(request: web.Request) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value) for name, value in request.headers.items())


@asynccontextmanager
async def _receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/alerts", receiver.take)
    async with serving(app) as url:
        receiver.url = f"{url}/alerts"
        yield receiver


def _alerts(mail: MailServer, url: str) -> dict[str, Any]:
    return {
        "every": 0.2,
        "resolve_after": 0.5,
        "group_seconds": 0.5,
        "thresholds": {"breaker_seconds": 0.1},
        "email": {
            "host": "127.0.0.1",
            "port": mail.port,
            "ca_file": str(mail.ca_file),
            "user": "truc",
            "password": "thu",
            "sender": "truc@tinh.example",
            "recipients": ["truc-ban@tinh.example", "lanh-dao@tinh.example"],
        },
        "webhook": {"url": url, "secret": "canh-bao"},
    }


@pytest.fixture
def secrets_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "canh-bao").write_bytes(SECRET)
    (folder / "thu").write_text(PASSWORD)
    return folder


def _settings(tmp_path: Path, secrets_dir: Path, alerts: dict[str, Any]) -> Settings:
    return Settings.load(
        None,
        data_dir=tmp_path / "data",
        http_port=0,
        secrets_dir=secrets_dir,
        alerts=alerts,
    )


async def test_a_running_bus_tells_by_mail_and_by_signed_webhook(
    tmp_path: Path, mail: MailServer, secrets_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.ops.alerts.outbox.FIRST_PAUSE", 0.1)
    async with _receiving() as receiver:
        settings = _settings(tmp_path, secrets_dir, _alerts(mail, receiver.url))
        settings.data_dir.mkdir()
        await prepare(settings.database_url)
        ledger = await Ledger.open(settings.database_url, settings.blob_dir)
        endpoint = Endpoint(name="so-y-te", kind="mailbox")
        await ledger.config.apply(
            [Change("endpoint", "so-y-te", None, endpoint)], expected=0, actor="test", reason=""
        )
        mail.refusing = True
        receiver.away = True
        async with running(settings, ROLES):
            await ledger.open_breaker("so-y-te", probe_at=ledger.clock(), error="not reached")

            async def attempted() -> bool:
                waiting = await ledger.alerts.waiting()
                return all(each[2] for each in waiting.values()) and len(waiting) == 2

            condition: Callable[[], bool | Awaitable[bool]] = attempted
            await wait_until(condition, SECONDS, "both channels have refused")
            said = await ledger.alerts.waiting()
            assert said["email"][2] == "SMTPDataError 451"
            assert said["webhook"][2] == "HTTP 503"
            mail.refusing = False
            receiver.away = False
            await wait_until(lambda: mail.mails and receiver.documents, SECONDS, "both are told")
            await ledger.close_breaker("so-y-te")
            await wait_until(
                lambda: len(mail.mails) >= 2 and len(receiver.documents) >= 2,
                SECONDS,
                "both are told that it is over",
            )
        await ledger.close()
    first, last = mail.mails[0], mail.mails[-1]
    assert first["Subject"] == (
        "[LGSP] CẢNH BÁO: Điểm kết nối so-y-te đang ngắt mạch; trục tự thử lại"
    )
    assert first["To"] == "truc-ban@tinh.example, lanh-dao@tinh.example"
    text = first.get_content()
    for line in ("Việc cần làm: Gọi đơn vị", "Next step: Call whoever", "not reached"):
        assert line in text
    assert last["Subject"].startswith("[LGSP] ĐÃ HẾT")
    (alert,) = receiver.documents[0]["alerts"]
    assert (alert["rule"], alert["event"]) == ("breaker-open", "raised")
    assert receiver.documents[0]["culprit"] == "endpoint:so-y-te"
    assert receiver.documents[-1]["alerts"][0]["event"] == "resolved"
    keys = [(d["id"], a["id"], a["event"]) for d in receiver.documents for a in d["alerts"]]
    assert len(keys) == len(set(keys)) == 2, "each once"


async def test_operators_list_silence_and_try_alerts(
    tmp_path: Path, mail: MailServer, secrets_dir: Path
) -> None:
    """`lgsp alert` beside a running bus; deploy/docs/alerts.md executes the rest of it."""
    folder = tmp_path / "cli"
    folder.mkdir()
    url = f"sqlite+aiosqlite:///{folder / 'ledger.db'}"
    await prepare(url)
    async with _receiving() as receiver:
        told = _alerts(mail, receiver.url)
        lgsp = Cli(url, folder)

        async def run(*arguments: str, code: int = 0) -> Any:
            env = {"LGSP_SECRETS_DIR": str(secrets_dir), "LGSP_ALERTS": json.dumps(told)}
            done = await asyncio.to_thread(lgsp, "alert", *arguments, "--json", code=code, env=env)
            return json.loads(done.out)

        ledger = await Ledger.open(url, folder / "blobs")
        endpoint = Endpoint(name="hop-thu", kind="mailbox")
        await ledger.config.apply(
            [Change("endpoint", "hop-thu", None, endpoint)], expected=0, actor="test", reason=""
        )
        await ledger.open_breaker("hop-thu", probe_at=ledger.clock(), error="not reached")
        settings = _settings(folder, secrets_dir, told).model_copy(update={"database_url": url})
        async with running(settings, ROLES):
            await wait_until(lambda: mail.mails and receiver.documents, SECONDS, "it was told")
        (row,) = await ledger.alerts.unresolved()
        await run("silence", str(row.id), "--for", "2h", "--reason", "bảo trì")
        assert "alert-silenced" in [each.event for each in await ledger.queries.journal()]
        await ledger.close()
        listed = await run("list", code=1)
        (item,), (silence,) = listed["items"], listed["silences"]
        assert item["key"] == silence["pattern"] == "breaker-open:hop-thu"
        assert item["step"]["en"].startswith("Call whoever runs that system")
        assert silence["reason"] == "bảo trì"
        mail.refusing = True
        said = await run("test", code=1)
        errors = {each["channel"]: each["error"] for each in said["items"]}
        assert errors == {"email": "SMTPDataError 451", "webhook": None}
        assert receiver.documents[-1]["alerts"][0]["rule"] == "test"
        assert PASSWORD not in json.dumps(said)
