"""One attempt: the event of a record, a step or a change, signed, and what the portal answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import aiohttp
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.content import as_body, read_whole
from adapters.http import FAILURES, exchange, failure_outcome
from adapters.webhook import codec
from adapters.webhook.config import WebhookConfig
from adapters.webhook.manifest import MANIFEST
from schemas.adapter import AdapterConfig, Manifest, OutboundDelivery, Outcome


class Webhook:
    """One portal that publishes progress. Safe for many deliveries at once."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = WebhookConfig

    def __init__(
        self,
        config: WebhookConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
    ) -> None:
        """Resolves the secrets once; raises ConfigurationError when one is missing or weak."""
        self._config = config
        self._http = http
        self._url = URL(config.url)
        names = [name for name in (config.secret, config.previous_secret) if name]
        self._secrets = tuple(resolve_secret(name, secrets) for name in names)
        self._tls = tls_context(config.ca_file)
        self._timeout = aiohttp.ClientTimeout(
            total=config.connect_seconds + config.answer_seconds,
            connect=config.connect_seconds,
            sock_read=config.answer_seconds,
            ceil_threshold=float("inf"),  # never rounded up to a whole second
        )

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """One attempt of at most `connect_seconds + answer_seconds`.

        A portal cannot be asked: what may have arrived is sent again under the same id.
        """
        if delivery.kind not in ("dossier", "step", "change"):
            raise TypeError(f"delivery {delivery.id}: {delivery.kind} is not published")
        content = await read_whole(delivery)
        if isinstance(content, Outcome):
            return content
        if delivery.kind == "change":
            body = codec.change(delivery, content)
        else:
            body = codec.event(delivery, delivery.kind, content, self._config)
        headers = codec.request_headers(delivery, body, self._secrets, int(time.time()))
        try:
            answer = await exchange(
                self._http,
                "POST",
                self._url,
                headers=headers,
                timeout=self._timeout,
                data=as_body(body, codec.JSON),
                tls=self._tls,
            )
        except FAILURES as error:
            return failure_outcome(error)
        return codec.outcome(answer, delivery.message_id)

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""
