"""One attempt: a token, an order or its cancellation, and the look-up of what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import aiohttp
import orjson
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.content import read_whole
from adapters.http import FAILURES, Answer, exchange, failure_outcome
from adapters.sessions import LOGIN_MARGIN, Session
from adapters.vnpost import codec
from adapters.vnpost.config import VnPostConfig
from adapters.vnpost.manifest import MANIFEST
from schemas.adapter import AdapterConfig, Manifest, OutboundDelivery, Outcome, Result
from schemas.errors import (
    ConfigurationError,
    PartnerError,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
)
from schemas.flows import PostalAction, PostalOrder
from schemas.inquiries import PostalEvent
from schemas.sessions import Sessions, unshared

TOKEN_SECONDS = 3000.0
"""The platform's tokens last 3600 seconds."""

_VI = "Chưa hỏi được bưu chính"


class _NoTokenError(Exception):
    """Without a token nothing was sent."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class VnPost:
    """The post as one customer sees it (schemas.adapter.Adapter, Tracking)."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = VnPostConfig

    def __init__(
        self,
        config: VnPostConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
        sessions: Sessions = unshared,
    ) -> None:
        """Raises ConfigurationError when the secret or the CA file cannot be used."""
        self._config = config
        self._http = http
        self._url = URL(config.url)
        self._basic = codec.basic(config.key, resolve_secret(config.secret, secrets, at_least=8))
        self._tls = tls_context(config.ca_file)
        self._token = Session(
            self._log_in,
            seconds=TOKEN_SECONDS,
            shared=sessions(MANIFEST.kind, config.token_url, self._basic),
            login_seconds=config.connect_seconds + config.answer_seconds + LOGIN_MARGIN,
        )
        self._timeout = aiohttp.ClientTimeout(
            total=config.connect_seconds + config.answer_seconds,
            connect=config.connect_seconds,
            ceil_threshold=float("inf"),
        )

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """An order that may have arrived is looked up first; a cancellation may be repeated."""
        content = await read_whole(delivery)
        if isinstance(content, Outcome):
            return content
        order = PostalOrder.model_validate_json(content)
        field = codec.unnumbered(order)
        if field is not None:
            detail = f"The post's code of {field} is no number: the administrator corrects it."
            return Outcome(Result.TRANSIENT, code=ConfigurationError.code, detail=detail)
        return await self._attempt(order, maybe_sent=delivery.maybe_sent)

    async def _attempt(self, order: PostalOrder, *, maybe_sent: bool) -> Outcome:
        creates = order.action is PostalAction.CREATE
        try:
            if creates and maybe_sent and await self._has(order.number):
                return Outcome(Result.DELIVERED, partner_ref=order.number)
            write = codec.write_order if creates else codec.write_cancellation
            path = self._config.order_path if creates else self._config.cancel_path
            body = write(order, self._config.customer_code)
            return codec.judge(await self._call("POST", path, body=body), order.number)
        except FAILURES as error:
            return failure_outcome(error)
        except _NoTokenError as error:
            return error.outcome
        except PartnerError as error:
            detail = f"Nothing was sent, an earlier attempt stays unknown: {error.detail.en}"
            return Outcome(Result.UNKNOWN, code=error.code, detail=detail[:500])

    async def track(self, number: str) -> tuple[PostalEvent, ...]:
        """Where the order of that number is; nothing when the post does not have it.

        Raises PartnerError, ConfigurationError.
        """
        try:
            answer = await self._call("GET", self._config.tracking_path, {"OrderNumber": number})
        except FAILURES as error:
            raise _failure(failure_outcome(error)) from None
        except _NoTokenError as error:
            raise _failure(error.outcome) from None
        reply = codec.read_reply(answer)
        if answer.status != 200 or not reply.code:
            outcome = codec.judge(answer, number)
            raise _failure(outcome)
        return codec.read_tracking(reply.content)

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""

    async def _has(self, number: str) -> bool:
        return bool(await self.track(number))

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Once more with a new token when its own is refused: then it did nothing."""
        for _ in range(2):
            token = await self._token.current()
            answer = await exchange(
                self._http,
                method,
                (self._url / path).update_query(query or {}),
                headers={"Authorization": f"Bearer {token}", "Content-Type": codec.JSON},
                timeout=self._timeout,
                data=None if body is None else orjson.dumps(body),
                tls=self._tls,
            )
            if answer.status != 401:
                break
            self._token.refused(token)
        return answer

    async def _log_in(self) -> str:
        """Raises _NoTokenError."""
        try:
            answer = await exchange(
                self._http,
                "POST",
                URL(self._config.token_url),
                headers={"Authorization": self._basic, "Content-Type": codec.FORM},
                timeout=self._timeout,
                data=codec.GRANT,
                tls=self._tls,
            )
        except FAILURES as error:
            cause = failure_outcome(error)
            detail = f"No token was had, nothing was sent: {cause.detail}"
            raise _NoTokenError(Outcome(Result.TRANSIENT, "", cause.code, detail)) from None
        try:
            token = orjson.loads(answer.body)["access_token"] if answer.status == 200 else ""
        except (orjson.JSONDecodeError, KeyError, TypeError):
            token = ""
        if not isinstance(token, str) or not token:
            refused = answer.status in {400, 401, 403}
            code = ConfigurationError.code if refused else PartnerUnavailable.code
            detail = f"The platform gave no token (HTTP {answer.status}); nothing was sent."
            raise _NoTokenError(Outcome(Result.TRANSIENT, "", code, detail))
        return token


def _failure(outcome: Outcome) -> PartnerError | ConfigurationError:
    if outcome.code == ConfigurationError.code:
        return ConfigurationError(outcome.detail)
    kinds: dict[str, type[PartnerError]] = {
        PartnerTimeout.code: PartnerTimeout,
        PartnerUnavailable.code: PartnerUnavailable,
    }
    return kinds.get(outcome.code, PartnerGarbage)(outcome.detail, vi=_VI)
