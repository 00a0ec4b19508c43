"""From the one-stop software: lists, fetches, and says done or fail only after the inbox has
spoken. Nothing goes to it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import date
from http import HTTPStatus
from typing import ClassVar, NoReturn

import aiohttp
import structlog
from yarl import URL

from adapters.connection import resolve_secret, tls_context
from adapters.http import FAILURES, failure_outcome, open_answer
from adapters.onestop.codec import Listed, read_item, read_list, read_listing
from adapters.onestop.config import OneStopConfig
from adapters.onestop.manifest import MANIFEST
from schemas.adapter import (
    AdapterConfig,
    Inbox,
    ListedDossier,
    Manifest,
    OutboundDelivery,
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

log = structlog.get_logger(__name__)

MAX_ANSWER = 8_000_000  # bytes of one answer
PATIENCE = 3
"""Rounds that an item which the software cannot give may end; from then on others pass it by."""


class OneStop:
    """One one-stop system (schemas.adapter.Poller)."""

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
        self._secret = resolve_secret(config.secret, secrets)
        self._tls = tls_context(config.ca_file)
        self._failed: dict[str, int] = {}  # rounds that an item ended, by its id

    @property
    def interval(self) -> float:
        return self._config.poll_seconds

    async def deliver(self, delivery: OutboundDelivery) -> NoReturn:
        """Never called: raises TypeError, because nothing is addressed to this kind."""
        raise TypeError(f"delivery {delivery.id}: a onestop endpoint is only fetched from")

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""

    async def poll(self, inbox: Inbox) -> int:
        """One round, oldest first, until nothing new waits.

        The software's own list is the cursor: what was not acknowledged is listed again, so that
        a crash or a lost acknowledgement makes a repeat, never a gap.  An item that does not come
        ends the round, for the next one may be of the same dossier.
        """
        taken, seen = 0, set[str]()
        while rows := [row for row in await self._waiting() if row.id not in seen]:
            for row in rows:
                seen.add(row.id)
                try:
                    await self._take(inbox, row)
                except PartnerError as error:
                    if self._passed_by(row, error):
                        continue
                    if not taken:
                        raise
                    return taken
                self._failed.pop(row.id, None)
                taken += 1
        return taken

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

    def _passed_by(self, row: Listed, error: PartnerError) -> bool:
        """Whether the round may go on: an item that the software answered wrongly too often."""
        log.warning("onestop.item_not_fetched", profile_id=row.id, code=error.code)
        if not isinstance(error, PartnerGarbage):
            return False
        self._failed[row.id] = self._failed.get(row.id, 0) + 1
        return self._failed[row.id] > PATIENCE

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
        config = self._config
        limit = aiohttp.ClientTimeout(
            total=config.connect_seconds + config.answer_seconds,
            connect=config.connect_seconds,
            ceil_threshold=float("inf"),
        )
        url = (self._url / path).update_query(query)
        headers = {"Authorization": f"Bearer {self._secret.decode('latin-1')}"}
        try:
            async with open_answer(
                self._http, method, url, headers=headers, timeout=limit, tls=self._tls
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
