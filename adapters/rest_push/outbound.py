"""One attempt: look up when an earlier one may have arrived, else send, and judge the answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import ClassVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from yarl import URL

from adapters.http import FAILURES, Answer, exchange, failure_outcome
from adapters.rest_push.codec import (
    delivery_outcome,
    lookup_headers,
    lookup_outcome,
    request_headers,
)
from adapters.rest_push.config import RestPushConfig
from adapters.rest_push.manifest import MANIFEST
from schemas.adapter import AdapterConfig, Manifest, OutboundDelivery, Outcome, Result
from schemas.errors import ConfigurationError, PartnerGarbage, PartnerUnavailable, Unavailable

MIN_SECRET = 16
"""Bytes; a shorter secret can be guessed."""

PIECE = 256 * 1024
"""Bytes written at once; a larger original held in memory is cut so that others get their turn."""


class RestPush:
    """One agency's system that the bus calls. Safe for many deliveries at once."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = RestPushConfig

    def __init__(
        self,
        config: RestPushConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
    ) -> None:
        """Resolves the secrets once; raises ConfigurationError when one is missing or weak."""
        self._config = config
        self._http = http
        self._url = URL(config.url)
        self._lookup_url = URL(config.lookup_url) if config.lookup_url else None
        names = [name for name in (config.secret, config.previous_secret) if name]
        self._secrets = tuple(_resolve(name, secrets) for name in names)
        self._tls = _tls(config.ca_file)
        self._small_timeout = self._timeout(PIECE)

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """One attempt; the time it may take is in `RestPushConfig.min_upload_rate`, twice that
        with a look-up. Whatever happens at the partner's side is in the outcome.
        """
        if delivery.maybe_sent and self._lookup_url is not None:
            found = await self._look_up(self._lookup_url / delivery.message_id, delivery)
            if found is not None:
                return found
        return await self._send(delivery)

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""

    async def _look_up(self, url: URL, delivery: OutboundDelivery) -> Outcome | None:
        headers = lookup_headers(delivery, self._secrets, int(time.time()))
        try:
            answer = await exchange(
                self._http,
                "GET",
                url,
                headers=headers,
                timeout=self._small_timeout,
                tls=self._tls,
            )
        except FAILURES as error:
            cause = failure_outcome(error)
            detail = f"The look-up failed and nothing was sent: {cause.detail}"
            return Outcome(Result.UNKNOWN, code=PartnerUnavailable.code, detail=detail)
        return lookup_outcome(answer, delivery)

    async def _send(self, delivery: OutboundDelivery) -> Outcome:
        content = delivery.content
        if content is not None and len(content) <= PIECE:
            return await self._post(delivery, content, self._small_timeout)
        upload = Upload(delivery)
        outcome = await self._post(delivery, upload, self._timeout(delivery.size))
        if upload.fault:
            return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=upload.fault)
        if outcome.result is Result.DELIVERED and upload.written < delivery.size:
            detail = "The partner acknowledged before it had the whole message."
            return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, outcome.answer)
        return outcome

    async def _post(
        self, delivery: OutboundDelivery, data: bytes | Payload, limit: aiohttp.ClientTimeout
    ) -> Outcome:
        headers = request_headers(delivery, self._secrets, int(time.time()))
        try:
            answer: Answer = await exchange(
                self._http,
                "POST",
                self._url,
                headers=headers,
                timeout=limit,
                data=data,
                tls=self._tls,
            )
        except FAILURES as error:
            return failure_outcome(error)
        return delivery_outcome(answer, delivery)

    def _timeout(self, size: int) -> aiohttp.ClientTimeout:
        config = self._config
        total = config.connect_seconds + config.answer_seconds
        return aiohttp.ClientTimeout(
            total=total + size / config.min_upload_rate,
            connect=config.connect_seconds,
            sock_read=config.answer_seconds,
            ceil_threshold=float("inf"),  # never rounded up to a whole second
        )


class Upload(Payload):
    """A large original as a request body: read piece by piece inside aiohttp's writer, so that
    ending the request in any way also ends the reading and closes the original.
    """

    def __init__(self, delivery: OutboundDelivery) -> None:
        super().__init__(delivery, content_type=delivery.media_type)
        self._delivery = delivery
        self._size = delivery.size
        self.written = 0  # bytes handed to the connection
        self.fault = ""  # why the original could not be read: a fault of this side

    def decode(
        self,
        encoding: str = "utf-8",  # noqa: ARG002 - aiohttp's signature
        errors: str = "strict",  # noqa: ARG002 - aiohttp's signature
    ) -> str:
        raise TypeError("an original is sent as bytes and never decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        async with aclosing(self._checked()) as pieces:
            async for piece in pieces:
                self.written += len(piece)
                await writer.write(piece)

    async def _checked(self) -> AsyncGenerator[bytes, None]:
        """The pieces; notes a fault when they cannot be read or are not as many as promised."""
        total = 0
        try:
            async with aclosing(_pieces(self._delivery)) as pieces:
                async for piece in pieces:
                    total += len(piece)
                    if total > self._delivery.size:
                        break
                    yield piece
        except Exception as error:
            self.fault = f"The original could not be read ({type(error).__name__})."
            raise
        if total != self._delivery.size:
            self.fault = "The original does not have the size that the ledger says."
            raise ValueError(self.fault)


async def _pieces(delivery: OutboundDelivery) -> AsyncGenerator[bytes, None]:
    if delivery.content is not None:
        for start in range(0, len(delivery.content), PIECE):
            yield delivery.content[start : start + PIECE]
    elif delivery.open_content is not None:
        async with delivery.open_content() as pieces:
            async for piece in pieces:
                yield piece


def _resolve(name: str, secrets: Callable[[str], bytes]) -> bytes:
    try:
        secret = secrets(name)
    except LookupError:
        raise ConfigurationError(
            f"The secret named {name[:50]!r} does not exist.",
            vi=f"Không có khóa bí mật tên {name[:50]!r}.",
        ) from None
    if len(secret) < MIN_SECRET:
        raise ConfigurationError(
            f"The secret named {name[:50]!r} is shorter than {MIN_SECRET} bytes.",
            vi=f"Khóa bí mật tên {name[:50]!r} ngắn hơn {MIN_SECRET} byte.",
        )
    return secret


def _tls(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"ca_file cannot be used ({type(error).__name__}).",
            vi=f"Không dùng được ca_file ({type(error).__name__}).",
        ) from None
