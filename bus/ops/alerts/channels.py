"""The ways in which people are told: electronic mail, and a signed HTTP POST."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate
from typing import Protocol

import aiohttp
import orjson
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.http import FAILURES, exchange, failure_outcome
from adapters.webhook import codec
from bus.ops.alerts.policy import AlertPolicy, Email, Hook
from bus.ops.alerts.wording import Letter
from schemas.errors import ConfigurationError

Secrets = Callable[[str], bytes]


class NotTold(Exception):
    """The channel did not take the letter; the text may be shown and holds no secret."""


class Channel(Protocol):
    name: str

    async def tell(self, letter: Letter) -> None:
        """Returns when the channel has it. Raises NotTold."""


def create(policy: AlertPolicy, http: aiohttp.ClientSession, secrets: Secrets) -> list[Channel]:
    """Raises ConfigurationError when a secret is missing."""
    channels: list[Channel] = []
    if policy.email is not None:
        channels.append(MailChannel(policy.email, secrets))
    if policy.webhook is not None:
        channels.append(HookChannel(policy.webhook, http, secrets))
    return channels


class MailChannel:
    name = "email"

    def __init__(self, email: Email, secrets: Secrets) -> None:
        self._email = email
        self._password = ""
        if email.password is not None:
            self._password = _ascii(email.password, secrets)
        try:
            ca_file = str(email.ca_file) if email.ca_file else None
            self._tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"alerts.email.ca_file cannot be used ({type(error).__name__}).",
                vi=f"Không dùng được alerts.email.ca_file ({type(error).__name__}).",
            ) from None

    async def tell(self, letter: Letter) -> None:
        """Taken when the server has taken it for every recipient."""
        try:
            await asyncio.to_thread(self._send, self._message(letter))
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise NotTold(_said(error)) from error

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._email.sender
        message["To"] = ", ".join(self._email.recipients)
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        domain = self._email.sender.rpartition("@")[2]
        message["Message-ID"] = f"<{letter.id}@{domain}>"  # the same again is the same mail
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday answers stay away
        message.set_content(letter.text)
        return message

    def _send(self, message: EmailMessage) -> None:
        email = self._email
        with self._connect() as server:
            if email.tls == "starttls":
                server.starttls(context=self._tls)
            if email.user is not None:
                server.login(email.user, self._password)
            refused = server.send_message(message)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)

    def _connect(self) -> smtplib.SMTP:
        email = self._email
        if email.tls == "implicit":
            return smtplib.SMTP_SSL(
                email.host, email.port, timeout=email.seconds, context=self._tls
            )
        return smtplib.SMTP(email.host, email.port, timeout=email.seconds)


def _ascii(name: str, secrets: Secrets) -> str:
    """Python's SMTP client writes nothing else."""
    password = resolve_secret(name, secrets, at_least=1)
    if not password.isascii():
        raise ConfigurationError(
            f"The secret named {name[:50]!r} has characters that cannot be a mail password.",
            vi=f"Bí mật {name[:50]!r} có ký tự không dùng được làm mật khẩu thư (chỉ ASCII).",
        )
    return password.decode("ascii")


def _said(error: Exception) -> str:
    """Codes and kinds only: a server's words may repeat addresses or credentials."""
    match error:
        case smtplib.SMTPResponseException():
            return f"{type(error).__name__} {error.smtp_code}"
        case smtplib.SMTPRecipientsRefused():
            codes = sorted({str(code) for code, _ in error.recipients.values()})
            return f"SMTPRecipientsRefused {' '.join(codes)}"
        case _:
            return type(error).__name__


class HookChannel:
    name = "webhook"

    def __init__(self, hook: Hook, http: aiohttp.ClientSession, secrets: Secrets) -> None:
        self._url = URL(hook.url)
        self._http = http
        self._secret = resolve_secret(hook.secret, secrets)
        self._tls = tls_context(hook.ca_file)
        self._timeout = aiohttp.ClientTimeout(total=hook.seconds, ceil_threshold=float("inf"))

    async def tell(self, letter: Letter) -> None:
        """Taken when it answers 2xx."""
        body = orjson.dumps(letter.document)
        try:
            answer = await exchange(
                self._http,
                "POST",
                self._url,
                headers=self._headers(letter.id, body),
                timeout=self._timeout,
                data=body,
                tls=self._tls,
            )
        except FAILURES as error:
            raise NotTold(failure_outcome(error).detail) from error
        if not 200 <= answer.status < 300:
            raise NotTold(f"HTTP {answer.status}")

    def _headers(self, letter_id: str, body: bytes) -> Mapping[str, str]:
        now = str(int(time.time()))
        return {
            "Content-Type": codec.JSON,
            codec.ID: letter_id,
            codec.TIMESTAMP: now,
            codec.SIGNATURE: codec.signature(letter_id, now, body, (self._secret,)),
        }
