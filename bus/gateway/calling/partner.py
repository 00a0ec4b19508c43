"""One attempt at a partner's SOAP service over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from yarl import URL

from adapters.http import FAILURES, failure_outcome, open_answer, retry_after
from adapters.signon import PartnerCall, SignOn, create_sign_on
from bus.gateway.calling.catalogue import MAX_MESSAGE
from bus.gateway.translate import Operation, Wire
from schemas.errors import (
    ConfigurationError,
    LgspError,
    NotFound,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)
from schemas.service import OperationSettings, Service

TIMEOUT_HEADER = "Lgsp-Timeout"
"""Seconds that are left for the call, a decimal number; callers send it, partners get it."""

_CONNECT = 5.0  # seconds; a partner that is there takes a connection at once
_ERRORS: dict[str | None, type[LgspError]] = {
    each.code: each for each in (PartnerUnavailable, PartnerTimeout, PartnerGarbage)
}
_AWAY = frozenset({429, 503})  # it says itself that it did nothing
_UNKNOWN = frozenset({408, 502, 504})  # something on the way gave up
_DENIED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Answered:
    """What an envelope is read from; `body` is empty where the partner sent none."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes
    content_type: str
    pause: float | None

    @property
    def is_message(self) -> bool:
        media = self.content_type.partition(";")[0].strip().lower()
        return bool(self.body) and (media.endswith("xml") or media == "multipart/related")


class Partners:
    """Asks partners. One per process; the session is pooled and belongs to who opened it."""

    def __init__(self, http: aiohttp.ClientSession, secrets: Callable[[str], bytes]) -> None:
        self._http = http
        self._secrets = secrets
        self._sign_ons: dict[str, tuple[dict[str, object], SignOn]] = {}

    async def ask(
        self,
        service: Service,
        operation: Operation,
        wire: Wire,
        *,
        officer: str,
        trace: str,
        deadline: float,
    ) -> Answered:
        """`deadline`: of the event loop's clock.

        Raises PartnerError, ConfigurationError, NotFound (the service says: nothing found).
        """
        sign_on = self._sign_on(service)
        response, again = None, True
        while response is None:
            call = PartnerCall(
                url=service.address or operation.address,
                headers=_headers(wire, trace),
                body=wire.body,
                soap=True,
                officer=officer,
            )
            await sign_on.sign(call)
            found = await self._post(call, sign_on, deadline)
            denied = found.status in _DENIED and not found.is_message
            if not (denied and again and await sign_on.refused(call)):
                response = found
            again = False
        return _judged(response, operation, service.settings(operation.name))

    def _sign_on(self, service: Service) -> SignOn:
        """Made once; it may hold a token that others wait for."""
        config, sign_on = self._sign_ons.get(service.id, ({}, None))
        if sign_on is None or config != service.sign_on:
            sign_on = create_sign_on(service.sign_on, self._secrets, self._http)
            self._sign_ons[service.id] = (service.sign_on, sign_on)
        return sign_on

    async def _post(self, call: PartnerCall, sign_on: SignOn, deadline: float) -> _Response:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise PartnerTimeout
        call.headers[TIMEOUT_HEADER] = f"{left:.3f}"
        timeout = aiohttp.ClientTimeout(total=left, connect=min(left, _CONNECT))
        try:
            async with open_answer(
                self._http,
                "POST",
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body,
                timeout=timeout,
                tls=sign_on.ssl() or True,
            ) as response:
                body = await _read(response.content)
                kind = response.headers.get("Content-Type", "")
                return _Response(response.status, body, kind, retry_after(response.headers))
        except FAILURES as error:
            outcome = failure_outcome(error)
            raised = _ERRORS.get(outcome.code, ConfigurationError)
            raise raised(outcome.detail) from None  # its text may hold addresses


def _headers(wire: Wire, trace: str) -> dict[str, str]:
    return {
        **wire.headers,
        "Accept": "text/xml, application/soap+xml, multipart/related",
        "traceparent": trace,
    }


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > MAX_MESSAGE:
            raise PartnerGarbage(
                f"the partner's answer is larger than {MAX_MESSAGE:,} bytes",
                vi=f"Trả lời của đối tác lớn hơn {MAX_MESSAGE:,} byte",
            )
    return bytes(body)


def _judged(response: _Response, operation: Operation, settings: OperationSettings) -> Answered:
    """What the HTTP answer means. A fault comes as an envelope under any status."""
    status = response.status
    if response.is_message:
        return Answered(response.body, response.content_type)
    if status in _AWAY:
        raise PartnerUnavailable(
            f"the partner answered HTTP {status}",
            vi=f"Đối tác trả HTTP {status}",
            retry_after=response.pause,
        )
    if status in _UNKNOWN:
        raise PartnerTimeout(f"the partner answered HTTP {status}", vi=f"Đối tác trả HTTP {status}")
    if status in _DENIED:
        raise PartnerRefused(
            f"the partner does not accept the bus's own sign-on (HTTP {status})",
            vi=f"Đối tác không chấp nhận tài khoản của trục (HTTP {status})",
        )
    if 400 <= status < 500:
        raise PartnerRefused(f"the partner answered HTTP {status}", vi=f"Đối tác trả HTTP {status}")
    if status in {200, 202, 204} and not response.body:
        if operation.one_way:
            return Answered(b"", "")
        if settings.empty_is_none:
            raise NotFound("the service found nothing", vi="Dịch vụ không tìm thấy dữ liệu")
    raise PartnerGarbage(
        f"the partner answered HTTP {status} without a SOAP message",
        vi=f"Đối tác trả HTTP {status} không kèm thông điệp SOAP",
    )
