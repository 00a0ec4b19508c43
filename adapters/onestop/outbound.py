"""From the one-stop software: lists, fetches, and says done or fail only after the inbox has
spoken.  To it: what citizens submit at portals, as the portal would push it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import date
from functools import partial
from http import HTTPStatus
from typing import ClassVar

import aiohttp
import orjson
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.content import as_body, read_whole
from adapters.http import FAILURES, exchange, failure_outcome, open_answer
from adapters.onestop.codec import read_item, read_listing
from adapters.onestop.config import OneStopConfig
from adapters.onestop.manifest import MANIFEST
from adapters.portal_submission import judge_receipt, write_submission
from adapters.profiles import Listed, Rounds, read_list
from schemas.adapter import (
    AdapterConfig,
    Inbox,
    ListedDossier,
    Manifest,
    OutboundDelivery,
    Outcome,
    Reconciling,
    Result,
    Taken,
)
from schemas.errors import (
    ConfigurationError,
    InvalidRequest,
    PartnerError,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
)
from schemas.flows import Submission

JSON = "application/json"
MAX_ANSWER = 8_000_000  # bytes of one answer


class OneStop:
    """One one-stop system (schemas.adapter.Adapter, Poller)."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = OneStopConfig

    def __init__(
        self,
        config: OneStopConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
    ) -> None:
        """Raises ConfigurationError when the secret or the CA file cannot be used."""
        self._config = config
        self._http = http
        self._url = URL(config.url)
        secret = resolve_secret(config.secret, secrets)
        self._headers = {"Authorization": f"Bearer {secret.decode('latin-1')}"}
        self._limit = aiohttp.ClientTimeout(
            total=config.connect_seconds + config.answer_seconds,
            connect=config.connect_seconds,
            ceil_threshold=float("inf"),
        )
        self._tls = tls_context(config.ca_file)
        self._rounds = Rounds(self._waiting)

    @property
    def interval(self) -> float:
        return self._config.poll_seconds

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """One submission, with the software's own codes. It answers a repeat as known, so that it
        may be sent again after any doubt.
        """
        content = await read_whole(delivery)
        if isinstance(content, Outcome):
            return content
        if self._config.receive_url is None:
            detail = "The endpoint has no receive_url: the administrator adds it."
            return Outcome(Result.TRANSIENT, code=ConfigurationError.code, detail=detail)
        item = write_submission(Submission.model_validate_json(content))
        try:
            answer = await exchange(
                self._http,
                "POST",
                URL(self._config.receive_url),
                headers=self._headers | {"Content-Type": JSON},
                timeout=self._limit,
                data=as_body(orjson.dumps(item), JSON),
                tls=self._tls,
            )
        except FAILURES as error:
            return failure_outcome(error)
        return judge_receipt(answer)

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""

    async def poll(self, inbox: Inbox) -> int:
        """One round (adapters.profiles.Rounds)."""
        return await self._rounds.round(partial(self._take, inbox))

    async def _waiting(self) -> list[Listed]:
        body = await self._call(
            "GET", self._config.list_path, {"unit_code": self._config.unit_code}
        )
        return read_list(body)

    async def _take(self, inbox: Inbox, row: Listed) -> None:
        body = await self._call("GET", self._config.detail_path, {"profile_id": row.id})
        ref = f"{self._config.unit_code}:{row.id}"
        taken = await _put(inbox, ref, body)
        status = "done" if taken.accepted else "fail"
        await self._call("POST", self._config.ack_path, {"profile_id": row.id, "status": status})

    # ---- reconciliation (schemas.adapter.DossierSource)

    @property
    def reconciling(self) -> Reconciling | None:
        config = self._config
        if config.listing_path is None:
            return None
        interval = config.reconcile_hours * 3600 or float("inf")
        return Reconciling(interval, config.reconcile_days, config.calls_per_second)

    async def listing(self, since: date, until: date) -> AsyncGenerator[ListedDossier, None]:
        path = self._config.listing_path
        if path is None:
            raise ConfigurationError(
                "without listing_path the one-stop software cannot list its dossiers",
                vi="Chưa khai báo listing_path nên không lấy được danh sách hồ sơ",
            )
        query = {"unit_code": self._config.unit_code, "after": ""}
        query |= {"from_date": f"{since:%Y/%m/%d}", "to_date": f"{until:%Y/%m/%d}"}
        while True:
            rows, after = read_listing(await self._call("GET", path, query))
            for row in rows:
                yield row
            if not after:
                return
            query |= {"after": after}

    async def tell_again(self, code: str) -> None:
        query = {"unit_code": self._config.unit_code, "source_id": code}
        await self._call("POST", self._config.again_path, query)

    async def _call(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a good answer. Raises PartnerError or ConfigurationError."""
        url = (self._url / path).update_query(query)
        try:
            async with open_answer(
                self._http,
                method,
                url,
                headers=self._headers,
                timeout=self._limit,
                tls=self._tls,
            ) as response:
                body = await _whole(response)
        except FAILURES as error:
            raise _failure(error) from None
        _require_good(response.status)
        return body


async def _put(inbox: Inbox, ref: str, body: bytes) -> Taken:
    try:
        told = read_item(body)
    except InvalidRequest as error:
        return await inbox.refuse(ref, body, error)
    return await inbox.take_dossier(ref, told.agency, told.item, body)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Raises PartnerGarbage for an answer beyond the limit."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise PartnerGarbage(
                f"an answer of more than {MAX_ANSWER} bytes",
                vi=f"Phần mềm một cửa trả lời hơn {MAX_ANSWER} byte",
            )
    return b"".join(pieces)


def _require_good(status: int) -> None:
    if status == HTTPStatus.OK:
        return
    if status in {408, 425, 429, 503}:
        raise PartnerUnavailable(
            f"the one-stop software cannot answer now (HTTP {status})",
            vi=f"Phần mềm một cửa tạm thời không phục vụ (HTTP {status})",
        )
    if status in {401, 403}:
        raise ConfigurationError(
            f"the one-stop software refuses the access key (HTTP {status})",
            vi=f"Phần mềm một cửa không chấp nhận khóa truy cập (HTTP {status})",
        )
    raise PartnerGarbage(
        f"not an answer of the profile exchange (HTTP {status})",
        vi=f"Phần mềm một cửa trả lời không đúng giao thức (HTTP {status})",
    )


def _failure(error: Exception) -> PartnerError | ConfigurationError:
    outcome = failure_outcome(error)
    if outcome.code == ConfigurationError.code:
        return ConfigurationError(outcome.detail)
    unreached = outcome.result is Result.TRANSIENT
    kind = PartnerUnavailable if unreached else PartnerTimeout
    return kind(outcome.detail, vi="Không gọi được phần mềm một cửa hoặc kết nối bị ngắt")
