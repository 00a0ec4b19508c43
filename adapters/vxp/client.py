"""Calls to the axis: signed, bounded, answered in one piece or in many."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import aiohttp
from aiohttp.payload import Payload
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.http import FAILURES, Answer, exchange, failure_outcome, open_answer, read_answer
from adapters.vxp import codec
from adapters.vxp.codec import Reply, parse_reply, request_headers
from adapters.vxp.config import VxpConfig
from adapters.vxp.rows import Rows
from schemas.adapter import Result
from schemas.errors import (
    ConfigurationError,
    LgspError,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)

ROUND_SECONDS = 2_000.0
"""The longest that one answer in pieces may take, as in the vendor's client."""

MIN_SECRET = 8
"""Bytes. The axis issues its secrets; this only catches an empty or mistaken file."""


class AxisClient:
    """One registered system at the axis."""

    def __init__(
        self,
        config: VxpConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
    ) -> None:
        """Raises ConfigurationError when the secret or the CA file cannot be used."""
        self.config = config
        self._http = http
        self._url = URL(config.url)
        self._secret = resolve_secret(config.secret, secrets, at_least=MIN_SECRET)
        self._tls = tls_context(config.ca_file)
        self._last = datetime.fromtimestamp(0, UTC)

    async def upload(
        self, data: bytes | Payload, size: int, fields: Mapping[str, str], extra: Mapping[str, str]
    ) -> Answer:
        """POST /sendEdoc; `extra` is not signed. Raises one of `adapters.http.FAILURES`."""
        return await exchange(
            self._http,
            "POST",
            self._url / "sendEdoc",
            headers={**self._headers(fields, codec.OCTETS), **extra},
            timeout=self._timeout(size / self.config.min_upload_rate),
            data=data,
            tls=self._tls,
        )

    async def call(
        self, operation: str, fields: Mapping[str, str], data: bytes = b"", method: str = "POST"
    ) -> Reply:
        """A short call and its good reply. Raises PartnerError or ConfigurationError."""
        try:
            answer = await exchange(
                self._http,
                method,
                self._url / operation,
                headers=self._headers(fields),
                timeout=self._timeout(0),
                data=data,
                tls=self._tls,
            )
        except FAILURES as error:
            raise failure(error) from None
        return good(operation, answer)

    @asynccontextmanager
    async def open(
        self, operation: str, fields: Mapping[str, str], data: bytes = b"", method: str = "POST"
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is read with `pieces_of`. Raises PartnerError or ConfigurationError."""
        limit = aiohttp.ClientTimeout(
            total=ROUND_SECONDS,
            connect=self.config.connect_seconds,
            sock_read=self.config.answer_seconds,
            ceil_threshold=float("inf"),
        )
        answer = open_answer(
            self._http,
            method,
            self._url / operation,
            headers=self._headers(fields),
            timeout=limit,
            data=data,
            tls=self._tls,
        )
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(answer)
            except FAILURES as error:
                raise failure(error) from None
            yield response

    async def rows(
        self, operation: str, fields: Mapping[str, str]
    ) -> AsyncGenerator[Mapping[str, object], None]:
        """The rows of a list as they come. Raises PartnerError or ConfigurationError."""
        async with self.open(operation, fields) as response:
            if response.status != HTTPStatus.OK:
                good(operation, await read_answer(response))
            rows = Rows(pieces_of(response))
            async for row in rows:
                yield row
            if rows.reply is not None and not rows.reply.ok:
                raise refused(operation, rows.reply)

    def _headers(self, fields: Mapping[str, str], content: str = codec.JSON) -> dict[str, str]:
        return request_headers(
            fields,
            system=self.config.systemid,
            secret=self._secret,
            now=self._moment(),
            content=content,
        )

    def _moment(self) -> datetime:
        """Now, but never the same millisecond twice: the operation is not part of what is signed,
        so that two calls about one packet would look like a replay.
        """
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last

    def _timeout(self, upload: float) -> aiohttp.ClientTimeout:
        """`upload` are the seconds that the body may take."""
        config = self.config
        return aiohttp.ClientTimeout(
            total=config.connect_seconds + config.answer_seconds + upload,
            connect=config.connect_seconds,
            sock_read=config.answer_seconds,
            ceil_threshold=float("inf"),  # never rounded up to a whole second
        )


async def pieces_of(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """Raises PartnerTimeout when the answer breaks off."""
    try:
        async for piece in response.content.iter_any():
            yield piece
    except FAILURES as error:
        raise failure(error) from None


def good(operation: str, answer: Answer) -> Reply:
    """Raises PartnerError or ConfigurationError when it is not a good reply."""
    found = parse_reply(answer.body)
    if found is not None and found.ok and answer.status == HTTPStatus.OK:
        return found
    if found is not None and not found.ok:
        raise refused(operation, found)
    if answer.status in {408, 425, 429, 503}:
        raise PartnerUnavailable(
            f"/{operation}: the axis cannot answer now (HTTP {answer.status})",
            vi=f"/{operation}: trục quốc gia tạm thời không phục vụ (HTTP {answer.status})",
        )
    if 300 <= answer.status < 500:
        raise ConfigurationError(
            f"/{operation}: the axis does not know this request (HTTP {answer.status})",
            vi=f"/{operation}: trục quốc gia không nhận yêu cầu này (HTTP {answer.status})",
        )
    raise PartnerGarbage(
        f"/{operation}: not an answer of the document axis (HTTP {answer.status})",
        vi=f"/{operation}: trả lời không đúng giao thức (HTTP {answer.status})",
    )


def refused(operation: str, found: Reply) -> LgspError:
    """What a FAIL means: wrong credentials are ours to mend, the rest is the axis's word."""
    known = codec.ERRORS.get(found.code)
    text = known.en if known else "unknown code"
    en = f"/{operation}: the axis answered {found.code[:20]}: {text}"
    vi = f"/{operation}: trục quốc gia trả lời {found.code[:20]}: {known.vi if known else ''}"
    if found.code == codec.BAD_CREDENTIALS:
        return ConfigurationError(en, vi=vi)
    return PartnerRefused(en, vi=vi)


def failure(error: Exception) -> LgspError:
    """What an exception of the HTTP client means."""
    outcome = failure_outcome(error)
    if outcome.code == ConfigurationError.code:
        return ConfigurationError(outcome.detail)
    unreached = outcome.result is Result.TRANSIENT
    kind = PartnerUnavailable if unreached else PartnerTimeout
    return kind(outcome.detail, vi="Không gọi được trục quốc gia hoặc kết nối bị ngắt")
