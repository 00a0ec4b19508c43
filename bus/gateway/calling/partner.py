"""One attempt at a partner's service: SOAP or JSON over HTTP, or a national one's own protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
import orjson
from yarl import URL

from adapters.http import FAILURES, failure_error, open_answer, read_whole, retry_after
from adapters.national import CallContext, NationalService, create_national
from adapters.signon import PartnerCall, SignOn, create_sign_on
from bus.gateway.calling.catalogue import MAX_MESSAGE
from bus.gateway.national import NationalCall
from bus.gateway.rest_service import RestCall
from bus.gateway.translate import Operation, Wire
from schemas.errors import (
    NotFound,
    PartnerError,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)
from schemas.service import OperationSettings, Service
from schemas.sessions import Sessions, unshared

TIMEOUT_HEADER = "Lgsp-Timeout"
"""Seconds that are left for the call, a decimal number; callers send it, partners get it."""

_JSON = "application/json"
_CONNECT = 5.0  # seconds; a partner that is there takes a connection at once
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
    headers: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_message(self) -> bool:
        media = self.content_type.partition(";")[0].strip().lower()
        return bool(self.body) and (media.endswith("xml") or media == "multipart/related")


class Partners:
    """Asks partners. One per process; the session is pooled and belongs to who opened it."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
        sessions: Sessions = unshared,
    ) -> None:
        """`sessions`: where processes keep what partners gave them for each other."""
        self._http = http
        self._secrets = secrets
        self._sessions = sessions
        self._sign_ons: dict[str, tuple[dict[str, object], SignOn]] = {}
        self._nationals: dict[str, tuple[dict[str, object], NationalService]] = {}

    async def ask(
        self,
        service: Service,
        operation: Operation,
        wire: Wire,
        *,
        officer: str,
        trace: str,
        deadline: float,
        agency: str = "",
    ) -> Answered:
        """`deadline`: of the event loop's clock.

        Raises PartnerError, ConfigurationError, NotFound (the service says: nothing found).
        """
        if isinstance(operation, NationalCall):
            seconds = deadline - asyncio.get_running_loop().time()
            if seconds <= 0:
                raise PartnerTimeout
            context = CallContext(agency, officer, seconds, trace)
            national = self._national(service, operation)
            told = await national.call(operation.name, orjson.loads(wire.body), context)
            return Answered(orjson.dumps(told), _JSON)
        address = service.address or operation.address
        if isinstance(operation, RestCall):
            return await self._json(service, operation, wire, address, officer, trace, deadline)

        def call() -> PartnerCall:
            return PartnerCall(
                url=address,
                headers=_headers(wire, trace),
                body=wire.body,
                soap=True,
                officer=officer,
            )

        response = await self._signed(service, "POST", call, deadline)
        if response.is_message or (response.is_good and (response.body or not operation.one_way)):
            await self._sign_on(service).proven(response.body)
        return _judged(response, operation, service.settings(operation.name))

    async def _json(
        self,
        service: Service,
        operation: RestCall,
        wire: Wire,
        address: str,
        officer: str,
        trace: str,
        deadline: float,
    ) -> Answered:
        """The envelope's question in HTTP and JSON; the answer as the envelope that it means."""
        assert operation.rest is not None  # noqa: S101 - given by whoever makes it
        asked = operation.rest.call_from_soap(wire.body, wire.content_type)

        def call() -> PartnerCall:
            return PartnerCall(
                url=address.rstrip("/") + asked.target,
                headers={**asked.headers, "traceparent": trace},
                body=asked.body or b"",
                soap=False,
                officer=officer,
            )

        response = await self._signed(service, asked.method, call, deadline)
        if response.status in _AWAY | _UNKNOWN | _DENIED:
            raise _failed(response)
        headers = {**response.headers, "Content-Type": response.content_type}
        told = operation.rest.reply_to_soap(
            response.status, headers, response.body, operation.version
        )
        return Answered(told.body, told.content_type)

    async def _signed(
        self, service: Service, method: str, make: Callable[[], PartnerCall], deadline: float
    ) -> _Response:
        """Once more with a renewed sign-on when the partner denies it."""
        sign_on = self._sign_on(service)
        call = make()
        await sign_on.sign(call)
        found = await self._send(method, call, sign_on, deadline)
        if found.status in _DENIED and not found.is_message and await sign_on.refused(call):
            call = make()
            await sign_on.sign(call)
            found = await self._send(method, call, sign_on, deadline)
        return found

    def _sign_on(self, service: Service) -> SignOn:
        """Made once; it may hold a token that others wait for."""
        config, sign_on = self._sign_ons.get(service.id, ({}, None))
        if sign_on is None or config != service.sign_on:
            sign_on = create_sign_on(service.sign_on, self._secrets, self._http, self._sessions)
            self._sign_ons[service.id] = (service.sign_on, sign_on)
        return sign_on

    def _national(self, service: Service, operation: NationalCall) -> NationalService:
        """Made once for each declaration; its sign-on may hold a token that others wait for."""
        wanted: dict[str, object] = {
            **operation.options,
            "url": service.address,
            "sign_on": service.sign_on,
        }
        config, national = self._nationals.get(service.id, ({}, None))
        if national is None or config != wanted:
            national = create_national(wanted, self._secrets, self._http, self._sessions)
            self._nationals[service.id] = (wanted, national)
        return national

    async def _send(
        self, method: str, call: PartnerCall, sign_on: SignOn, deadline: float
    ) -> _Response:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise PartnerTimeout
        call.headers[TIMEOUT_HEADER] = f"{left:.3f}"
        timeout = aiohttp.ClientTimeout(total=left, connect=min(left, _CONNECT))
        try:
            async with open_answer(
                self._http,
                method,
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body,
                timeout=timeout,
                tls=sign_on.ssl() or True,
            ) as response:
                body = await read_whole(response, MAX_MESSAGE)
                kind = response.headers.get("Content-Type", "")
                pause = retry_after(response.headers)
                return _Response(response.status, body, kind, pause, dict(response.headers))
        except FAILURES as error:
            raise failure_error(error) from None  # its text may hold addresses


def _headers(wire: Wire, trace: str) -> dict[str, str]:
    return {
        **wire.headers,
        "Accept": "text/xml, application/soap+xml, multipart/related",
        "traceparent": trace,
    }


def _judged(response: _Response, operation: Operation, settings: OperationSettings) -> Answered:
    """What the HTTP answer means. A fault comes as an envelope under any status."""
    status = response.status
    if response.is_message:
        return Answered(response.body, response.content_type)
    if status in _AWAY | _UNKNOWN | _DENIED:
        raise _failed(response)
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


def _failed(response: _Response) -> PartnerError:
    """What a status says that stands for no answer of the service."""
    status = response.status
    if status in _AWAY:
        return PartnerUnavailable(
            f"the partner answered HTTP {status}",
            vi=f"Đối tác trả HTTP {status}",
            retry_after=response.pause,
        )
    if status in _UNKNOWN:
        return PartnerTimeout(
            f"the partner answered HTTP {status}", vi=f"Đối tác trả HTTP {status}"
        )
    return PartnerRefused(
        f"the partner does not accept the bus's own sign-on (HTTP {status})",
        vi=f"Đối tác không chấp nhận tài khoản của trục (HTTP {status})",
    )
