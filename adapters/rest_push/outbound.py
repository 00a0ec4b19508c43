"""One attempt: look up when an earlier one may have arrived, else send, and judge the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import aiohttp
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.http import FAILURES, exchange, failure_outcome
from adapters.plain_post import PlainPost
from adapters.rest_push.codec import (
    delivery_outcome,
    lookup_headers,
    lookup_outcome,
    request_headers,
)
from adapters.rest_push.config import RestPushConfig
from adapters.rest_push.manifest import MANIFEST
from adapters.upload import PIECE, Upload
from schemas.adapter import AdapterConfig, Manifest, OutboundDelivery, Outcome, Result
from schemas.errors import PartnerGarbage, PartnerUnavailable, Unavailable

MIN_SECRET = 16
"""Bytes; a shorter secret can be guessed."""


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
        self._secrets = tuple(resolve_secret(name, secrets) for name in names)
        self._tls = tls_context(config.ca_file)
        self._small_timeout = self._timeout(PIECE)
        self.plain = PlainPost(self._url, tls=self._tls, connect_seconds=config.connect_seconds)

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
        """The HTTP session belongs to the process."""
        self.plain.close()

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
            return await self._post(delivery, content)
        upload = Upload(delivery.read(), delivery.size, delivery.media_type)
        outcome = await self._post(delivery, upload)
        if upload.fault:
            return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=upload.fault)
        if outcome.result is Result.DELIVERED and upload.written < delivery.size:
            detail = "The partner acknowledged before it had the whole message."
            return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, outcome.answer)
        return outcome

    async def _post(self, delivery: OutboundDelivery, data: bytes | Upload) -> Outcome:
        headers = request_headers(delivery, self._secrets, int(time.time()))
        try:
            if isinstance(data, bytes):
                seconds = self._config.answer_seconds + len(data) / self._config.min_upload_rate
                answer = await self.plain.post(headers, data, seconds=seconds)
            else:
                answer = await exchange(
                    self._http,
                    "POST",
                    self._url,
                    headers=headers,
                    timeout=self._timeout(delivery.size),
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
