"""What all national services do alike: check, ask once, read; the codec of each does the rest."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import aiohttp
import orjson
from pydantic import Field
from yarl import URL

from adapters.http import FAILURES, failure_error, open_answer, read_whole, retry_after
from adapters.national import model
from adapters.national.model import Part
from adapters.national.port import CallContext, Json, NationalOperation
from adapters.signon import PartnerCall, create_sign_on
from adapters.signon.config import Address
from adapters.signon.plain import Secrets
from schemas.adapter import AdapterConfig
from schemas.errors import (
    ConfigurationError,
    InvalidRequest,
    NotFound,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)
from schemas.service import Changes
from schemas.sessions import Sessions

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes; a catalogue is the largest that comes."""

_DIGITS = 15
"""Of a whole number that every reader of JSON keeps exactly (RFC 8259 section 6)."""

_CONNECT = 5.0  # seconds
JSON_MEDIA = "application/json; charset=utf-8"

AskT = TypeVar("AskT", bound=Part)
ToldT = TypeVar("ToldT", bound=Part)


class NationalConfig(AdapterConfig):
    """What every national service is declared with."""

    url: Address = Field(description="address that paths of operations are appended to")
    sign_on: dict[str, Any] = Field({"kind": "none"}, description="see adapters/signon/README.md")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a partner's protocol. `path` is appended to the declared address."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    media: str = ""
    soap_action: str | None = None  # given: the body is an envelope


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. That the sign-on was refused is dealt with before a codec sees it."""

    status: int
    body: bytes = field(repr=False)
    pause: float | None = None  # seconds the partner asks to wait


def by_status(answer: Answer) -> bool:
    return answer.status in {401, 403}


@dataclass(frozen=True, slots=True)
class Operation(Generic[AskT, ToldT]):
    """One operation: how it is declared, written and read. The two functions are pure."""

    name: str
    title_vi: str
    title_en: str
    ask: type[AskT]
    told: type[ToldT]
    write: Callable[[AskT, CallContext], Request]
    read: Callable[[Answer], ToldT]
    idempotent: bool = True
    subjects: tuple[str, ...] = ()
    personal: bool = False
    denied: Callable[[Answer], bool] = by_status  # the sign-on was not accepted
    finish: Callable[[AskT, ToldT], ToldT] | None = None  # what depends on the question, too
    changes: Changes | None = None

    def declared(self) -> NationalOperation:
        return NationalOperation(
            self.name,
            self.title_vi,
            self.title_en,
            self.ask.model_json_schema(),
            self.told.model_json_schema(mode="serialization"),
            self.idempotent,
            self.personal or bool(self.subjects),
            self.subjects,
            self.changes,
        )


class Service:
    """A national service over HTTP: its operations and one sign-on."""

    def __init__(
        self,
        name: str,
        config: NationalConfig,
        operations: tuple[Operation[Any, Any], ...],
        secrets: Secrets,
        http: aiohttp.ClientSession,
        sessions: Sessions,
    ) -> None:
        """Raises ConfigurationError for a sign-on that cannot be used."""
        self.name = name
        self.operations: Mapping[str, NationalOperation] = {
            each.name: each.declared() for each in operations
        }
        self._known = {each.name: each for each in operations}
        self._url = URL(config.url)
        self._http = http
        self._sign_on = create_sign_on(config.sign_on, secrets, http, sessions)

    async def call(self, operation: str, json: Json, context: CallContext) -> Json:
        known = self._known.get(operation)
        if known is None:
            names = ", ".join(self._known)
            raise NotFound(
                f"{self.name} has no operation {operation[:50]!r}; there are {names}",
                vi=f"{self.name} không có thao tác {operation[:50]!r}; có: {names}",
            )
        if self.operations[operation].personal and not context.officer:
            raise InvalidRequest(
                f"{self.name} wants to know the officer who asks about a person",
                vi=f"{self.name} yêu cầu nêu cán bộ tra cứu thông tin cá nhân",
                field="officer",
            )
        ask = model.read(known.ask, json)
        told: Part = known.read(await self._ask(known, ask, context))
        if known.finish is not None:
            told = known.finish(ask, told)
        return told.model_dump(mode="json", by_alias=True)

    async def _ask(self, known: Operation[Any, Any], ask: Part, context: CallContext) -> Answer:
        """One attempt, and a second one where a renewed sign-on may help."""
        request = known.write(ask, context)
        deadline = asyncio.get_running_loop().time() + context.seconds
        call = await self._signed(request, context)
        answer = await self._send(request.method, call, deadline)
        if known.denied(answer) and await self._sign_on.refused(call):
            request = known.write(ask, context)  # some registers take no number twice
            call = await self._signed(request, context)
            answer = await self._send(request.method, call, deadline)
        if known.denied(answer):
            raise ConfigurationError(
                f"{self.name} does not accept the bus's sign-on (HTTP {answer.status})",
                vi=f"{self.name} không chấp nhận tài khoản của trục (HTTP {answer.status})",
            )
        if 200 <= answer.status < 300 or answer.status == 500:  # a fault of SOAP 1.1 comes as 500
            await self._sign_on.proven(answer.body)
        return answer

    async def _signed(self, request: Request, context: CallContext) -> PartnerCall:
        headers = {"Accept": "*/*"}
        if request.media:
            headers["Content-Type"] = request.media
        if request.soap_action is not None:
            headers["SOAPAction"] = f'"{request.soap_action}"'
        if context.trace:
            headers["traceparent"] = context.trace
        url = self._url.joinpath(request.path) if request.path else self._url
        if request.query:
            url = url.update_query(request.query)
        soap = request.soap_action is not None
        call = PartnerCall(str(url), headers, request.body, soap, context.officer)
        await self._sign_on.sign(call)
        return call

    async def _send(self, method: str, call: PartnerCall, deadline: float) -> Answer:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise PartnerTimeout
        timeout = aiohttp.ClientTimeout(
            total=left, connect=min(left, _CONNECT), ceil_threshold=float("inf")
        )
        try:
            async with open_answer(
                self._http,
                method,
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body or None,
                timeout=timeout,
                tls=self._sign_on.ssl() or True,
            ) as response:
                body = await read_whole(response, MAX_ANSWER)
                return Answer(response.status, body, retry_after(response.headers))
        except FAILURES as error:
            raise failure_error(error) from None  # its text may hold addresses


def good(answer: Answer) -> bytes:
    """The body of a good answer. Raises PartnerError by the HTTP status."""
    status = answer.status
    if 200 <= status < 300:
        return answer.body
    en, vi = f"the partner answered HTTP {status}", f"Đối tác trả HTTP {status}"
    if status in {408, 425, 429, 503}:
        raise PartnerUnavailable(en, vi=vi, retry_after=answer.pause)
    if status in {502, 504}:  # something on the way gave up
        raise PartnerTimeout(en, vi=vi)
    if 400 <= status < 500:
        raise PartnerRefused(en, vi=vi)
    raise PartnerGarbage(en, vi=vi)


def json_of(answer: Answer) -> Any:
    """Numbers with a fraction come as the text that was written. Raises PartnerError."""
    return parse_json(good(answer))


def parse_json(body: bytes) -> Any:
    """Numbers with a fraction, and those too large for JSON elsewhere, come as they are written.

    Raises PartnerGarbage.
    """
    try:
        orjson.loads(body)  # stricter: no NaN, no halves of characters, no endless nesting
        return json.loads(body, parse_float=str, parse_int=_integer)
    except (ValueError, RecursionError):
        raise garbage("what is no JSON", "không phải JSON") from None


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS else text


def object_of(answer: Answer) -> Json:
    """Raises PartnerError."""
    found = json_of(answer)
    if not isinstance(found, dict):
        raise garbage("no JSON object", "không phải đối tượng JSON")
    return found


def garbage(en: str, vi: str) -> PartnerGarbage:
    return PartnerGarbage(f"the partner answered {en}", vi=f"Đối tác trả lời {vi}")


def refusal(code: str, text: str) -> PartnerRefused:
    """The partner's own words; long numbers, which may be those of people, are left out."""
    told = words(text)
    return PartnerRefused(
        f"the partner refused ({code or 'no code'}): {told}",
        vi=f"Đối tác từ chối ({code or 'không có mã'}): {told}",
        partner_code=code,
    )


def words(text: str) -> str:
    return re.sub(r"\d{5,}", "…", " ".join(text.split()))[:300]


def post(path: str, value: object) -> Request:
    """A question in JSON."""
    return Request("POST", path, body=orjson.dumps(value), media=JSON_MEDIA)
